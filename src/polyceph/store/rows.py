"""Explicit mapping between rows of the store and the nouns of the core, one pair of functions a noun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain
from polyceph.core.model.drift import Drift, State, from_body
from polyceph.core.model.event import Actor, ActorKind, Event, JournalEntry
from polyceph.core.ports import AppliedDeclaration, RecordedDataset, RunOutcome, RunRecord, RunRequest, SnapshotRecord
from polyceph.errors import Invalid

Values = dict[str, Any]


def event_document(event: Event) -> Values:
    """Return an event as the JSON that is kept and hashed; what is not known is left out. Layout: docs/reference/journal-format.md."""
    parts = {
        "action": event.action,
        "actor": _known({"kind": event.actor.kind.value, "id": event.actor.id, "on_behalf_of": event.actor.on_behalf_of}),
        "after": None if event.after is None else dict(event.after),
        "agreement": event.agreement,
        "before": None if event.before is None else dict(event.before),
        "correlation": dict(event.correlation) or None,
        "decision": _known({"allowed": event.allowed, "policy": event.policy, "reason": event.reason}),
        "door": event.door,
        "purpose": event.purpose,
        "subject": _known({"kind": event.subject_kind, "id": event.subject_id, "domain": event.domain, "version": event.subject_version}),
    }
    return _known(parts)


def event_of(document: Mapping[str, Any]) -> Event:
    """Return the event that a kept JSON says; the inverse of `event_document`."""
    actor, decision, subject = document["actor"], document["decision"], document["subject"]
    return Event(
        actor=Actor(ActorKind(actor["kind"]), actor["id"], actor.get("on_behalf_of")),
        door=document["door"],
        action=document["action"],
        subject_kind=subject["kind"],
        subject_id=subject["id"],
        domain=subject.get("domain"),
        subject_version=subject.get("version"),
        allowed=decision["allowed"],
        policy=decision.get("policy"),
        reason=decision.get("reason"),
        purpose=document.get("purpose"),
        agreement=document.get("agreement"),
        before=document.get("before"),
        after=document.get("after"),
        correlation=document.get("correlation", {}),
    )


def journal_entry(row: Row[Any]) -> JournalEntry:
    """Return the event of a row of table `event`, with its place in the tree."""
    return JournalEntry(row.seq, row.at, event_of(row.body), row.leaf)


def _known(parts: Values) -> Values:
    return {key: value for key, value in parts.items() if value is not None}


def applied_declaration(row: Row[Any]) -> AppliedDeclaration:
    """Return the declaration of a row of table `declaration`."""
    return AppliedDeclaration(row.digest, row.applied_at, row.commit, row.content)


def domain_values(domain: Domain) -> Values:
    """Return the columns of a domain that is declared now."""
    return {
        "name": domain.name,
        "title": dict(domain.title),
        "owner": domain.owner,
        "steward": domain.steward,
        "interim_owner": domain.interim_owner,
        "contact": domain.contact,
        "removed_at": None,
    }


def dataset_values(dataset: Dataset) -> Values:
    """Return the columns of a dataset that is declared now."""
    contract = dataset.contract
    return {
        "domain": dataset.id.domain,
        "zone": dataset.id.zone.value,
        "name": dataset.id.name,
        "owner": dataset.owner,
        "steward": dataset.steward,
        "classification": contract.classification.value if contract else None,
        "contract_version": contract.version if contract else None,
        "contract_digest": contract.digest if contract else None,
        "removed_at": None,
    }


def dataset_id(row: Row[Any]) -> DatasetId:
    """Return the identifier of a row of table `dataset`."""
    return DatasetId(row.domain, Zone(row.zone), row.name)


def recorded_dataset(row: Row[Any]) -> RecordedDataset:
    """Return the dataset of a row of table `dataset`."""
    return RecordedDataset(
        id=dataset_id(row),
        owner=row.owner,
        steward=row.steward,
        classification=row.classification,
        contract_version=row.contract_version,
        contract_digest=row.contract_digest,
        removed_at=row.removed_at,
    )


def run_request_values(request: RunRequest) -> Values:
    """Return the columns of a run that has just been asked for."""
    datasets = [{"domain": d.domain, "zone": d.zone.value, "name": d.name} for d in request.datasets]
    return {
        "request": request.request,
        "domain": request.domain,
        **_actor_values(request.actor),
        "datasets": datasets,
        "job": request.job,
        "status": "REQUESTED",
    }


def run_outcome_values(outcome: RunOutcome) -> Values:
    """Return the columns that an outcome changes; the time is the database's to give."""
    return {
        "status": outcome.status,
        "seconds": outcome.seconds,
        "checks_passed": outcome.checks_passed,
        "checks_failed": outcome.checks_failed,
        "error": outcome.error,
    }


def run_record(row: Row[Any]) -> RunRecord:
    """Return the run of a row of table `run_request`."""
    datasets = tuple(DatasetId(d["domain"], Zone(d["zone"]), d["name"]) for d in row.datasets)
    request = RunRequest(row.request, row.domain, _actor(row), datasets, row.job)
    outcome = None
    if row.ended_at is not None:
        outcome = RunOutcome(row.run or "", row.domain, row.status, row.seconds, row.checks_passed, row.checks_failed, row.error)
    return RunRecord(request, row.requested_at, row.run, outcome)


def drift(row: Row[Any]) -> Drift:
    """Return the drift of a row of table `drift`."""
    sighting = from_body(json.dumps(row.body))
    return Drift(row.number, sighting, State(row.state), row.found_at, tuple(row.covers), row.decided_at, row.decided_by)


def snapshot_values(snapshot: SnapshotRecord) -> Values:
    """Return the columns of a snapshot.

    Raises:
        Invalid: its extra information is not JSON, or its time has no time zone.
    """
    if snapshot.at.tzinfo is None:
        raise Invalid(f"the time of snapshot {snapshot.snapshot} of {snapshot.domain} has no time zone", hint="give aware UTC times")
    return {
        "domain": snapshot.domain,
        "snapshot": snapshot.snapshot,
        "at": snapshot.at,
        "author": snapshot.author,
        "message": snapshot.message,
        "extra": plain_json(f"extra of snapshot {snapshot.snapshot} of {snapshot.domain}", snapshot.extra),
        "changes": snapshot.changes,
    }


def plain_json(what: str, value: Mapping[str, object]) -> dict[str, object]:
    """Return the mapping as a dict that is surely JSON: strict, since a NaN or a date turned into text is not what was said.

    Raises:
        Invalid: it is not; `what` names it.
    """
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{what} is not JSON: {error}", hint="give text, numbers, true, false, null, lists and mappings") from error
    return dict(value)


def _actor_values(actor: Actor) -> Values:
    return {"actor_kind": actor.kind.value, "actor_id": actor.id, "on_behalf_of": actor.on_behalf_of}


def _actor(row: Row[Any]) -> Actor:
    return Actor(ActorKind(row.actor_kind), row.actor_id, row.on_behalf_of)

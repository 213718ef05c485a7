"""Keeping proof of what happened in the lakes: what changed, and what was read of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.reading import READ, REFUSED, Reading, SaidReading, from_body
from polyceph.core.ports import Queries, SnapshotRecord, UnitOfWork
from polyceph.errors import Invalid

_ROLE = "domain_"
UNKNOWN = "unknown"
"""What stands for the dataset of a read that does not tell what it reads."""


def record_snapshots(uow: UnitOfWork, snapshots: Sequence[SnapshotRecord]) -> int:
    """Record one event per new snapshot: who changed which lake, in which run; return how many there were.

    Another recorder may have kept some of them in the meantime: those have their event already.
    """
    if not snapshots:
        return 0
    with uow:
        new = uow.record_snapshots(snapshots)
        for one in new:
            uow.record(_snapshot_event(one))
        uow.commit()
    return len(new)


def record_readings(uow: UnitOfWork, queries: Queries, said: Sequence[SaidReading]) -> int:
    """Record one event per reading of the outbox that the journal does not hold yet; return how many there were.

    A domain's own code writes into the outbox: what it says stands as what that domain said, and what cannot be understood does too.
    """
    if not said:
        return 0
    askers = {run: _asker(queries, run) for run in {_run(one) for one in said} if run is not None}
    with uow:
        new = uow.record_readings(said)
        for one in new:
            _record_reading(uow, one, askers)
        uow.commit()
    return len(new)


def _snapshot_event(one: SnapshotRecord) -> Event:
    ties = {"run": one.extra.get("run"), "commit": one.extra.get("code")}
    return Event(
        actor=Actor(ActorKind.SERVICE, one.author or "unknown"),
        door=str(one.extra.get("door", "lake")),
        action="snapshot.committed",
        subject_kind="lake",
        subject_id=f"{one.domain}@{one.snapshot}",
        domain=one.domain,
        reason=one.message,
        after={"changes": one.changes, "at": one.at.isoformat(), "contracts": one.extra.get("contracts")},
        correlation={tie: str(value) for tie, value in ties.items() if value},
    )


def _asker(queries: Queries, run: str) -> tuple[str, str] | None:
    """Return the domain of a run and who asked for it, None when the run is not recorded."""
    record = queries.run(run)
    return None if record is None else (record.request.domain, record.request.actor.id)


def _run(one: SaidReading) -> str | None:
    try:
        return from_body(one.body).run
    except Invalid:
        return None


def _record_reading(uow: UnitOfWork, one: SaidReading, askers: Mapping[str, tuple[str, str] | None]) -> None:
    try:
        event = _understood(one, from_body(one.body), askers)
    except Invalid:
        uow.record(_not_understood(one))
        return
    for candidate in (event, _without_words(event, one)):
        try:
            uow.record(candidate)
        except Invalid:  # the journal may not hold it: a column or purpose like a person's number
            continue
        return
    uow.record(_not_understood(one))


def _understood(one: SaidReading, reading: Reading, askers: Mapping[str, tuple[str, str] | None]) -> Event:
    domain, dataset = _domain(one), reading.dataset
    run_domain, asker = askers.get(reading.run or "") or (None, None)
    # The run comes from the body: a domain must not act on behalf of somebody who asked another one.
    for_whom = asker if run_domain == domain else None
    is_refused = reading.action == REFUSED
    ties = {"run": reading.run, "snapshot": f"{dataset.domain}@{reading.snapshot}" if dataset and reading.snapshot is not None else None}
    return Event(
        actor=Actor(ActorKind.SERVICE, _speaker(one), for_whom),
        door=reading.door,
        action=reading.action,
        subject_kind="dataset",
        subject_id=str(dataset or UNKNOWN),
        domain=dataset.domain if dataset else domain,
        allowed=not is_refused,
        policy="consumption" if is_refused else None,
        reason=f"{domain} does not declare in consumes that it reads {dataset or UNKNOWN}" if is_refused else None,
        purpose=reading.purpose,
        after=_kept(one, reading),
        correlation={tie: value for tie, value in ties.items() if value},
    )


def _without_words(event: Event, one: SaidReading) -> Event:
    """Return the event with a digest in place of what its reader chose to write."""
    rows = (event.after or {}).get("rows")
    after = {"rows": rows, "at": one.at.isoformat(), "sha256": _digest(one)}
    return replace(event, purpose=None, reason=event.reason or "columns, purpose or address may not stand here", after=after)


def _kept(one: SaidReading, reading: Reading) -> dict[str, object]:
    columns = None if reading.columns is None else list(reading.columns)
    more = {"where": reading.where, "statement": reading.statement}
    always: dict[str, object] = {"columns": columns, "rows": reading.rows, "at": one.at.isoformat()}
    return always | {name: value for name, value in more.items() if value is not None}


def _not_understood(one: SaidReading) -> Event:
    return Event(
        actor=Actor(ActorKind.SERVICE, _speaker(one)),
        door="lake",
        action=READ,
        subject_kind="dataset",
        subject_id=UNKNOWN,
        domain=_domain(one),
        reason="not understood",
        after={"sha256": _digest(one), "at": one.at.isoformat()},
    )


def _digest(one: SaidReading) -> str:
    return hashlib.sha256(one.body.encode()).hexdigest()


def _domain(one: SaidReading) -> str | None:
    return one.role.removeprefix(_ROLE) if one.role.startswith(_ROLE) else None


def _speaker(one: SaidReading) -> str:
    domain = _domain(one)
    return f"domain:{domain}" if domain else f"role:{one.role}"

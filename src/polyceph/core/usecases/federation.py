"""Making the platform know what is declared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, Event
from polyceph.core.model.federation import Federation
from polyceph.core.ports import AppliedDeclaration, FederationChange, Queries, UnitOfWork


def apply_federation(
    uow: UnitOfWork, queries: Queries, federation: Federation, *, actor: Actor, commit: str, left_out: Collection[str] = ()
) -> FederationChange | None:
    """Apply declarations that differ from those applied last and record what changed; None when nothing differs.

    Domains `left_out`, because their declarations cannot be read now, stay as they were applied last: a mistake removes nothing.

    Raises:
        Conflict: somebody else applied declarations at the same moment.
    """
    last = queries.last_declaration()
    if last is not None and last.digest == federation.digest:
        return None
    with uow:
        expected = last.digest if last else None
        content = content_of(federation)
        content["domains"] |= {name: one for name, one in applied_domains(last).items() if name in left_out}
        change = uow.apply_federation(federation, commit=commit, content=content, expected=expected, left_out=left_out)
        news = {k: [str(x) for x in v] for k, v in (*_by_kind(change).items(), ("left_out", sorted(left_out))) if v}
        uow.record(
            Event(
                actor=actor,
                door="cli",
                action="federation.applied",
                subject_kind="federation",
                subject_id=federation.name,
                before={"digest": expected} if expected else None,
                after={"digest": federation.digest, **news},
                correlation={"commit": commit},
            )
        )
        uow.commit()
    return change


def applied_domains(last: AppliedDeclaration | None) -> Mapping[str, Any]:
    """Return the content of each domain as it was applied last, in the shape of `content_of`."""
    found = last.content.get("domains") if last else None
    return found if isinstance(found, Mapping) else {}


def applied_consumption(last: AppliedDeclaration | None, domains: Collection[str]) -> dict[str, tuple[DatasetId, ...]]:
    """Return what these domains consumed as they were applied last; one that never was is not in it."""
    known = applied_domains(last)
    return {name: tuple(_dataset(text) for text in known[name]["consumes"]) for name in sorted(domains) if name in known}


def _dataset(text: str) -> DatasetId:
    domain, zone, name = text.split(".")
    return DatasetId(domain, Zone(zone), name)


def content_of(federation: Federation) -> dict[str, Any]:
    """Return what a reviewer needs of a federation: who answers for which dataset, under which contract, who reads what."""
    return {
        "federation": federation.name,
        "domains": {
            name: {
                "owner": domain.owner,
                "steward": domain.steward,
                "interim_owner": domain.interim_owner,
                "consumes": [str(d) for d in domain.consumes],
                "datasets": {
                    str(d.id): {"owner": d.owner, "steward": d.steward, "contract": d.contract.version if d.contract else None}
                    for d in domain.datasets.values()
                },
            }
            for name, domain in federation.domains.items()
        },
    }


def _by_kind(change: FederationChange) -> dict[str, tuple[object, ...]]:
    return {one.name: tuple(getattr(change, one.name)) for one in fields(change)}

"""Making the platform know what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from polyceph.core.model.event import Actor, Event
from polyceph.core.model.federation import Federation
from polyceph.core.ports import FederationChange, Queries, UnitOfWork


def apply_federation(uow: UnitOfWork, queries: Queries, federation: Federation, *, actor: Actor, commit: str) -> FederationChange | None:
    """Apply declarations that differ from those applied last and record what changed; None when nothing differs.

    Raises:
        Conflict: somebody else applied declarations at the same moment.
    """
    last = queries.last_declaration()
    if last is not None and last.digest == federation.digest:
        return None
    with uow:
        expected = last.digest if last else None
        change = uow.apply_federation(federation, commit=commit, content=content_of(federation), expected=expected)
        uow.record(
            Event(
                actor=actor,
                door="cli",
                action="federation.applied",
                subject_kind="federation",
                subject_id=federation.name,
                before={"digest": expected} if expected else None,
                after={"digest": federation.digest, **{k: [str(x) for x in v] for k, v in _by_kind(change).items() if v}},
                correlation={"commit": commit},
            )
        )
        uow.commit()
    return change


def content_of(federation: Federation) -> Mapping[str, object]:
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

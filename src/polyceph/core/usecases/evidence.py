"""Keeping proof of what happened in the lakes."""

from __future__ import annotations

from collections.abc import Sequence

from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.ports import SnapshotRecord, UnitOfWork


def record_snapshots(uow: UnitOfWork, snapshots: Sequence[SnapshotRecord]) -> int:
    """Record one event per new snapshot: who changed which lake, in which run; return how many there were.

    Another recorder may have kept some of them in the meantime: those have their event already.
    """
    if not snapshots:
        return 0
    with uow:
        new = uow.record_snapshots(snapshots)
        for one in new:
            uow.record(_event(one))
        uow.commit()
    return len(new)


def _event(one: SnapshotRecord) -> Event:
    run = one.extra.get("run")
    return Event(
        actor=Actor(ActorKind.SERVICE, one.author or "unknown"),
        door=str(one.extra.get("door", "lake")),
        action="snapshot.committed",
        subject_kind="lake",
        subject_id=f"{one.domain}@{one.snapshot}",
        domain=one.domain,
        reason=one.message,
        after={"changes": one.changes, "at": one.at.isoformat(), "contracts": one.extra.get("contracts")},
        correlation={"run": str(run)} if run else {},
    )

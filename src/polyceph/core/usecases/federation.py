"""Making the platform know what is declared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, Event
from polyceph.core.model.federation import Federation
from polyceph.core.ports import AppliedDeclaration, FederationChange, Queries, UnitOfWork
from polyceph.core.usecases.declared import content_of
from polyceph.core.usecases.differences import Difference, differences


def apply_federation(
    uow: UnitOfWork, queries: Queries, federation: Federation, *, actor: Actor, commit: str, left_out: Collection[str] = ()
) -> FederationChange | None:
    """Apply declarations that differ from those applied last and record every difference; None when nothing differs.

    One event sums up, and each difference has its own. Domains `left_out`, because their declarations cannot be read now, stay as they
    were applied last: a mistake removes nothing.

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
        found = tuple(differences(last.content if last else None, content))
        for one in (_summary(federation, found, expected=expected, left_out=left_out), *found):
            uow.record(_event(one, actor=actor, commit=commit))
        uow.commit()
    return change


def _summary(federation: Federation, found: Collection[Difference], *, expected: str | None, left_out: Collection[str]) -> Difference:
    """Return the difference of the declarations as a whole: their digests, and how many differences there are of each kind."""
    after: dict[str, object] = {"digest": federation.digest, "changes": dict(sorted(Counter(one.action for one in found).items()))}
    if left_out:
        after["left_out"] = sorted(left_out)
    before = {"digest": expected} if expected else None
    return Difference("federation.applied", "federation", federation.name, before=before, after=after)


def _event(one: Difference, *, actor: Actor, commit: str) -> Event:
    return Event(
        actor=actor,
        door="cli",
        action=one.action,
        subject_kind=one.subject_kind,
        subject_id=one.subject_id,
        domain=one.domain,
        subject_version=one.subject_version,
        before=one.before,
        after=one.after,
        correlation={"commit": commit},
    )


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

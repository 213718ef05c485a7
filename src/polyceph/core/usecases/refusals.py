"""Keeping proof of declarations that break rules and were therefore not applied. Applying the good ones is in `federation`."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from polyceph.core.model.event import Actor, Event, JournalEntry
from polyceph.core.ports import Queries, UnitOfWork
from polyceph.errors import Problem

_MOST = 50
"""So many problems are kept in full; of more only the number and, in the digest, the proof of which they were."""
_ADDRESS = re.compile(r"[^\s'\"<>(),;:]+@[^\s'\"<>(),;:]+")


@dataclass(frozen=True)
class Refusal:
    """Declarations with at least one problem: those of a domain, or those of the federation as a whole when `domain` is None."""

    federation: str
    domain: str | None
    problems: tuple[Problem, ...]
    commit: str


def refuse_declarations(uow: UnitOfWork, queries: Queries, refusal: Refusal, *, actor: Actor) -> bool:
    """Record that declarations were refused and why; return False when nothing is new: the same problems stand since they were recorded.

    Called before what is good is applied. The same problems are new when the declarations were good in the meantime.
    """
    kind, name = ("federation", refusal.federation) if refusal.domain is None else ("domain", refusal.domain)
    action = "federation.refused" if refusal.domain is None else "domain.refused"
    problems = [_kept(one) for one in refusal.problems]
    digest = hashlib.sha256(json.dumps(problems, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    last = queries.last_event(action, kind, name)
    applied = queries.last_event("federation.applied", "federation", refusal.federation)
    if last is not None and (last.event.after or {}).get("digest") == digest and _stands(last, applied, domain=refusal.domain):
        return False
    with uow:
        uow.record(
            Event(
                actor=actor,
                door="cli",
                action=action,
                subject_kind=kind,
                subject_id=name,
                domain=refusal.domain,
                allowed=False,
                policy=refusal.problems[0].rule or "declarations",
                reason=str(problems[0]["message"]),
                after={"digest": digest, "number": len(problems), "problems": problems[:_MOST]},
                correlation={"commit": refusal.commit},
            )
        )
        uow.commit()
    return True


def _stands(refused: JournalEntry, applied: JournalEntry | None, *, domain: str | None) -> bool:
    """Tell whether no declarations were applied since a refusal that it did not keep out."""
    if applied is None or applied.number < refused.number:
        return True
    left_out = (applied.event.after or {}).get("left_out")
    return isinstance(left_out, list) and domain in left_out


def _kept(problem: Problem) -> dict[str, object]:
    """Return what the journal keeps of a problem: where, which rule, what; no address of a person, which a contract may hold as a name."""
    message = _ADDRESS.sub("(address not shown)", problem.message)
    return {"file": problem.file, "line": problem.line, "column": problem.column, "rule": problem.rule, "message": message}

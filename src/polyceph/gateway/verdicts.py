"""The verdict on one field of Dagster's interface, and what the journal keeps of a change: before it runs, and how it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from polyceph.core.model.access import Action, Principal
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Event
from polyceph.errors import PolycephError
from polyceph.gateway.fields import Rule
from polyceph.gateway.permissions import reason_of
from polyceph.gateway.sight import Doors, Sight, dataset_of
from polyceph.gateway.subjects import UNKNOWN, Arguments, Facts, Subject

DOOR = "dagster"
_NAMES = 20
_NOTHING = Decision(
    False, "existence", "what this names does not exist or is not for you to see", hint="look it up in the list of your domain"
)
_UNREADABLE = Decision(False, "arguments", "what this asks for cannot be told", hint="check its arguments")


@dataclass(frozen=True)
class Verdict:
    """Whether a field may be answered, and the decision in each domain that it touches."""

    rule: Rule
    subject: Subject
    decisions: Mapping[str | None, Decision]

    @property
    def allowed(self) -> bool:
        """Whether it is allowed in every domain that it touches."""
        return bool(self.decisions) and all(one.allowed for one in self.decisions.values())

    @property
    def reason(self) -> str:
        """Why it is refused: the first reason, in the order of domains."""
        refused = [one for one in self.decisions.values() if not one.allowed]
        return reason_of(refused[0].reason, refused[0].hint) if refused else ""


def judge(rule: Rule, arguments: Arguments, sight: Sight, facts: Facts) -> Verdict:
    """Return the verdict on a field with its coerced arguments. What cannot be told is refused."""
    if rule.action is None:
        return Verdict(rule, Subject(), {None: Decision(False, "closed", f"closed here: {rule.note}")})
    try:
        subject = rule.find(arguments, facts)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return Verdict(rule, Subject(), {None: _UNREADABLE})
    if not subject.domains:
        return Verdict(rule, subject, {None: sight.decision(rule.action, None)})
    ordered = sorted(subject.domains, key=lambda name: (name is not UNKNOWN, name or ""))
    decisions = {one: _NOTHING if one is UNKNOWN else sight.decision(rule.action, one) for one in ordered}
    if rule.action is Action.DATASET_DESCRIBE:
        # what a dataset is classified as may give less than its domain does: a secret one is not for everybody who works there
        named = {key: sight.decision(rule.action, key[0], dataset_of(key)) for key in subject.keys if key}
        decisions |= {key[0]: one for key, one in named.items() if not one.allowed}
    return Verdict(rule, subject, decisions)


@dataclass(frozen=True)
class Asked:
    """A change that somebody asks for: who, by which field, in which request."""

    principal: Principal
    field: str
    request: str
    purpose: str | None = None


def record_asked(doors: Doors, asked: Asked, verdict: Verdict, arguments: Arguments) -> None:
    """Record that a change was asked for, allowed or not, once for each domain it touches. Raises when it cannot be recorded."""
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True, default=str).encode()).hexdigest()
    for domain, decision in verdict.decisions.items():
        kept = {
            "field": asked.field,
            "action": str(verdict.rule.action or "closed"),
            "subjects": list(verdict.subject.names[:_NAMES]),
            "domains": sorted(one or "" for one in verdict.subject.domains),
            "arguments": digest,
        }
        reason = decision.reason if not decision.allowed or verdict.allowed else f"refused elsewhere: {verdict.reason}"
        _record(doors, asked, "change.asked", domain, kept, allowed=verdict.allowed, policy=decision.policy, reason=reason)


def record_ended(doors: Doors, asked: Asked, verdict: Verdict, answer: str, runs: Iterable[str]) -> None:
    """Record how a change ended, once for each domain it touched. Raises when it cannot be recorded."""
    launched = list(runs)
    for domain in verdict.decisions:
        kept = {"field": asked.field, "subjects": list(verdict.subject.names[:_NAMES]), "answer": answer, "runs": launched[:_NAMES]}
        _record(doors, asked, "change.ended", domain, kept, run=launched[0] if len(launched) == 1 else None)


def _record(
    doors: Doors, asked: Asked, action: str, domain: str | None, after: Mapping[str, object], *, allowed: bool = True,
    policy: str | None = None, reason: str | None = None, run: str | None = None,
) -> None:  # fmt: skip
    subjects: Any = after.get("subjects") or [asked.field]
    event = Event(
        actor=asked.principal.actor, door=DOOR, action=action, subject_kind="orchestration", subject_id=str(subjects[0]) or asked.field,
        domain=domain or None, allowed=allowed, policy=policy, reason=reason, purpose=asked.purpose, after=after,
        correlation={key: value for key, value in (("request", asked.request), ("run", run)) if value},
    )  # fmt: skip
    doors.record(event)


class NotRecorded(Exception):
    """A change that cannot be recorded: it does not happen."""

    def __init__(self, cause: BaseException) -> None:
        said = cause.message if isinstance(cause, PolycephError) else "the journal does not answer"
        super().__init__(f"this change cannot be recorded, so it is not made: {said}")

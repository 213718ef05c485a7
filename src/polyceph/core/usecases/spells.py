"""What held about a dataset from when to when: who answered for it, under which contract, who could read it.

Applied declarations tell it whole, events tell each change. An event is sealed and a declaration is not: where both tell the same, the
event is kept as the proof; where one of them is missing, the other stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.dossier import Period, Spell
from polyceph.core.model.event import JournalEntry
from polyceph.core.ports import AppliedDeclaration

Fact = tuple[str, str]
"""The name of a fact: a kind and, where there may be several, which one: (`consumes`, `culture`)."""
EXISTS, OWNER, STEWARD, INTERIM_OWNER, CLASSIFICATION = (
    (name, "") for name in ("exists", "owner", "steward", "interim_owner", "classification")
)
CONTRACT = (("contract", ""), ("contract_status", ""), ("contract_digest", ""))
CONSUMES, SERVES = "consumes", "serves"
_OF_DATASET = (OWNER, STEWARD, CLASSIFICATION, *CONTRACT)
Facts = Mapping[Fact, Any]


@dataclass(frozen=True)
class Point:
    """A moment at which something was told. A declaration (`entry` None) tells all facts, an event some of them; None: not any more."""

    at: datetime
    facts: Facts
    entry: JournalEntry | None = None
    before: Facts = field(default_factory=dict)
    """What an event says of the time before it."""


@dataclass(frozen=True)
class Held:
    """A spell of several facts together, in the order they were asked for; its value is the first of them."""

    spell: Spell
    values: tuple[Any, ...]


def points_of(dataset: DatasetId, events: Iterable[JournalEntry], declarations: Iterable[AppliedDeclaration]) -> list[Point]:
    """Return what declarations and events tell of a dataset, oldest first."""
    found = [Point(one.applied_at, _declared(one.content, dataset)) for one in declarations]
    found += [point for one in events if (point := _told(one, dataset)) is not None]
    return sorted(found, key=lambda one: (one.at, one.entry.number if one.entry else 0))


def named(points: Iterable[Point], kind: str) -> list[Fact]:
    """Return the facts of a kind that are told anywhere, sorted."""
    return sorted({fact for one in points for fact in one.facts if fact[0] == kind})


def held(points: Sequence[Point], *names: Fact, period: Period) -> list[Held]:
    """Return from when to when facts held, as far as they held in a period; a fact that is not known counts as unchanged."""
    walk = _Walk(names)
    for one in points:
        walk.take(one)
    return [one for one in walk.done if _overlaps(one.spell, period)]


def _overlaps(spell: Spell, period: Period) -> bool:
    return (spell.since is None or spell.since < period.until) and (spell.until is None or spell.until > period.since)


class _Walk:
    """Goes from point to point and keeps the spells of some facts, the last one open."""

    def __init__(self, names: Sequence[Fact]) -> None:
        self._names = names
        self.done: list[Held] = []
        self._now: tuple[Any, ...] = (None,) * len(names)
        self._declared_at: datetime | None = None

    def take(self, point: Point) -> None:
        """Take what a point tells."""
        if point.entry is None:
            self._declared_at = point.at
        elif not any(name in point.facts for name in self._names):
            return
        if not self.done and point.before.get(self._names[0]) is not None:
            self._now = tuple(point.before.get(name) for name in self._names)
            self.done.append(Held(Spell(str(self._now[0]), None), self._now))
        told = tuple(point.facts.get(name, None if point.entry is None else old) for name, old in zip(self._names, self._now, strict=True))
        if _differs(self._now, told):
            self._change(point, told)
        elif point.entry is not None:
            self._confirm(point.entry)
        if told[0] is not None and self.done:
            known = tuple(old if new is None else new for old, new in zip(self._now, told, strict=True))
            self.done[-1] = replace(self.done[-1], values=known)
            self._now = known
        else:
            self._now = told

    def _change(self, point: Point, told: tuple[Any, ...]) -> None:
        if self.done and self.done[-1].spell.until is None:
            last = self.done[-1]
            self.done[-1] = replace(last, spell=replace(last.spell, until=point.at, ended=point.entry))
        if told[0] is not None:
            self._now = told
            self.done.append(Held(Spell(str(told[0]), point.at, began=point.entry), told))

    def _confirm(self, entry: JournalEntry) -> None:
        """Let an event stand for what the declaration it was recorded with told a moment before."""
        self.done = [_proven(one, entry, self._declared_at) for one in self.done]


def _proven(one: Held, entry: JournalEntry, declared_at: datetime | None) -> Held:
    spell = one.spell
    if spell.began is None and spell.since == declared_at:
        spell = replace(spell, since=entry.at, began=entry)
    if spell.ended is None and spell.until is not None and spell.until == declared_at:
        spell = replace(spell, until=entry.at, ended=entry)
    return replace(one, spell=spell)


def _differs(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    if (old[0] is None) != (new[0] is None):
        return True
    return new[0] is not None and any(a is not None and b is not None and a != b for a, b in zip(old, new, strict=True))


def _declared(content: Mapping[str, Any], dataset: DatasetId) -> Facts:
    domains, name = content.get("domains", {}), str(dataset)
    own = domains.get(dataset.domain, {})
    facts = own.get("datasets", {}).get(name)
    found: dict[Fact, Any] = {INTERIM_OWNER: own.get("interim_owner")}
    if facts is not None:
        found |= {EXISTS: True, **{fact: facts.get(fact[0]) for fact in _OF_DATASET}}
    found |= {(CONSUMES, other): True for other, one in domains.items() if name in one.get("consumes", ())}
    outputs = {output: (one.get("serves") or {}) for output, one in own.get("datasets", {}).items()}
    return found | {(SERVES, output): serves["form"] for output, serves in outputs.items() if serves and name in (serves["of"], output)}


def _told(entry: JournalEntry, dataset: DatasetId) -> Point | None:
    """Return what an event says of the facts, None when it is about something else."""
    event = entry.event
    before, after = event.before or {}, event.after or {}
    subject = (event.subject_kind, event.subject_id)
    tells = {("domain", dataset.domain): _OF_DOMAIN, ("dataset", str(dataset)): _TELLS}.get(subject, {}).get(event.action)
    if tells is None or not event.allowed or ("column" in before or "column" in after):
        return None
    known, told = tells(before), tells(after)
    return Point(entry.at, {**dict.fromkeys(known), **told}, entry, known) if known or told else None


def _given(facts: Mapping[str, Any]) -> Facts:
    return {fact: facts[fact[0]] for fact in _OF_DATASET if fact[0] in facts}


def _existing(facts: Mapping[str, Any]) -> Facts:
    return {EXISTS: True, **_given(facts)} if facts else {}


def _consumed(facts: Mapping[str, Any]) -> Facts:
    return {(CONSUMES, str(facts["consumer"])): True} if "consumer" in facts else {}


def _interim(facts: Mapping[str, Any]) -> Facts:
    return {INTERIM_OWNER: facts["interim_owner"]} if "interim_owner" in facts else {}


_Tells = Mapping[str, Callable[[Mapping[str, Any]], Facts]]
_OF_DOMAIN: _Tells = dict.fromkeys(("interim_owner.changed", "domain.added", "domain.removed"), _interim)
_CHANGES = ("owner.changed", "steward.changed", "classification.raised", "classification.lowered")
_TELLS: _Tells = {
    **dict.fromkeys((*_CHANGES, "contract.added", "contract.changed", "contract.removed"), _given),
    **dict.fromkeys(("dataset.added", "dataset.removed"), _existing),
    **dict.fromkeys(("consumption.declared", "consumption.withdrawn"), _consumed),
}
OF_DATASET, OF_DOMAIN = tuple(_TELLS), tuple(_OF_DOMAIN)
"""The kinds of events about a dataset, and about its domain, that tell what held."""

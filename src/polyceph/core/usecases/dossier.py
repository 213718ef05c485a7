"""Which events belong into the dossier of a dataset and a period, and which question each answers. Fetching them is in `dossier_facts`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.dossier import (
    CodeVersion,
    ContractSpell,
    Dossier,
    Ground,
    LakeChange,
    Period,
    Reader,
    RunStory,
    Spell,
    happened_at,
    is_in,
)
from polyceph.core.model.event import Event, JournalEntry
from polyceph.core.ports import AppliedDeclaration
from polyceph.core.usecases import spells
from polyceph.core.usecases.evidence import UNKNOWN
from polyceph.core.usecases.journal import REVIEWED, reviewers

SNAPSHOT, RUN_REQUESTED = "snapshot.committed", "run.requested"
DECLARATIONS_REFUSED = ("domain.refused", "federation.refused")
_ACCESSES = ("dataset.read", "dataset.served")
_PROMISES = ("contract", "column", "classification", "personal_data")
"""Nouns of the events that tell what is promised otherwise."""
_COMING_AND_GOING = ("dataset.added", "dataset.removed")
_EVERYTHING = ["everything"]
_NUMBERED = re.compile(r"(?:^|,)[a-z_]+:(\d+)(?=,|$)")
"""How a lake says that it changed a table it knows by number: `inserted_into_table:7`."""
_ALWAYS = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class DossierFacts:
    """What a dossier is made of; events and declarations may hold more than belongs into it."""

    events: Sequence[JournalEntry]
    declarations: Sequence[AppliedDeclaration] = ()
    """Oldest first, from the very first one."""
    reviews: Sequence[JournalEntry] = ()
    numbers: frozenset[int] = frozenset()
    """Numbers by which the lake knows, or knew, the dataset's tables."""


def select(dataset: DatasetId, period: Period, facts: DossierFacts) -> Dossier:
    """Return the dossier of a dataset and a period.

    An event belongs to the period when it was recorded in it, or happened in it and was recorded later. What held when the period began
    is shown with the events of before that say so.
    """
    events = _numbered(facts.events)
    points = spells.points_of(dataset, [one for one in events if one.at < period.until], facts.declarations)
    changes = [change for change in (_lake_change(one, dataset, facts.numbers) for one in events) if change is not None]
    runs = _runs(dataset, period, events=events, points=points, changes=changes)
    own = [one for one in events if concerns(one.event, dataset)]
    own += [*(one.entry for one in changes), *(entry for run in runs for entry in run.entries)]
    inside = tuple(one for one in _numbered(own) if is_in(one, period))
    readers = _readers(dataset, period, points)
    found = Dossier(
        dataset=dataset,
        period=period,
        readers=readers,
        accesses=tuple(one for one in inside if one.event.action in _ACCESSES and one.event.allowed),
        untold=tuple(one for one in events if is_in(one, period) and _may_be_a_read(one, readers)),
        refusals=tuple(one for one in inside if not one.event.allowed),
        decisions=tuple(one for one in inside if _is_decision(one.event)),
        answering=_answering(period, points),
        contracts=_contracts(period, points),
        classifications=tuple(one.spell for one in spells.held(points, spells.CLASSIFICATION, period=period)),
        changes=tuple(one for one in inside if _is_change(one.event)),
        runs=runs,
        code=_code(inside),
        snapshots=tuple(one for one in changes if is_in(one.entry, period)),
        reviews=tuple(one for one in _numbered(facts.reviews) if _is_about(one, period)),
    )
    shown = {one.number for one in found.entries()}
    found = replace(found, others=tuple(one for one in inside if one.number not in shown))
    reviews = tuple(facts.reviews)
    return replace(found, reviewed={one.number: reviewers(one, reviews) for one in found.entries()})


def concerns(event: Event, dataset: DatasetId) -> bool:
    """Tell whether an event is about a dataset: happened to it, names it, or says who stands in for its owner; runs and snapshots aside."""
    name, after = str(dataset), event.after or {}
    if event.subject_kind == "run" or event.action in (SNAPSHOT, REVIEWED):
        return False
    if event.action in DECLARATIONS_REFUSED:
        problems = after.get("problems")
        return any(_is_named_in(one, dataset) for one in problems if isinstance(one, Mapping)) if isinstance(problems, list) else False
    if event.subject_id == name or (event.action == "interim_owner.changed" and event.subject_id == dataset.domain):
        return True
    return after.get("dataset") == name or any(_holds(after.get(part), name) for part in ("datasets", "contracts"))


def _holds(value: object, name: str) -> bool:
    return isinstance(value, list | tuple | Mapping) and name in value


def _is_named_in(problem: Mapping[str, object], dataset: DatasetId) -> bool:
    """Tell whether a problem is about a dataset: its message names it, or it stands in the dataset's contract."""
    if re.search(rf"(?<![\w.]){re.escape(str(dataset))}(?!\w|\.\w)", str(problem.get("message"))):
        return True
    file = PurePosixPath(str(problem.get("file")))
    zones = set(file.parts) & set(Zone)
    return file.parts[:2] == ("domains", dataset.domain) and file.name == f"{dataset.name}.odcs.yaml" and zones <= {dataset.zone}


def _may_be_a_read(entry: JournalEntry, readers: Sequence[Reader]) -> bool:
    """Tell whether somebody read what is not told, for a domain that could read the dataset then."""
    event, at = entry.event, happened_at(entry)
    if event.subject_id != UNKNOWN or event.action not in _ACCESSES:
        return False
    able = [one.spell for one in readers if one.ground in (Ground.DOMAIN, Ground.CONSUMER) and one.spell.value == event.domain]
    return any(_holds_at(one, at) for one in able)


def _holds_at(spell: Spell, at: datetime) -> bool:
    return (spell.since is None or spell.since <= at) and (spell.until is None or at < spell.until)


def _is_decision(event: Event) -> bool:
    """Tell whether an event says why something was allowed or refused; the reason of a snapshot is what its author wrote."""
    return event.policy is not None or (event.reason is not None and event.action != SNAPSHOT)


def _is_change(event: Event) -> bool:
    return event.action.partition(".")[0] in _PROMISES or event.action in _COMING_AND_GOING


def _is_about(review: JournalEntry, period: Period) -> bool:
    after = review.event.after or {}
    since, until = (datetime.fromisoformat(str(after[name])) for name in ("since", "until"))
    return since < period.until and until > period.since


def _lake_change(entry: JournalEntry, dataset: DatasetId, numbers: frozenset[int]) -> LakeChange | None:
    """Return what a snapshot has to do with a dataset: it says that it changed it, or it carries its contract; None for neither."""
    event = entry.event
    if event.action != SNAPSHOT:
        return None
    after = event.after or {}
    changes = str(after.get("changes") or "")
    is_named = f'"{dataset.zone}"."{dataset.name}"' in changes or any(int(one) in numbers for one in _NUMBERED.findall(changes))
    if event.domain == dataset.domain and is_named:
        return LakeChange(entry, is_named=True)
    return LakeChange(entry, is_named=False) if _holds(after.get("contracts"), str(dataset)) else None


def _runs(
    dataset: DatasetId, period: Period, *, events: Sequence[JournalEntry], points: Sequence[spells.Point], changes: Sequence[LakeChange]
) -> tuple[RunStory, ...]:
    """Return the runs that made the dataset or were asked to, with an event in the period."""
    existed = [one.spell for one in spells.held(points, spells.EXISTS, period=_ALWAYS)]
    made_by = {one.entry.event.correlation.get("run") for one in changes} - {None}
    stories: dict[str, list[JournalEntry]] = {}
    for one in events:
        if one.event.subject_kind == "run" and one.at < period.until:
            stories.setdefault(one.event.subject_id, []).append(one)
    found = [RunStory(request, tuple(entries)) for request, entries in stories.items()]
    return tuple(
        one
        for one in found
        if any(is_in(entry, period) for entry in one.entries) and (one.run in made_by or _is_asked(one, dataset, existed=existed))
    )


def _is_asked(story: RunStory, dataset: DatasetId, *, existed: Sequence[Spell]) -> bool:
    """Tell whether a run was asked for that makes the dataset: by its name, or as everything its domain has at that moment."""
    if story.asked is None:
        return False
    wanted = (story.asked.event.after or {}).get("datasets")
    if wanted == _EVERYTHING and story.asked.event.domain == dataset.domain:
        return not existed or any(_holds_at(one, story.asked.at) for one in existed)
    return _holds(wanted, str(dataset))


def _readers(dataset: DatasetId, period: Period, points: Sequence[spells.Point]) -> tuple[Reader, ...]:
    door = "output" if dataset.zone == Zone.OUTPUT else "lake"
    existed = [replace(one.spell, value=dataset.domain) for one in spells.held(points, spells.EXISTS, period=period)]
    found = [Reader(Ground.DOMAIN, door, one) for one in existed]
    found += [Reader(ground, door, spell) for ground, spell in _answering(period, points)]
    for kind, name in spells.named(points, spells.CONSUMES):
        consumed = spells.held(points, (kind, name), period=period)
        found += [Reader(Ground.CONSUMER, door, replace(one.spell, value=name)) for one in consumed]
    for kind, name in spells.named(points, spells.SERVES):
        served = spells.held(points, (kind, name), period=period)
        found += [Reader(Ground.OUTPUT, one.spell.value, replace(one.spell, value=name)) for one in served]
    return tuple(found)


def _answering(period: Period, points: Sequence[spells.Point]) -> tuple[tuple[Ground, Spell], ...]:
    facts = ((Ground.OWNER, spells.OWNER), (Ground.STEWARD, spells.STEWARD), (Ground.INTERIM_OWNER, spells.INTERIM_OWNER))
    return tuple((ground, one.spell) for ground, fact in facts for one in spells.held(points, fact, period=period))


def _contracts(period: Period, points: Sequence[spells.Point]) -> tuple[ContractSpell, ...]:
    return tuple(ContractSpell(one.spell, *one.values[1:]) for one in spells.held(points, *spells.CONTRACT, period=period))


def _code(entries: Iterable[JournalEntry]) -> tuple[CodeVersion, ...]:
    found: dict[str, tuple[list[JournalEntry], list[JournalEntry]]] = {}
    for one in entries:
        commit = one.event.correlation.get("commit")
        if commit:
            declared, made = found.setdefault(commit, ([], []))
            (made if one.event.action == SNAPSHOT else declared).append(one)
    return tuple(CodeVersion(commit, tuple(declared), tuple(made)) for commit, (declared, made) in found.items())


def _numbered(entries: Iterable[JournalEntry]) -> tuple[JournalEntry, ...]:
    found = {one.number: one for one in entries}
    return tuple(found[number] for number in sorted(found))

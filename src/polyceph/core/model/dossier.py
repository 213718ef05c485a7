"""The dossier: what an auditor is told of one dataset and one period. How it is found is in `usecases.dossier`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.event import Actor, JournalEntry
from polyceph.core.model.journal import Verification


@dataclass(frozen=True)
class Period:
    """From `since`, included, to `until`, not included."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime | None) -> bool:
        """Tell whether a moment is in it."""
        return moment is not None and self.since <= moment < self.until


@dataclass(frozen=True)
class Spell:
    """A time in which something held. `since` None: before anything is known; `until` None: at the end of the period it held still.

    `began` and `ended` are the events that say so, None where only the applied declarations do.
    """

    value: str
    since: datetime | None
    until: datetime | None = None
    began: JournalEntry | None = None
    ended: JournalEntry | None = None


class Ground(StrEnum):
    """Why somebody could read."""

    DOMAIN = "domain"
    OWNER = "owner"
    STEWARD = "steward"
    INTERIM_OWNER = "interim_owner"
    CONSUMER = "consumer"
    OUTPUT = "output"


@dataclass(frozen=True)
class Reader:
    """Who could read the dataset, and when; `spell.value` is a domain, a person, or the output that serves it."""

    ground: Ground
    door: str
    spell: Spell


@dataclass(frozen=True)
class ContractSpell:
    """A contract in force: `spell.value` is its version; status and digest are None where nothing tells them."""

    spell: Spell
    status: str | None
    digest: str | None


@dataclass(frozen=True)
class RunStory:
    """A run from request to end, as far as the journal tells it up to the end of the period."""

    request: str
    entries: tuple[JournalEntry, ...]

    @property
    def asked(self) -> JournalEntry | None:
        """Return the event that says who asked."""
        return self._first("run.requested", "run.refused")

    @property
    def finished(self) -> JournalEntry | None:
        """Return the event that says how it ended."""
        return self._first("run.finished")

    @property
    def actor(self) -> Actor:
        """Return who asked, or who reported it where the request is not there."""
        return (self.asked or self.entries[0]).event.actor

    @property
    def run(self) -> str | None:
        """Return the id of the run, None when none was launched."""
        return next((one.event.correlation["run"] for one in self.entries if "run" in one.event.correlation), None)

    @property
    def status(self) -> str | None:
        """Return how it ended: SUCCESS, FAILURE, CANCELED, REFUSED; None while it goes on."""
        if self.finished is None:
            return "REFUSED" if self._first("run.refused") else None
        return str((self.finished.event.after or {}).get("status"))

    @property
    def has_failed(self) -> bool:
        """Tell whether it ended otherwise than well, or a check failed."""
        after = (self.finished.event.after or {}) if self.finished else {}
        return self.finished is not None and (self.status != "SUCCESS" or bool(after.get("checks_failed")))

    def _first(self, *actions: str) -> JournalEntry | None:
        return next((one for one in self.entries if one.event.action in actions), None)


@dataclass(frozen=True)
class LakeChange:
    """A snapshot that concerns the dataset. `is_named` False: it carries the dataset's contract and does not say that it changed it."""

    entry: JournalEntry
    is_named: bool


@dataclass(frozen=True)
class CodeVersion:
    """A commit of git that touched the dataset: by what it declares, by what its code made, or both."""

    commit: str
    declared: tuple[JournalEntry, ...]
    made: tuple[JournalEntry, ...]

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all events that name it, by number."""
        return tuple(sorted((*self.declared, *self.made), key=lambda one: one.number))


@dataclass(frozen=True)
class Dossier:
    """Everything the journal tells of a dataset in a period, by question. An event may answer several; events stand by number."""

    dataset: DatasetId
    period: Period
    readers: tuple[Reader, ...]
    """Who could read."""
    accesses: tuple[JournalEntry, ...]
    """Who did."""
    untold: tuple[JournalEntry, ...]
    """Reads that do not tell what they read, by domains that could read the dataset at that moment."""
    refusals: tuple[JournalEntry, ...]
    decisions: tuple[JournalEntry, ...]
    answering: tuple[tuple[Ground, Spell], ...]
    """Who answered for it: owner, steward, and the domain's interim owner."""
    contracts: tuple[ContractSpell, ...]
    classifications: tuple[Spell, ...]
    changes: tuple[JournalEntry, ...]
    """What was promised or declared otherwise."""
    runs: tuple[RunStory, ...]
    code: tuple[CodeVersion, ...]
    snapshots: tuple[LakeChange, ...]
    reviews: tuple[JournalEntry, ...]
    """Sign-offs of periods that overlap this one."""
    others: tuple[JournalEntry, ...] = ()
    """What concerns the dataset and answers none of the questions above."""
    reviewed: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Who reviewed each event, by number."""

    @property
    def failures(self) -> tuple[RunStory, ...]:
        """Return the runs that ended otherwise than well, or with a failed check."""
        return tuple(one for one in self.runs if one.has_failed)

    def sections(self) -> dict[str, tuple[JournalEntry, ...]]:
        """Return the events of each section, by number."""
        spells = [one.spell for one in self.readers]
        answering = [spell for _, spell in self.answering]
        contracts = [*(one.spell for one in self.contracts), *self.classifications]
        return {
            "readers": _numbered(_bounds(spells)),
            "accesses": self.accesses,
            "untold": self.untold,
            "refusals": self.refusals,
            "decisions": self.decisions,
            "answering": _numbered(_bounds(answering)),
            "contracts": _numbered((*_bounds(contracts), *self.changes)),
            "runs": _numbered(entry for one in self.runs for entry in one.entries),
            "code": _numbered(entry for one in self.code for entry in one.entries),
            "snapshots": tuple(one.entry for one in self.snapshots),
            "incidents": _numbered(entry for one in self.failures for entry in one.entries),
            "reviews": self.reviews,
            "others": self.others,
        }

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return every event that the dossier shows, by number; some are of before the period and say what held when it began."""
        return _numbered(entry for entries in self.sections().values() for entry in entries)

    def happened(self) -> tuple[JournalEntry, ...]:
        """Return the events of the period itself: without those of before, and without reviews, which are about it."""
        reviews = {one.number for one in self.reviews}
        return tuple(one for one in self.entries() if one.number not in reviews and is_in(one, self.period))

    def unreviewed(self) -> tuple[JournalEntry, ...]:
        """Return the events of the period that nobody has signed off."""
        return tuple(one for one in self.happened() if not self.reviewed.get(one.number))


@dataclass(frozen=True)
class Making:
    """How a dossier came about: by whom, with which release, from which journal, under which of its heads, and what verifying found."""

    at: datetime
    by: Actor
    release: str
    federation: str
    languages: tuple[str, ...]
    origin: str
    key: str
    """The verifier key of the journal, the first it had."""
    size: int
    """The number of leaves under the head; nothing that was sealed later is in the dossier."""
    head_at: datetime
    verification: Verification


def happened_at(entry: JournalEntry) -> datetime:
    """Return when what an event tells happened: as the event says, where it was recorded later than it happened."""
    said = (entry.event.after or {}).get("at")
    if isinstance(said, str):
        try:
            found = datetime.fromisoformat(said)
        except ValueError:
            return entry.at
        return found if found.tzinfo else entry.at
    return entry.at


def is_in(entry: JournalEntry, period: Period) -> bool:
    """Tell whether an event belongs to a period: it was recorded in it, or happened in it and was recorded later."""
    return period.holds(entry.at) or period.holds(happened_at(entry))


def _bounds(spells: list[Spell]) -> Iterator[JournalEntry]:
    for one in spells:
        yield from (entry for entry in (one.began, one.ended) if entry is not None)


def _numbered(entries: Iterable[JournalEntry]) -> tuple[JournalEntry, ...]:
    found = {one.number: one for one in entries}
    return tuple(found[number] for number in sorted(found))

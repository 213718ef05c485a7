"""Events: what the journal keeps about who did what to which thing. Their kinds stand in `event_kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ActorKind(StrEnum):
    """What kind of actor acts."""

    PERSON = "person"
    SERVICE = "service"
    SCHEDULE = "schedule"


@dataclass(frozen=True)
class Actor:
    """Who acts now, and for whom."""

    kind: ActorKind
    id: str
    on_behalf_of: str | None = None


CORRELATIONS = frozenset({"request", "run", "snapshot", "commit", "event"})
"""What an event may be tied to: a request, a run, a snapshot of a lake, a commit of git, an earlier event."""


@dataclass(frozen=True)
class Event:
    """One fact for the journal; number and time are given by the store. `action` is one of `event_kinds.KINDS`.

    Persons the data is about never stand in it: a pseudonym does (`usecases.pseudonyms`).
    """

    actor: Actor
    door: str
    action: str
    subject_kind: str
    subject_id: str
    domain: str | None = None
    subject_version: str | None = None
    allowed: bool = True
    policy: str | None = None
    reason: str | None = None
    purpose: str | None = None
    agreement: str | None = None
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    correlation: Mapping[str, str] = field(default_factory=dict)
    """Keys are those of `CORRELATIONS`."""


@dataclass(frozen=True)
class JournalEntry:
    """An event with what the store gave it: number, time and, once it is sealed, its place in the tree.

    Numbers grow; gaps are rolled-back transactions. `index` is None while the event is not sealed.
    """

    number: int
    at: datetime
    event: Event
    index: int | None = None


@dataclass(frozen=True)
class EventFilter:
    """Which events are wanted; None leaves a side open. `since` is included, `until` and `after` are not.

    `dataset` takes in what happened to a dataset itself and what events about others say of it (a run, a snapshot, an export).
    """

    domain: str | None = None
    action: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    dataset: str | None = None
    actor: str | None = None
    allowed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    limit: int = 1000
    newest: bool = False
    """Which the limit keeps: the newest instead of the oldest. The order is that of numbers either way."""

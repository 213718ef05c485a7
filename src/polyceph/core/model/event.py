"""Events: what the journal keeps about who did what to which thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Event:
    """One fact for the journal; number and time are given by the store. `action` is `noun.verb-past`."""

    actor: Actor
    door: str
    action: str
    subject_kind: str
    subject_id: str
    domain: str | None = None
    allowed: bool = True
    policy: str | None = None
    reason: str | None = None
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    correlation: Mapping[str, str] = field(default_factory=dict)

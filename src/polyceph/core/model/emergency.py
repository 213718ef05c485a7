"""Emergency access, also called break-glass: one person may look into one domain for some hours, and everybody can see that she may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EmergencyState(StrEnum):
    """Whether it still lasts, and how it ended."""

    OPEN = "open"
    CLOSED = "closed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Opening:
    """Emergency access that somebody wants: into which domain, for whom (an id of federation.yaml), how long, and why."""

    domain: str
    person: str
    hours: int
    reason: str


@dataclass(frozen=True)
class Emergency:
    """Emergency access as the store keeps it. `until` is the first moment without it."""

    number: int
    domain: str
    person: str
    reason: str
    opened_by: str
    opened_at: datetime
    until: datetime
    ended_at: datetime | None = None
    closed_by: str | None = None
    """Who ended it before its time; None while it lasts and when it expired."""

    def state(self, now: datetime) -> EmergencyState:
        """Tell whether it lasts at a moment; nobody need have noticed its end."""
        if self.closed_by is not None:
            return EmergencyState.CLOSED
        return EmergencyState.OPEN if self.ended_at is None and now < self.until else EmergencyState.EXPIRED

    @property
    def is_alone(self) -> bool:
        """Tell whether she opened it for herself."""
        return self.opened_by == self.person

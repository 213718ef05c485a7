"""What one principal may see and do in Dagster: decisions asked once and remembered for the length of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from polyceph.core.model.access import Action, Principal, Question
from polyceph.core.model.classification import Classification
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Event

NO_DOMAIN = ""
"""The domain of what belongs to none: nobody holds a role in it, so only rights for the federation reach it."""


@dataclass(frozen=True)
class Doors:
    """What the gateway needs of the platform.

    Args:
        decide: the one function that decides what a principal may do.
        now: the platform's clock, aware UTC.
        record: commits one event into the journal; raises when it cannot.
        classification: how a dataset, as `domain.zone.name`, is classified; None when nobody did.
    """

    decide: Callable[[Principal, Question], Decision]
    now: Callable[[], datetime]
    record: Callable[[Event], None]
    classification: Callable[[str], Classification | None] = lambda _: None


class Sight:
    """The decisions about one principal at one moment. `locations` are the code locations that exist."""

    def __init__(self, doors: Doors, principal: Principal, locations: Iterable[str]) -> None:
        self.principal = principal
        self.locations = frozenset(locations)
        self._doors = doors
        self._now = doors.now()
        self._known: dict[tuple[Action, str | None, str | None], Decision] = {}

    def decision(self, action: Action, domain: str | None, dataset: str | None = None) -> Decision:
        """Return the verdict on an action in a domain, in the federation when it is None."""
        key = (action, domain, dataset)
        known = self._known.get(key)
        if known is None:
            classified = self._doors.classification(dataset) if dataset else None
            question = Question(action, self._now, domain, dataset, classified)
            known = self._known[key] = self._doors.decide(self.principal, question)
        return known

    def may(self, action: Action, domain: str | None, dataset: str | None = None) -> bool:
        """Tell whether an action is allowed in a domain, in the federation when it is None."""
        return self.decision(action, domain, dataset).allowed

    def everywhere(self, action: Action) -> bool:
        """Tell whether an action is allowed in the federation and in each of its domains."""
        return self.may(action, None) and all(self.may(action, name) for name in self.locations)

    def domains(self, action: Action) -> frozenset[str]:
        """Return the code locations in which an action is allowed."""
        return frozenset(name for name in self.locations if self.may(action, name))

    def in_each(self, action: Action, domains: Iterable[str]) -> bool:
        """Tell whether an action is allowed in every one of these domains; of no domain, whether it is in the federation."""
        named = tuple(domains)
        return all(self.may(action, name) for name in named) if named else self.may(action, None)

    def describes(self, path: tuple[str, ...]) -> bool:
        """Tell whether everything about the asset with this key may be known."""
        return self.may(Action.DATASET_DESCRIBE, path[0] if path else NO_DOMAIN, dataset_of(path))

    def finds(self, path: tuple[str, ...]) -> bool:
        """Tell whether it may be known that the asset with this key exists."""
        return self.describes(path) or self.may(Action.DATASET_FIND, path[0] if path else NO_DOMAIN, dataset_of(path))


def dataset_of(path: tuple[str, ...]) -> str | None:
    """Return the dataset that an asset key names: `[domain, zone, name]` is one, everything else is none."""
    return ".".join(path) if len(path) == 3 else None

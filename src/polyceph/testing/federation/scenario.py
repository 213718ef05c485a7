"""What one synthetic federation is drawn from: a seed, a scale and the month it has reached. Nothing about what is in it."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from random import Random
from typing import Self

import numpy as np

from polyceph.errors import Invalid


@dataclass(frozen=True, order=True)
class Month:
    """A month of a year, as in `2025-11`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the month that `YYYY-MM` names; raise `Invalid` for any other text."""
        year, _, number = text.partition("-")
        if not (len(year) == 4 and len(number) == 2 and year.isdecimal() and number.isdecimal() and 1 <= int(number) <= 12):
            raise Invalid(f"month {text!r} cannot be read", hint="write year and month, as in 2025-11")
        return cls(int(year), int(number))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    def plus(self, months: int) -> Self:
        """Return the month so many months later, earlier when it is negative."""
        index = 12 * self.year + self.number - 1 + months
        return type(self)(index // 12, index % 12 + 1)

    def since(self, other: Month) -> int:
        """Return how many months lie between `other` and this one."""
        return 12 * (self.year - other.year) + self.number - other.number

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """The last day."""
        return date(self.year, self.number, calendar.monthrange(self.year, self.number)[1])

    @property
    def school_year(self) -> str:
        """The school year it belongs to: `2025-2026` from September 2025 on."""
        start = self.year if self.number >= 9 else self.year - 1
        return f"{start}-{start + 1}"

    def arrival(self, *, days: int = 3, hour: int = 6) -> datetime:
        """Return when what describes this month arrives: so many days after its end (UTC)."""
        after = self.plus(1).first
        return datetime(after.year, after.month, days, hour, tzinfo=UTC)


FIRST = Month(2021, 11)
PRESENT = Month(2025, 10)
"""Four years of history: FIRST up to and including PRESENT. The demo begins here."""
LAST = Month(2026, 10)
"""So far time can be played: a year of drifts and of people who come and go."""


@dataclass(frozen=True)
class Scenario:
    """A federation to draw. The same seed, scale and month give the same bytes; a later month only adds to an earlier one."""

    seed: int = 2025
    scale: int = 1
    month: Month = PRESENT

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise Invalid(f"scale {self.scale} is too small", hint="give 1 or more; 1 means about 200,000 rows")
        if not PRESENT <= self.month <= LAST:
            raise Invalid(f"the federation cannot be played to {self.month}", hint=f"give a month from {PRESENT} to {LAST}")

    @property
    def today(self) -> date:
        """The day of the federation: by then all that describes the month has arrived."""
        return self.month.plus(1).first.replace(day=10)

    def random(self, *subject: object) -> Random:
        """Return the generator of one subject: what is drawn from it does not depend on what else is drawn."""
        return Random(self._name(subject))

    def numbers(self, *subject: object) -> np.random.Generator:
        """Return numpy's generator of one subject, for columns of many rows."""
        return np.random.default_rng(np.frombuffer(sha256(self._name(subject).encode()).digest(), dtype=np.uint32))

    def months(self, first: Month = FIRST) -> Iterator[Month]:
        """Yield the months of the history, oldest first, up to the month that is reached."""
        for index in range(self.month.since(first) + 1):
            yield first.plus(index)

    def has_reached(self, month: str) -> bool:
        """Tell whether `YYYY-MM` is here already."""
        return Month.parse(month) <= self.month

    def _name(self, subject: tuple[object, ...]) -> str:
        return "/".join(map(str, (self.seed, self.scale, *subject)))

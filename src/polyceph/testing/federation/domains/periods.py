"""Series of files: which months stand in one file together, when each file arrives, and which come late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from polyceph.testing.federation.scenario import FIRST, Month, Scenario
from polyceph.testing.federation.truth import Truth

_USUAL_DAY = 5
"""Day of the next month on which a month's file comes; the file of a whole year comes on the same day of January."""


@dataclass(frozen=True)
class Period:
    """The months of one file, oldest first. `label` stands in its name: `2023` or `2025-03`."""

    label: str
    months: tuple[Month, ...]
    arrived: datetime


def periods(scenario: Scenario, alone_from: Month, late: Mapping[str, int]) -> Iterator[Period]:
    """Yield the files of a monthly series: older years together, the first of them with the months before it, then one for each month.

    `late` gives, by label, the day of the next month on which a file arrives instead of the usual one.
    """
    first, year = FIRST, FIRST.year + 1
    while first < alone_from:
        last = min(Month(year, 12), alone_from.plus(-1))
        label = str(year) if first.year == year else f"{first.year}-{year}"
        yield Period(label, tuple(first.plus(n) for n in range(last.since(first) + 1)), last.arrival(days=late.get(label, _USUAL_DAY)))
        first, year = last.plus(1), year + 1
    for month in scenario.months(alone_from):
        yield Period(str(month), (month,), month.arrival(days=late.get(str(month), _USUAL_DAY)))


def plant_late(truth: Truth, dataset: str, path: str, days: tuple[datetime, datetime]) -> None:
    """Write down that a file came late; `days` are the usual one and its own."""
    usual, arrived = days
    month = Month(arrived.year, arrived.month).plus(-1)
    detail = f"came on {arrived:%Y-%m-%d} instead of {usual:%Y-%m-%d}"
    truth.add("quality", dataset=dataset, fault="late_file", key=path, month=str(month), detail=detail)


def yearly(
    scenario: Scenario, first_year: int, day: tuple[int, int], late: Mapping[int, tuple[int, int]]
) -> Iterator[tuple[int, datetime]]:
    """Yield each year whose file has come, with when: on a day (month, day) of the next year, or on the one that `late` gives."""
    year = first_year
    while scenario.has_reached(f"{year + 1}-{day[0]:02d}"):
        month, number = late.get(year, day)
        yield year, datetime(year + 1, month, number, 6, tzinfo=UTC)
        year += 1

"""Day care: the attendance of its centres by month, as text files on an FTP account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from polyceph.testing.federation import places
from polyceph.testing.federation.domains.youth_care_districts import Districts
from polyceph.testing.federation.pieces import Piece, amount, delimited, month_in_french
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import FIRST, Month, Scenario
from polyceph.testing.federation.truth import Truth

FOLDER = "ftp/youth_care_daycare"
DATASET = "youth_care.raw.daycare"
CENTRES = 50
HEADER = ("Code", "Milieu d'accueil", "CP", "INS", "Mois", "Places", "Inscrits", "Journées", "PFP moyenne (€)")
ADDED = "Allergies"
ADDED_FROM = Month(2026, 7)
CHILD_DAYS = (0, 2_000)
_BY_YEAR_UNTIL = Month(2024, 12)
_USUAL_DAY, _LATE = 5, {Month(2025, 6): 23}
_DROPPED, _KEPT = Month(2025, 3), 15
_NEGATIVE = ("MA0018", Month(2023, 9))


@dataclass(frozen=True)
class _Centre:
    code: str
    name: str
    place: Municipality
    places: int


def daycare(scenario: Scenario, truth: Truth, districts: Districts) -> Iterator[Piece]:
    """Yield the files: one a year up to 2024, then one a month. One month lacks most centres, one file is late, one count is negative."""
    centres = _centres(scenario, districts)
    for label, months in _periods(scenario):
        path = f"{FOLDER}/presences_{label}.csv"
        rows = [row for month in months for row in _rows(scenario, centres, month)]
        header = (*HEADER, ADDED) if months[-1] >= ADDED_FROM else HEADER
        arrived = months[-1].arrival(days=_LATE.get(months[-1], _USUAL_DAY))
        yield Piece(path, delimited(header, rows, delimiter=";", encoding="cp1252"), arrived)
        _note(truth, path, months, arrived)
    if scenario.month >= ADDED_FROM:
        truth.add("drift", dataset=DATASET, month=str(ADDED_FROM), change="column_added", column=ADDED)


def _periods(scenario: Scenario) -> Iterator[tuple[str, tuple[Month, ...]]]:
    yield f"{FIRST.year}-2022", tuple(FIRST.plus(n) for n in range(14))
    for year in range(2023, _BY_YEAR_UNTIL.year + 1):
        yield str(year), tuple(Month(year, number) for number in range(1, 13))
    for month in scenario.months(_BY_YEAR_UNTIL.plus(1)):
        yield str(month), (month,)


def _centres(scenario: Scenario, districts: Districts) -> tuple[_Centre, ...]:
    random = scenario.random("youth_care", "centres")
    kinds = ("Crèche", "Crèche communale", "Les P'tits Loups", "Halte-accueil", "Maison d'enfants")
    made = []
    for number, place in enumerate(districts.draw(random, CENTRES), 1):
        made.append(
            _Centre(f"MA{number:04d}", f"{random.choice(kinds)} {places.of(place)}", place, random.choice((14, 18, 21, 28, 36, 49)))
        )
    return tuple(made)


def _rows(scenario: Scenario, centres: Sequence[_Centre], month: Month) -> Iterator[tuple[object, ...]]:
    random = scenario.random("youth_care", "daycare", month)
    days = 15 if month.number in (7, 8, 12) else 21
    for centre in centres[:_KEPT] if month == _DROPPED else centres:
        enrolled = round(centre.places * random.uniform(1.0, 1.3))
        child_days = round(centre.places * days * random.uniform(0.62, 0.94))
        if (centre.code, month) == _NEGATIVE:
            child_days = -child_days
        counts = (centre.places, enrolled, amount(child_days, decimals=0, thousands=" "), amount(random.uniform(9, 31)))
        added = (random.choice(("", "", "", "arachides", "lait", "œufs")),) if month >= ADDED_FROM else ()
        place = (centre.place.postcodes[0], centre.place.nis_code, month_in_french(month))
        yield (centre.code, centre.name, *place, *counts, *added)


def _note(truth: Truth, path: str, months: Sequence[Month], arrived: datetime) -> None:
    """Write down what is planted in the file of these months."""
    if months[-1] in _LATE:
        detail = f"came on {arrived:%Y-%m-%d} instead of {datetime(arrived.year, arrived.month, _USUAL_DAY, tzinfo=UTC):%Y-%m-%d}"
        truth.add("quality", dataset=DATASET, fault="late_file", key=path, month=str(months[-1]), detail=detail)
    if _DROPPED in months:
        detail = f"{_KEPT} centres instead of {CENTRES}"
        truth.add("quality", dataset=DATASET, fault="volume_drop", key=path, month=str(_DROPPED), detail=detail)
    code, month = _NEGATIVE
    if month in months:
        key = {"centre_code": code, "month": month.first.isoformat()}
        fact = {"dataset": DATASET, "fault": "out_of_range", "column": "child_days", "key": key, "month": str(month)}
        truth.add("quality", **fact, detail="a sign too many")

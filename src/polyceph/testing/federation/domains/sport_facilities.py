"""Sport's infrastructure: where it stands, as GeoJSON in a bucket, and how much it is used, as workbooks on a share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial

import numpy as np
import xlsxwriter

from polyceph.testing.federation import places, workbooks
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.periods import Period, periods, plant_late
from polyceph.testing.federation.pieces import MONTHS, Piece, amount, document
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

COUNT, REPORTING = 900, 90
"""Facilities, and how many of them report their attendance."""
ATTENDANCE, INFRASTRUCTURE = "sport.raw.attendance", "sport.raw.infrastructure"
KINDS = {"hall omnisports": "basketball", "piscine": "swimming", "stade": "athletics", "salle de gymnastique": "gymnastics"}
"""Kinds that report, with the discipline that uses them most."""
OTHERS = {"terrain de football": "football", "court de tennis": "tennis", "dojo": "judo", "mur d'escalade": "climbing"}
_FOLDER = "share/sport_attendance"
_ALONE_FROM = Month(2024, 11)
_LATE = {"2024-12": 21, "2025-07": 18}
_RENAMED_FROM = Month(2025, 12)
_WINTER = (1.18, 1.16, 1.1, 0.98, 0.9, 0.82, 0.55, 0.6, 0.98, 1.05, 1.14, 1.08)
_SUMMER = (0.8, 0.85, 0.9, 0.98, 1.05, 1.2, 1.45, 1.35, 0.95, 0.9, 0.85, 0.72)
_SCHOOL = (1.1, 0.8, 1.15, 0.75, 0.95, 1.0, 0.0, 0.05, 1.05, 0.9, 1.1, 0.9)
"""Attendance of each month against the mean: halls are full in winter, pools fill with the public in summer, schools stay away then."""


@dataclass(frozen=True)
class Facility:
    """A hall, pool, stadium or court. `since` is the year in which the inventory first has it."""

    code: str
    kind: str
    discipline: str
    place: Municipality
    since: int
    size: float


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the inventory and the workbooks of attendance."""
    yield from _inventory(scenario, truth)
    drop, too_full = _faults(scenario)
    for period in periods(scenario, _ALONE_FROM, _LATE):
        path = f"{_FOLDER}/frequentation_{period.label}.xlsx"
        if period.label in _LATE:
            plant_late(truth, ATTENDANCE, path, (period.months[-1].arrival(days=5), period.arrived))
        rows = [row for month in period.months for row in _month(scenario, month, drop, too_full)]
        yield Piece(path, workbooks.xlsx(partial(_draw, period=period, rows=rows)), period.arrived)
    _plant(scenario, truth)


@cache
def facilities(scenario: Scenario) -> tuple[Facility, ...]:
    """Return all facilities; the first ninety report their attendance."""
    random, numbers = scenario.random("sport", "facilities"), scenario.numbers("sport", "sizes of facilities")
    towns = places.draw(random, places.french_speaking(places.municipalities()), COUNT)
    every = {**KINDS, **OTHERS}
    made = []
    for n, town in enumerate(towns):
        kind = random.choice(tuple(KINDS if n < REPORTING else every))
        since = 2021 if n < REPORTING or random.random() < 0.92 else random.choice((2022, 2023, 2024, 2025))
        made.append(Facility(f"INF{n + 1:04d}", kind, every[kind], town, since, float(numbers.uniform(0.4, 1.8))))
    return tuple(made)


def _inventory(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the inventory of 2021, what three years added to it, and then each year's additions; one discipline is no code."""
    known = facilities(scenario)
    wrong = scenario.random("sport", "wrong discipline").choice([one for one in known[REPORTING:] if one.discipline == "swimming"])
    key = {"facility_id": wrong.code}
    planted.unknown_code(truth, (INFRASTRUCTURE, "discipline"), key, code="swiming", meant="swimming")
    for label, years in (("2021", (2021,)), ("2022-2024", (2022, 2023, 2024)), ("2025", (2025,))):
        if not scenario.has_reached(f"{years[-1] + 1}-01") and years[-1] != 2021:
            continue
        features = [_feature(scenario, one, "swiming" if one is wrong else one.discipline) for one in known if one.since in years]
        content = document({"type": "FeatureCollection", "name": f"infrastructures_{label}", "features": features})
        arrived = datetime(2021, 11, 2, 6, tzinfo=UTC) if label == "2021" else datetime(years[-1] + 1, 1, 20, 6, tzinfo=UTC)
        yield Piece(f"s3/sport_infrastructure/infrastructures_{label}.geojson", content, arrived)


def _feature(scenario: Scenario, one: Facility, discipline: str) -> dict[str, object]:
    random = scenario.random("sport", "facility", one.code)
    place = [round(random.uniform(3.1, 6.1), 5), round(random.uniform(49.6, 50.75), 5)]
    built = random.randrange(1955, 2021) if one.since == 2021 else one.since
    said = {
        "code": one.code,
        "nom": name(one),
        "type": one.kind,
        "discipline": discipline,
        "ins": one.place.nis_code,
        "annee": built,
        "surface_m2": round(one.size * random.uniform(300, 1400), 1),
        "accessible_pmr": random.random() < 0.6,
    }
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": place}, "properties": said}


def name(one: Facility) -> str:
    """Return what a facility is called."""
    return f"{one.kind.capitalize()} {places.of(one.place)}"


Row = tuple[str, str, str, str, int, int, int, str]


def _month(scenario: Scenario, month: Month, drop: tuple[Month, frozenset[int]], too_full: tuple[Month, int]) -> list[Row]:
    """Return one month's line of each hall: code, name, municipality, day, schools, clubs, public, share of hours in use."""
    numbers = scenario.numbers("sport", "attendance", month)
    halls = facilities(scenario)[:REPORTING]
    rows: list[Row] = []
    for n, hall in enumerate(halls):
        counts = _counts(numbers, hall, month)
        share = float(np.clip(10 + sum(counts) / hall.size / 48, 5, 99) * numbers.uniform(0.85, 1.0))
        day = month.last - timedelta(days=int(numbers.integers(3)))
        if month == drop[0] and n not in drop[1]:
            continue
        shown = amount(100 + share * 5 if (month, n) == too_full else share, decimals=1)
        rows.append((hall.code, name(hall), hall.place.nis_code, f"{day:%d/%m/%Y}", *counts, shown))
    return rows


def _counts(numbers: np.random.Generator, hall: Facility, month: Month) -> tuple[int, int, int]:
    at = month.number - 1
    season = _SUMMER[at] if hall.kind in ("piscine", "stade") else _WINTER[at]
    pandemic = 0.6 if month <= Month(2022, 2) else 1.0
    means = (900 * _SCHOOL[at], 1500 * _WINTER[at], 800 * season)
    schools, clubs, public = (int(mean * hall.size * pandemic * numbers.uniform(0.8, 1.2)) for mean in means)
    return schools, clubs, public


def _draw(book: xlsxwriter.Workbook, period: Period, rows: Sequence[Row]) -> None:
    """Draw a workbook: title, empty line, header on two lines with merged cells, the lines, a total, a remark."""
    sheet, bold = book.add_worksheet("Fréquentation"), book.add_format({"bold": True, "align": "center"})
    sheet.write(0, 0, "Direction du Sport — fréquentation des infrastructures", bold)
    first, last = period.months[0], period.months[-1]
    sheet.write(1, 0, f"Mois : {_said(last)}" if first == last else f"Mois : de {_said(first)} à {_said(last)}")
    for start, end, title in ((0, 2, "Infrastructure"), (4, 6, "Fréquentation")):
        sheet.merge_range(3, start, 3, end, title, bold)
    for column, title in ((3, "Relevé"), (7, "Occupation")):
        sheet.write(3, column, title, bold)
    public = "Grand public" if last >= _RENAMED_FROM else "Public"
    sheet.write_row(4, 0, ("Code", "Nom", "INS", "Date", "Scolaires", "Clubs", public, "%"))
    for line, row in enumerate(rows, 5):
        sheet.write_row(line, 0, row)
    totals = [sum(int(row[at]) for row in rows) for at in (4, 5, 6)]
    sheet.write_row(len(rows) + 5, 0, ("TOTAL", "", "", "", *totals, ""), bold)
    sheet.write(len(rows) + 7, 0, "Chiffres communiqués par les exploitants.")


def _said(month: Month) -> str:
    return f"{MONTHS[month.number - 1]} {month.year}"


def _faults(scenario: Scenario) -> tuple[tuple[Month, frozenset[int]], tuple[Month, int]]:
    random = scenario.random("sport", "faults of attendance")
    return (Month(2025, 2), frozenset(random.sample(range(REPORTING), 28))), (Month(2023, 2), random.randrange(REPORTING))


def _plant(scenario: Scenario, truth: Truth) -> None:
    (drop, left), (month, index) = _faults(scenario)
    path = f"{_FOLDER}/frequentation_{drop}.xlsx"
    detail = f"{len(left)} of {REPORTING} facilities reported"
    truth.add("quality", dataset=ATTENDANCE, fault="volume_drop", key=path, month=str(drop), detail=detail)
    row = next(row for row in _month(scenario, month, (drop, left), (month, index)) if row[0] == f"INF{index + 1:04d}")
    day = date(int(row[3][6:]), int(row[3][3:5]), int(row[3][:2]))
    truth.add(
        "quality",
        dataset=ATTENDANCE,
        fault="out_of_range",
        column="occupation_percent",
        key={"facility_id": row[0], "read_on": day.isoformat()},
        month=str(month),
        detail=f"{row[7]} % of the opening hours",
    )
    if scenario.month >= _RENAMED_FROM:
        said = {"column": "Fréquentation / Public", "becomes": "Fréquentation / Grand public"}
        truth.add("drift", dataset=ATTENDANCE, month=str(_RENAMED_FROM), change="column_renamed", **said)

"""School transport: what each circuit carried in a month, as CSV in a zip; whole years first, single months since January 2025."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from polyceph.testing.federation.domains.education_schools import COUNT as SCHOOLS
from polyceph.testing.federation.pieces import Piece, amount, delimited
from polyceph.testing.federation.scenario import PRESENT, Month, Scenario
from polyceph.testing.federation.truth import Truth

DATASET = "education.raw.transport"
FOLDER = "ftp/education_transport"
CIRCUITS = 50
MONTHLY_FROM = Month(2025, 1)
HEADER = ("Circuit", "École", "Exploitant", "Mois", "Élèves", "Trajets", "Kilomètres", "Coût (€)")
OPERATORS = ("TEC", "Autocars Delvaux", "Cars Étienne", "Transports Lambert", "Voyages Piron")
DRIFT = Month(2026, 4)
"""From then on kilometres are written with their unit."""
LATE = (13, 17)
"""Days after the end of the month on which two files came, instead of the third."""
KEPT = 18
"""Circuits in the month whose file is not whole."""
UNKNOWN_SCHOOL = 905
TOO_FAR = 48_000.0
DAYS = (20, 15, 18, 19, 14, 21, 4, 5, 22, 14, 18, 15)
"""Days of school by month of the year."""
Row = tuple[object, ...]


@dataclass(frozen=True)
class Circuit:
    """A bus and its school: the pupils of a day, the kilometres of a trip, and what one of them costs."""

    code: str
    school: int
    operator: str
    pupils: int
    kilometres: float
    price: float


@dataclass(frozen=True)
class Planted:
    """Which months are late or not whole, and which lines of the older files have a wrong school and too many kilometres."""

    late: dict[Month, int]
    dropped: Month
    orphan: tuple[Month, str]
    too_far: tuple[Month, str]


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the files as of the month that is reached."""
    circuits = _circuits(scenario)
    planted = _planted(scenario, circuits)
    older: dict[int, list[Row]] = {}
    for month in scenario.months():
        rows = _rows(scenario, month, circuits, planted)
        if month < MONTHLY_FROM:
            older.setdefault(month.year, []).extend(rows)
        else:
            yield _piece(str(month), rows, month.arrival(days=planted.late.get(month, 3)))
    for year, rows in older.items():
        yield _piece(str(year), rows, Month(year, 12).arrival(days=10))
    _write_down(scenario, truth, planted)


def _circuits(scenario: Scenario) -> tuple[Circuit, ...]:
    random = scenario.random("education", "circuits")
    schools = random.sample(range(1, SCHOOLS + 1), CIRCUITS)
    return tuple(
        Circuit(
            f"TS{number:03d}", school, random.choice(OPERATORS), random.randrange(14, 48), random.uniform(8, 40), random.uniform(2.2, 3.4)
        )
        for number, school in enumerate(schools, 1)
    )


def _planted(scenario: Scenario, circuits: Sequence[Circuit]) -> Planted:
    random = scenario.random("education", "faults of transport")
    months = [month for month in scenario.months() if month <= PRESENT]
    first, second, dropped = random.sample([month for month in months if month >= MONTHLY_FROM], 3)
    wrong, far = random.sample([month for month in months if month < MONTHLY_FROM], 2)
    late = dict(zip(sorted((first, second)), LATE, strict=True))
    return Planted(late, dropped, (wrong, random.choice(circuits).code), (far, random.choice(circuits).code))


def _rows(scenario: Scenario, month: Month, circuits: Sequence[Circuit], planted: Planted) -> list[Row]:
    random = scenario.random("education", "transport", month)
    rows = [_row(random, month, circuit, planted) for circuit in circuits]
    return rows if month != planted.dropped else sorted(random.sample(rows, KEPT))


def _row(random: Random, month: Month, circuit: Circuit, planted: Planted) -> Row:
    trips = 2 * DAYS[month.number - 1]
    pupils = circuit.pupils + random.randrange(-3, 4)
    kilometres = round(trips * circuit.kilometres * random.uniform(0.97, 1.03), 1)
    cost = kilometres * circuit.price * 1.02 ** (month.year - 2021)
    school = UNKNOWN_SCHOOL if (month, circuit.code) == planted.orphan else circuit.school
    driven = TOO_FAR if (month, circuit.code) == planted.too_far else kilometres
    said = amount(driven, decimals=1, thousands=" ") + (" km" if month >= DRIFT else "")
    return circuit.code, school, circuit.operator, f"{month.number:02d}/{month.year}", pupils, trips, said, amount(cost, thousands=" ")


def _piece(name: str, rows: Sequence[Row], arrived: datetime) -> Piece:
    content = delimited(HEADER, rows, delimiter=";", encoding="cp1252")
    return Piece(f"{FOLDER}/transport_{name}.zip", zipped(f"transport_{name}.csv", content), arrived)


def zipped(name: str, content: bytes) -> bytes:
    """Return a zip of one file whose bytes do not depend on the hour."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def _write_down(scenario: Scenario, truth: Truth, planted: Planted) -> None:
    for month, days in planted.late.items():
        file = f"{FOLDER}/transport_{month}.zip"
        truth.add(
            "quality", dataset=DATASET, fault="late_file", key=file, month=str(month), detail=f"came on day {days} after its month, not 3"
        )
    file, kept = f"{FOLDER}/transport_{planted.dropped}.zip", f"{KEPT} of {CIRCUITS} circuits"
    truth.add("quality", dataset=DATASET, fault="volume_drop", key=file, month=str(planted.dropped), detail=kept)
    for (month, circuit), fault, column, detail in (
        (planted.orphan, "orphan", "school_id", f"school {UNKNOWN_SCHOOL} is not in the register"),
        (planted.too_far, "out_of_range", "kilometres", f"{TOO_FAR} km in a month"),
    ):
        key = {"circuit": circuit, "month": f"{month.number:02d}/{month.year}"}
        truth.add("quality", dataset=DATASET, fault=fault, column=column, key=key, month=str(month), detail=detail)
    if scenario.month >= DRIFT:
        truth.add(
            "drift",
            dataset=DATASET,
            month=str(DRIFT),
            change="type_changed",
            column="Kilomètres",
            becomes="text with the unit: `1 234,5 km`",
        )

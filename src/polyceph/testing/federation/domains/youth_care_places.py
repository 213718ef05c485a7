"""The services where children in care live, and the workbooks in which they report their places: hidden columns, comments, a total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import xlsxwriter

from polyceph.testing.federation import places
from polyceph.testing.federation.domains.youth_care_children import telephones
from polyceph.testing.federation.domains.youth_care_districts import Districts
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, amount
from polyceph.testing.federation.scenario import FIRST, Month, Scenario
from polyceph.testing.federation.truth import Truth
from polyceph.testing.federation.workbooks import xlsx

FOLDER = "share/youth_care_placements"
DATASET = "youth_care.raw.placements"
SHEET = "Places"
SERVICES: Mapping[str, tuple[str, str, int]] = {
    "residential_service": ("SRG", "Service résidentiel général", 18),
    "emergency_service": ("SRU", "Service résidentiel d'urgence", 8),
    "own_room": ("SMA", "Service de mise en autonomie", 6),
    "public_institution": ("IPPJ", "Institution publique", 4),
}
"""Kind of place (list `care_place`) → the letters of its services' codes, what they are called, how many there are."""
RENAMED_FROM = "2026-09"
OCCUPANCY = (0, 130)
_BY_YEAR_UNTIL = Month(2024, 12)
_COMMA_LOST = Month(2024, 5)
_WIDTHS = (11, 46, 20, 8, 24, 15, 12, 8, 10, 9, 40)
_HIDDEN = (4, 5, 10)
"""Columns of the contact, her telephone and remarks: whoever sends the workbook on does not see that they are there."""
_REMARKS = (
    "Lit de crise occupé, voir avec {name}",
    "Travaux jusqu'en juin",
    "Appeler {name} ({telephone}) avant toute admission",
    "Complet",
)


@dataclass(frozen=True)
class Service:
    """A service with its places, and who answers there."""

    code: str
    name: str
    kind: str
    nis_code: str
    places: int
    contact: str
    telephone: str


@dataclass(frozen=True)
class _Line:
    """What a service reports of a month. `share` is the occupancy as the workbook writes it."""

    service: Service
    month: Month
    occupied: int
    share: str
    remark: str | None


def services(scenario: Scenario, districts: Districts) -> tuple[Service, ...]:
    """Return the services."""
    random, numbers = scenario.random("youth_care", "services"), scenario.numbers("youth_care", "services")
    count = sum(number for _, _, number in SERVICES.values())
    towns, phones = districts.draw(random, count), telephones(numbers, count)
    made: list[Service] = []
    for kind, (letters, name, number) in SERVICES.items():
        for place in range(1, number + 1):
            town, contact = towns[len(made)], f"{random.choice([*GIRLS, *BOYS])} {random.choice(LAST_NAMES)}"
            label = f"{name} {places.of(town)}"
            made.append(Service(f"{letters}-{place:02d}", label, kind, town.nis_code, random.randrange(10, 41), contact, phones[len(made)]))
    return tuple(made)


def placements(scenario: Scenario, truth: Truth, all_: Sequence[Service]) -> Iterator[Piece]:
    """Yield the workbooks: one a year up to 2024, then one a quarter. One share lacks its comma; a column is renamed in 2026."""
    for label, months in _periods(scenario):
        path = f"{FOLDER}/places_{label}.xlsx"
        lines = [_line(scenario, truth, service, month) for month in months for service in all_]
        is_renamed = str(months[-1]) >= RENAMED_FROM
        title = "Présents" if is_renamed else "Occupées"
        yield Piece(path, xlsx(partial(_draw, said=(label, title), lines=lines)), months[-1].arrival())
    if scenario.has_reached(RENAMED_FROM):
        truth.add("drift", dataset=DATASET, month=RENAMED_FROM, change="column_renamed", column="Occupées", becomes="Présents")


def _periods(scenario: Scenario) -> Iterator[tuple[str, tuple[Month, ...]]]:
    first, last = FIRST, Month(2022, 12)
    while last <= scenario.month:
        label = _label(first, last)
        yield label, tuple(first.plus(n) for n in range(last.since(first) + 1))
        first, last = last.plus(1), last.plus(12 if last < _BY_YEAR_UNTIL else 3)


def _label(first: Month, last: Month) -> str:
    if last > _BY_YEAR_UNTIL:
        return f"{last.year}-T{last.number // 3}"
    return str(last.year) if first.year == last.year else f"{first.year}-{last.year}"


def _line(scenario: Scenario, truth: Truth, service: Service, month: Month) -> _Line:
    random = scenario.random("youth_care", "placements", service.code, month)
    occupied = min(round(service.places * random.uniform(0.72, 1.08)), int(service.places * 1.1))
    share = amount(100 * occupied / service.places, decimals=1)
    if (service.code, month) == ("SRG-07", _COMMA_LOST):
        written = share.replace(",", "")
        key = {"service_code": service.code, "month": month.first.isoformat()}
        detail = f"the comma of {share} is lost"
        fact = {"dataset": DATASET, "fault": "out_of_range", "column": "occupancy_percent", "key": key, "month": str(month)}
        truth.add("quality", **fact, detail=detail)
        share = written
    remark = random.choice(_REMARKS).format(name=service.contact, telephone=service.telephone) if random.random() < 0.1 else None
    return _Line(service, month, occupied, share, remark)


def _draw(book: xlsxwriter.Workbook, *, said: tuple[str, str], lines: Sequence[_Line]) -> None:
    label, occupied = said
    sheet, bold = book.add_worksheet(SHEET), book.add_format({"bold": True})
    month = book.add_format({"num_format": "mmmm yyyy"})
    sheet.merge_range(0, 0, 0, 9, f"Places dans les services de l'Aide à la jeunesse — {label}", bold)
    header = ("N° service", "Service", "Type", "INS", "Contact", "Téléphone", "Mois", "Places", occupied, "Taux (%)", "Remarques")
    sheet.write_row(2, 0, header, bold)
    for at, width in enumerate(_WIDTHS):
        sheet.set_column(at, at, width, None, {"hidden": at in _HIDDEN})
    sheet.write_comment(2, 8, "Enfants présents le dernier jour du mois.", {"author": "AGAJ"})
    for row, line in enumerate(lines, 3):
        _write(sheet, row, line, month)
    end = 3 + len(lines)
    sheet.write(end, 0, "Total", bold)
    sheet.write(end, 7, sum(line.service.places for line in lines), bold)
    sheet.write(end, 8, sum(line.occupied for line in lines), bold)


def _write(sheet: Any, row: int, line: _Line, month: Any) -> None:
    one = line.service
    sheet.write_row(row, 0, (one.code, one.name, one.kind, one.nis_code, one.contact, one.telephone))
    sheet.write_datetime(row, 6, datetime.combine(line.month.first, datetime.min.time()), month)
    sheet.write_row(row, 7, (one.places, line.occupied, line.share))
    if line.remark is not None:
        sheet.write(row, 10, line.remark)
    if line.occupied > one.places:
        sheet.write_comment(row, 8, f"Accueil en surnombre, accord de {one.contact}", {"author": one.contact})

"""What sport pays: works on its infrastructure and subsidies to clubs, in one workbook a year that has a macro."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import xlsxwriter

from polyceph.testing.federation import workbooks
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.periods import plant_late, yearly
from polyceph.testing.federation.domains.sport_clubs import club_list
from polyceph.testing.federation.domains.sport_facilities import facilities
from polyceph.testing.federation.pieces import Piece, amount
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

WORKS, SUBSIDIES = "sport.raw.works", "sport.raw.subsidies"
_FIRST_YEAR, _WORKS_A_YEAR = 2023, 110
_USUAL = (2, 15)
_LATE = {2024: (3, 7)}
_NO_FACILITY, _NO_CLUB = "INF9999", "CLB99999"
_OBJECTS = ("Rénovation de la toiture", "Éclairage LED", "Vestiaires", "Revêtement de sol", "Chaudière", "Accès pour tous")
_STATES = ("en cours", "réceptionné", "clôturé")
_WORKS_HEADER = ("Commune", "Dossier", "Code", "Objet", "Bénéficiaire", "N° BCE", "Référence", "Octroi", "Montant (€)", "État")
_SUBSIDIES_HEADER = ("Commune", "N° club", "Club", "Date de paiement", "Montant (€)")
Row = tuple[str, ...]


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the workbooks of the years that have been published, and write down what is wrong in them."""
    planted.personal(truth, WORKS, {"reference": "iban"}, unmarked=["reference"])
    _plant(scenario, truth)
    for year, arrived in yearly(scenario, _FIRST_YEAR, _USUAL, _LATE):
        path = f"share/sport_works/travaux_et_subsides_{year}.xlsm"
        if year in _LATE:
            plant_late(truth, WORKS, path, (datetime(year + 1, *_USUAL, 6, tzinfo=UTC), arrived))
        yield Piece(path, workbooks.xlsm(partial(_draw, scenario=scenario, year=year)), arrived)


def _draw(book: xlsxwriter.Workbook, scenario: Scenario, year: int) -> None:
    """Draw both sheets: the municipality is one merged cell beside its lines, amounts are text, a total ends each."""
    for title, header, rows, at in (
        ("Travaux", _WORKS_HEADER, _works(scenario, year), _WORKS_HEADER.index("Montant (€)")),
        ("Subsides", _SUBSIDIES_HEADER, _subsidies(scenario, year), _SUBSIDIES_HEADER.index("Montant (€)")),
    ):
        sheet, bold = book.add_worksheet(title), book.add_format({"bold": True})
        sheet.write(0, 0, f"{title} — infrastructures sportives, exercice {year}", bold)
        sheet.write_row(2, 0, header, bold)
        _lines(sheet, rows)
        total = sum(int(row[at].replace(".", "").replace(",", "")) for row in rows)
        sheet.write(3 + len(rows), 0, "Total général", bold)
        sheet.write(3 + len(rows), at, _euros(total), bold)


def _lines(sheet: xlsxwriter.worksheet.Worksheet, rows: Sequence[Row]) -> None:
    """Write lines from row 4 on, those of one municipality under one merged cell."""
    start = 3
    for line, row in enumerate(rows, 3):
        sheet.write_row(line, 1, row[1:])
        is_last = line - 2 == len(rows) or rows[line - 2][0] != row[0]
        if not is_last:
            continue
        if start == line:
            sheet.write(line, 0, row[0])
        else:
            sheet.merge_range(start, 0, line, 0, row[0])
        start = line + 1


def _works(scenario: Scenario, year: int) -> list[Row]:
    """Return the works of a year by municipality; 2024 pays one dossier of 2023 again, and one for a facility that is not there."""
    random = scenario.random("sport", "works", year)
    known = [one for one in facilities(scenario) if one.since < _FIRST_YEAR]
    clubs = [club for club in club_list(scenario) if club.since == _FIRST_YEAR]
    rows: list[Row] = []
    for n, one in enumerate(random.sample(known, _WORKS_A_YEAR), 1):
        club, granted = random.choice(clubs), date(year, 2, 1) + timedelta(days=random.randrange(320))
        what = (one.place.name_fr, f"TR{year}-{n:03d}", one.code, random.choice(_OBJECTS), club.name, club.enterprise, club.account)
        rows.append((*what, f"{granted:%d/%m/%Y}", _euros(random.randrange(300_000, 42_000_000)), random.choice(_STATES)))
    if year == _FIRST_YEAR + 1:
        again = _works(scenario, _FIRST_YEAR)[_repeated(scenario)]
        rows.append((*again[:7], f"{date(year, 3, 14):%d/%m/%Y}", *again[8:]))
        rows[4] = (*rows[4][:2], _NO_FACILITY, *rows[4][3:])
    return sorted(rows, key=lambda row: row[:2])


def _repeated(scenario: Scenario) -> int:
    return scenario.random("sport", "works paid twice").randrange(_WORKS_A_YEAR)


def _subsidies(scenario: Scenario, year: int) -> list[Row]:
    """Return the subsidies of a year by municipality; 2023 pays a club that no register has."""
    random = scenario.random("sport", "subsidies", year)
    chosen = [club for club in club_list(scenario) if club.since <= year and random.random() < 0.5]
    rows: list[Row] = []
    for club in chosen:
        paid = date(year, random.randrange(1, 13), random.randrange(1, 29))
        rows.append((club.place.name_fr, club.number, club.name, f"{paid:%d/%m/%Y}", _euros(random.randrange(25_000, 2_500_000))))
    if year == _FIRST_YEAR:
        rows[7] = (rows[7][0], _NO_CLUB, *rows[7][2:])
    return sorted(rows, key=lambda row: row[:2])


def _plant(scenario: Scenario, truth: Truth) -> None:
    first, second = _FIRST_YEAR, _FIRST_YEAR + 1
    dossier = _works(scenario, first)[_repeated(scenario)][1]
    orphan = next(row for row in _works(scenario, second) if row[2] == _NO_FACILITY)
    unpaid = next(row for row in _subsidies(scenario, first) if row[1] == _NO_CLUB)
    paid_on = datetime.strptime(unpaid[3], "%d/%m/%Y").replace(tzinfo=UTC).date()
    for dataset, fault, column, key, day, detail in (
        (WORKS, "duplicate", "dossier", {"dossier": dossier}, date(second, 3, 14), f"paid in {first} and again in {second}"),
        (WORKS, "orphan", "facility_id", {"dossier": orphan[1]}, date(second, 1, 1), f"no facility is called {_NO_FACILITY}"),
        (SUBSIDIES, "orphan", "club_id", {"club_id": _NO_CLUB, "paid_on": paid_on.isoformat()}, paid_on, "no club has this number"),
    ):
        truth.add("quality", dataset=dataset, fault=fault, column=column, key=key, month=f"{day:%Y-%m}", detail=detail)


def _euros(cents: int) -> str:
    return amount(cents / 100, thousands=".")

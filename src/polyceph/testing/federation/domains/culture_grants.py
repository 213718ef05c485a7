"""What culture pays to its operators: one workbook a year, in which several tables stand on one sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial

import xlsxwriter

from polyceph.testing.federation import codes, places, workbooks
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import account
from polyceph.testing.federation.domains.periods import plant_late, yearly
from polyceph.testing.federation.identifiers import enterprise_number
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, amount
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

OPERATING, PROJECTS = "culture.raw.operating_grants", "culture.raw.project_grants"
KINDS = codes.values("event_kind")
_OPERATORS, _SUPPORTED, _PROJECTS = 80, 62, 74
_FIRST_YEAR, _USUAL = 2022, (2, 20)
_LATE = {2023: (3, 14)}
_WITHOUT_CONTACT = 2025
"""From the workbook of this year on, which comes in 2026-02, nobody is named any more."""
_SERIALS = 9_100_000
"""Enterprise numbers that have not been given out."""
_FIRST_ROW = 4
_SECOND_TABLE, _THIRD_TABLE = 7, 15
_WORDS = ("Théâtre", "Centre culturel", "Compagnie", "Ateliers", "Orchestre", "Maison de la poésie", "Ciné-club", "Chœur")
_PROJECT_WORDS = ("Résidence", "Tournée", "Création", "Nuits", "Rencontres", "Parcours")


@dataclass(frozen=True)
class Operator:
    """An association that is paid: `account` is the IBAN that the workbook calls a reference."""

    number: str
    name: str
    contact: str
    account: str
    kind: str
    place: Municipality


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the workbooks of the years that have been published."""
    planted.personal(truth, OPERATING, {"contact": "name", "reference": "iban"}, unmarked=["reference"])
    for year, arrived in yearly(scenario, _FIRST_YEAR, _USUAL, _LATE):
        path = f"share/culture_subsidies/subventions_{year}.xlsx"
        if year in _LATE:
            plant_late(truth, OPERATING, path, (datetime(year + 1, *_USUAL, 6, tzinfo=UTC), arrived))
        yield Piece(path, workbooks.xlsx(partial(_draw, scenario=scenario, year=year)), arrived)
    if scenario.has_reached(f"{_WITHOUT_CONTACT + 1}-02"):
        truth.add("drift", dataset=OPERATING, month=f"{_WITHOUT_CONTACT + 1}-02", change="column_missing", column="Contact")


@cache
def operators(scenario: Scenario) -> tuple[Operator, ...]:
    """Return the associations that culture knows."""
    random = scenario.random("culture", "operators")
    towns = places.draw(random, places.french_speaking(places.municipalities()), _OPERATORS)
    made = []
    for n, town in enumerate(towns):
        kind = random.choice(KINDS)
        contact = f"{random.choice(GIRLS + BOYS)} {random.choice(LAST_NAMES)}"
        name = f"{random.choice(_WORDS)} {places.of(town)}"
        number, iban = enterprise_number(_SERIALS + 37 * n), account(1_000_000 + 911 * n)
        made.append(Operator(number, name, contact, iban, kind, town))
    return tuple(made)


def _draw(book: xlsxwriter.Workbook, scenario: Scenario, year: int) -> None:
    """Draw operating grants and project grants beside each other, each with its total, and a summary that repeats them."""
    sheet, bold = book.add_worksheet("Subventions"), book.add_format({"bold": True})
    sheet.write(0, 0, f"Administration générale de la Culture — subventions {year}", bold)
    operating, projects = _operating(scenario, year), _projects(scenario, year)
    header = ["N° BCE", "Opérateur", "INS", "Contact", "Référence", "Montant (€)"]
    if year >= _WITHOUT_CONTACT:
        at = header.index("Contact")
        header, operating = [*header[:at], *header[at + 1 :]], [(*row[:at], *row[at + 1 :]) for row in operating]
    tables: tuple[tuple[int, str, Sequence[str], Sequence[Sequence[str]]], ...] = (
        (0, "A. Fonctionnement", header, operating),
        (_SECOND_TABLE, "B. Projets", ("Dossier", "N° BCE", "INS", "Projet", "Genre", "Décision", "Montant (€)"), projects),
        (_THIRD_TABLE, "C. Récapitulatif", ("Tableau", "Lignes", "Montant (€)"), _summary(operating, projects)),
    )
    for column, title, names, rows in tables:
        sheet.write(_FIRST_ROW - 2, column, title, bold)
        sheet.write_row(_FIRST_ROW, column, names, bold)
        for line, row in enumerate(rows, _FIRST_ROW + 1):
            sheet.write_row(line, column, row)
        sheet.write(_FIRST_ROW + 1 + len(rows), column, "Total", bold)
        sheet.write(_FIRST_ROW + 1 + len(rows), column + len(names) - 1, _total(rows), bold)


def _operating(scenario: Scenario, year: int) -> Sequence[tuple[str, ...]]:
    random = scenario.random("culture", "operating grants", year)
    chosen = sorted(random.sample(operators(scenario), _SUPPORTED), key=lambda one: one.number)
    return [
        (one.number, one.name, one.place.nis_code, one.contact, one.account, _euros(random.randrange(800_000, 24_000_000)))
        for one in chosen
    ]


def _projects(scenario: Scenario, year: int) -> list[tuple[str, ...]]:
    random = scenario.random("culture", "project grants", year)
    rows: list[tuple[str, ...]] = []
    for n, one in enumerate(random.choices(operators(scenario), k=_PROJECTS), 1):
        decided = date(year, 1, 15) + timedelta(days=random.randrange(330))
        kind = one.kind if random.random() < 0.8 else random.choice(KINDS)
        title = f"{random.choice(_PROJECT_WORDS)} {year} — {one.place.name_fr}"
        whom = (f"P{year}-{n:03d}", one.number, one.place.nis_code)
        rows.append((*whom, title, kind, f"{decided:%d/%m/%Y}", _euros(random.randrange(100_000, 3_500_000))))
    return rows


def _summary(operating: Sequence[Sequence[str]], projects: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    return [("Fonctionnement", str(len(operating)), _total(operating)), ("Projets", str(len(projects)), _total(projects))]


def _euros(cents: int) -> str:
    return amount(cents / 100, thousands=".")


def _total(rows: Sequence[Sequence[str]]) -> str:
    return _euros(sum(int(row[-1].replace(".", "").replace(",", "")) for row in rows))

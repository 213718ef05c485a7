"""The returns of education: workbooks that organising bodies of schools fill in each year, two accepted and twenty with wrong cells.

What can be wrong with a cell is in `education_return_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains.education_return_faults import ERRORS, FAULTS, Broken, Cell, Fault, Line, text
from polyceph.testing.federation.pieces import Piece, amount
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth
from polyceph.testing.federation.workbooks import xlsx

FOLDER = "share/education_returns"
SHEET = "Retour"
ACCEPTED = 2
FAULTS_BY_WORKBOOK = (2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 25)
"""How many wrong cells each workbook of the inbox has: some people are careful."""
HEADER_ROW = 3
FIRST_ROW = 5
"""Counted from 0: the header stands in Excel's rows 4 and 5, the first line in row 6."""
HIDDEN = "key"
_SENT = datetime(2025, 10, 6, 8, 0, tzinfo=UTC)
_LEVEL = {"M": "nursery", "P": "primary", "S": "secondary"}
_SUMMED = ("girls", "boys", "pupils")


@dataclass(frozen=True)
class Column:
    """A column of the template: its name in the contract (and for the hidden one, its own), and the two lines of its header."""

    name: str
    group: str
    title: str
    width: int


COLUMNS = (
    Column("class_code", "Classe", "Code", 14),
    Column("site_code", "Classe", "Implantation", 12),
    Column("level", "Classe", "Niveau", 11),
    Column("grade", "Classe", "Année", 8),
    Column(HIDDEN, "Classe", "Clé", 20),
    Column("nis_code", "Lieu", "INS", 9),
    Column("network", "Lieu", "Réseau", 12),
    Column("counted_on", "Comptage", "Date", 12),
    Column("girls", "Comptage", "Filles", 8),
    Column("boys", "Comptage", "Garçons", 8),
    Column("pupils", "Comptage", "Total", 8),
    Column("periods", "Encadrement", "Périodes", 10),
    Column("attendance_percent", "Encadrement", "Présence (%)", 12),
    Column("fees_eur", "Frais", "Montant (€)", 12),
    Column("paid_on", "Frais", "Payé le", 12),
)
_POSITION = {column.name: at for at, column in enumerate(COLUMNS)}
_LEGEND_COLUMN = len(COLUMNS) + 1


@dataclass
class _Return:
    """A workbook to be written: its right lines, and what is wrong with them."""

    number: int
    lines: list[Line]
    written: dict[tuple[int, str], Cell] = field(default_factory=dict)
    """(line, column) → what stands there instead of the right value."""
    faults: dict[tuple[int, str], str] = field(default_factory=dict)
    repeated: set[int] = field(default_factory=set)
    merged: set[tuple[int, str]] = field(default_factory=set)
    """(line, column): the cell is merged with that of the next line."""
    totals: dict[str, int] = field(default_factory=dict)
    """Column → the total that was typed instead of summed, as a difference from the sum."""

    @property
    def taken(self) -> set[int]:
        """The lines that have a fault, or must not get another."""
        return {line for line, _ in self.faults} | self.repeated | {line for line, _ in self.merged}


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the workbooks and write down each wrong cell; they are the same in every month."""
    random = scenario.random("education", "returns")
    towns = places.french_speaking(places.municipalities())
    count = ACCEPTED + len(FAULTS_BY_WORKBOOK)
    sites = iter(random.sample(range(1, 1000), 6 * count))
    returns = [_Return(number, _lines(random, sites, towns)) for number in range(1, count + 1)]
    for one in returns[:ACCEPTED]:
        yield _piece(one, f"{FOLDER}/accepted", truth)
    pool = [fault for fault in FAULTS for _ in range(fault.count)]
    random.shuffle(pool)
    for one, share in zip(returns[ACCEPTED:], random.sample(FAULTS_BY_WORKBOOK, len(FAULTS_BY_WORKBOOK)), strict=True):
        for fault in sorted(pool[:share], key=lambda fault: fault.write is not None):
            _plant(random, one, fault)
        pool = pool[share:]
        yield _piece(one, f"{FOLDER}/inbox", truth)


def _lines(random: Random, sites: Iterator[int], towns: Sequence[Municipality]) -> list[Line]:
    """Return the classes of an organising body with its three to six schools, forty to sixty lines in all."""
    network = random.choice(codes.values("school_network"))
    schools = [(f"{next(sites):04d}", town) for town in places.draw(random, tuple(towns), random.randrange(3, 7))]
    wanted = random.randrange(40, 61)
    grades = [grade for grade in codes.values("grade") if grade != "S7"]
    rows = sorted({(*random.choice(schools), random.choice(grades), random.choice("ABCD")) for _ in range(3 * wanted)})[:wanted]
    return [_line(random, network, place, f"{grade}{letter}") for *place, grade, letter in rows]


def _line(random: Random, network: str, place: Sequence[Any], name: str) -> Line:
    site, town = place
    girls, boys = random.randrange(4, 15), random.randrange(4, 15)
    counted = date(2025, 9, 15) + timedelta(days=random.randrange(12))
    half = random.choice(("", ",5"))
    fees = random.randrange(150, 4800) + random.choice((0, 0.5))
    return {
        "class_code": f"{site}-{name}",
        "site_code": site,
        "level": _LEVEL[name[0]],
        "grade": name[:2],
        HIDDEN: f"{site}|{name}|2025",
        "nis_code": town.nis_code,
        "network": network,
        "counted_on": f"{counted:%d/%m/%Y}",
        "girls": girls,
        "boys": boys,
        "pupils": girls + boys,
        "periods": f"{random.randrange(22, 31)}{half}",
        "attendance_percent": amount(random.uniform(82, 99.4), decimals=1),
        "fees_eur": amount(fees, thousands=" "),
        "paid_on": f"{date(2025, 9, 1) + timedelta(days=random.randrange(28)):%d/%m/%Y}",
    }


def _plant(random: Random, one: _Return, fault: Fault) -> None:
    """Put a fault into a line that has none; faults of whole lines come first, so that they find room."""
    if fault.name == "wrong_grand_total":
        one.totals[random.choice([name for name in fault.columns if name not in one.totals])] = random.choice((-10, -1, 1, 9, 10, 100))
        return
    taken = one.taken | {line + 1 for line, _ in one.merged}
    free = [(line, column) for line in range(len(one.lines)) for column in fault.columns if line not in taken]
    if fault.name == "merged_over":
        free = [(line, column) for line, column in free if line + 1 < len(one.lines) and line + 1 not in taken]
    line, column = random.choice([place for place in free if fault.fits(place[1], one.lines[place[0]])])
    if fault.write is not None:
        one.written[line, column] = fault.write(random, column, one.lines[line])
        one.faults[line, column] = fault.name
    elif fault.name == "merged_over":
        one.merged.add((line, column))
        one.written[line + 1, column] = None
        one.faults[line + 1, column] = fault.name
    else:
        one.repeated.add(line)


def _piece(one: _Return, folder: str, truth: Truth) -> Piece:
    path = f"{folder}/retour_2025-2026_po{one.number:02d}.xlsx"
    rows = _rows(one)
    totals = {name: _sum(one, rows, name) for name in _SUMMED}
    for at, (line, is_copy) in enumerate(rows):
        for column in COLUMNS:
            place = (line, column.name)
            if is_copy and column.name == "class_code":
                _note(truth, path, (at, column.name), ("repeated_line", one.lines[line]["class_code"], None))
            elif place in one.faults:
                _note(truth, path, (at, column.name), (one.faults[place], one.written[place], text(one.lines[line][column.name])))
    for name, difference in one.totals.items():
        _note(truth, path, (len(rows), name), ("wrong_grand_total", totals[name] + difference, str(totals[name])))
    content = xlsx(lambda book: _draw(book, one, rows, totals))
    return Piece(path, content, _SENT + timedelta(days=one.number // 3, hours=one.number % 7))


def _rows(one: _Return) -> list[tuple[int, bool]]:
    """Return the lines as they stand in the sheet: the number of each, and whether it is a copy of the one above."""
    return [(line, is_copy) for line in range(len(one.lines)) for is_copy in ((False, True) if line in one.repeated else (False,))]


def _value(one: _Return, line: int, name: str) -> Cell:
    return one.written[line, name] if (line, name) in one.written else one.lines[line][name]


def _sum(one: _Return, rows: Sequence[tuple[int, bool]], name: str) -> int:
    """Return what Excel's SUM gives: texts and days count for nothing."""
    values = [_value(one, line, name) for line, _ in rows]
    return int(sum(value for value in values if isinstance(value, int | float)))


def _note(truth: Truth, path: str, place: tuple[int, str], said: tuple[str, Cell, str | None]) -> None:
    row, column = place
    fault, written, right = said
    cell = xl_rowcol_to_cell(FIRST_ROW + row, _POSITION[column])
    known = {} if right is None else {"right": right}
    truth.add("workbook_cell", file=path, sheet=SHEET, cell=cell, fault=fault, column=column, written=text(written), **known)


def _draw(book: xlsxwriter.Workbook, one: _Return, rows: Sequence[tuple[int, bool]], totals: dict[str, int]) -> None:
    sheet, bold = book.add_worksheet(SHEET), book.add_format({"bold": True, "align": "center"})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    _head(sheet, bold, one)
    for at, (line, _) in enumerate(rows):
        for column in COLUMNS:
            _cell(sheet, (FIRST_ROW + at, _POSITION[column.name]), _value(one, line, column.name), day)
    first = {line: at for at, (line, _) in reversed(list(enumerate(rows)))}
    for line, name in one.merged:
        upper, at = FIRST_ROW + first[line], _POSITION[name]
        sheet.merge_range(upper, at, upper + 1, at, _value(one, line, name))
    _totals(sheet, bold, one, len(rows), totals)
    _legend(sheet, bold)
    guide = book.add_worksheet("Mode d'emploi")
    guide.write_column(0, 0, ("Une ligne par classe.", "Dates : jj/mm/aaaa.", "Nombres : virgule décimale, espace pour les milliers."))


def _head(sheet: Any, bold: Any, one: _Return) -> None:
    """Write the title and the header: groups of columns merged above, names below; one column is hidden."""
    sheet.merge_range(0, 0, 0, len(COLUMNS) - 1, "Administration générale de l'Enseignement — retour annuel des classes", bold)
    sheet.write(1, 0, f"Pouvoir organisateur n° {one.number:02d} — année scolaire 2025-2026")
    groups = list(dict.fromkeys(column.group for column in COLUMNS))
    for group in groups:
        places_of = [at for at, column in enumerate(COLUMNS) if column.group == group]
        sheet.merge_range(HEADER_ROW, places_of[0], HEADER_ROW, places_of[-1], group, bold)
    for at, column in enumerate(COLUMNS):
        sheet.write(HEADER_ROW + 1, at, column.title, bold)
        sheet.set_column(at, at, column.width, None, {"hidden": column.name == HIDDEN})
    said = "Périodes de 50 minutes par semaine, avec virgule : 24,5"
    sheet.write_comment(HEADER_ROW + 1, _POSITION["periods"], said, {"author": "DGEO"})


def _cell(sheet: Any, place: tuple[int, int], value: Cell, day: Any) -> None:
    if isinstance(value, Broken):
        sheet.write_formula(*place, ERRORS[value.shown], None, value.shown)
    elif isinstance(value, date):
        sheet.write_datetime(*place, value, day)
    elif isinstance(value, str):
        sheet.write_string(*place, value)
    elif value is not None:
        sheet.write_number(*place, value)


def _totals(sheet: Any, bold: Any, one: _Return, count: int, totals: dict[str, int]) -> None:
    row = FIRST_ROW + count
    sheet.write(row, 0, "TOTAL", bold)
    for name in _SUMMED:
        at = _POSITION[name]
        if name in one.totals:
            sheet.write_number(row, at, totals[name] + one.totals[name], bold)
        else:
            cells = f"{xl_rowcol_to_cell(FIRST_ROW, at)}:{xl_rowcol_to_cell(row - 1, at)}"
            sheet.write_formula(row, at, f"=SUM({cells})", bold, totals[name])
    sheet.write(row + 2, 0, "Certifié exact par la direction.")


def _legend(sheet: Any, bold: Any) -> None:
    """Write beside the table what its codes mean."""
    sheet.merge_range(HEADER_ROW, _LEGEND_COLUMN, HEADER_ROW, _LEGEND_COLUMN + 1, "Légende", bold)
    known = [code for name in ("school_level", "school_network") for code in codes.LISTS[name]]
    for row, code in enumerate(known, HEADER_ROW + 1):
        sheet.write_row(row, _LEGEND_COLUMN, (code.code, code.label_fr))

"""The returns that schools fill in: 200 wrong cells in twenty workbooks, each found again without the truth, and nothing else wrong."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import education_returns
from polyceph.testing.federation.domains.education_return_faults import FAULTS
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

Row = dict[str, Any]
NIS_CODES = {place.nis_code for place in places.municipalities()}
LEVEL = {"M": "nursery", "P": "primary", "S": "secondary"}


def made(scenario: Scenario) -> tuple[list[Piece], Truth]:
    truth = Truth()
    return list(education_returns.build(scenario, truth)), truth


@pytest.fixture(scope="module")
def built() -> tuple[list[Piece], Truth]:
    return made(Scenario())


def test_the_workbooks_are_the_same_whenever_they_are_made_and_in_every_month(built: tuple[list[Piece], Truth]) -> None:
    pieces, truth = built
    again, said = made(Scenario(month=Month(2026, 3)))
    assert again == pieces
    assert said.entries == truth.entries


def test_two_hundred_cells_of_twenty_workbooks_are_wrong_and_not_evenly(built: tuple[list[Piece], Truth]) -> None:
    pieces, truth = built
    assert [piece.path.split("/")[2] for piece in pieces] == ["accepted"] * 2 + ["inbox"] * 20
    by_file = Counter(entry["file"] for entry in truth.of("workbook_cell"))
    assert by_file.keys() == {piece.path for piece in pieces[2:]}
    assert sorted(by_file.values()) == sorted(education_returns.FAULTS_BY_WORKBOOK)
    assert truth.faults("workbook_cell") == {fault.name: fault.count for fault in FAULTS}
    assert sum(by_file.values()) == 200
    assert len({(entry["file"], entry["cell"]) for entry in truth.of("workbook_cell")}) == 200


def test_what_is_wrong_without_knowing_the_truth_is_what_was_planted(built: tuple[list[Piece], Truth]) -> None:
    pieces, truth = built
    found = {(piece.path, cell) for piece in pieces for cell in wrong_cells(piece)}
    assert found == {(entry["file"], entry["cell"]) for entry in truth.of("workbook_cell")}


def test_the_truth_says_what_stands_in_the_cell(built: tuple[list[Piece], Truth]) -> None:
    pieces, truth = built
    books = {piece.path: openpyxl.load_workbook(io.BytesIO(piece.content), data_only=True) for piece in pieces}
    for entry in truth.of("workbook_cell"):
        value = books[entry["file"]][entry["sheet"]][entry["cell"]].value
        shown = "" if value is None else value.date().isoformat() if isinstance(value, datetime) else str(value)
        assert shown == entry["written"], entry
        assert entry.get("right") != entry["written"], entry


def test_the_template_is_as_people_make_them(built: tuple[list[Piece], Truth]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(built[0][0].content))["Retour"]
    assert sheet.column_dimensions["E"].hidden
    assert sheet["L5"].comment is not None
    assert sheet["Q4"].value == "Légende"
    assert {"A1:O1", "A4:E4", "H4:K4"} <= {str(one) for one in sheet.merged_cells.ranges}
    assert 40 <= next(row for row in range(6, 100) if sheet.cell(row, 1).value == "TOTAL") - 6 <= 60


def wrong_cells(piece: Piece) -> Iterator[str]:
    """Yield the wrong cells of a workbook by what its template promises: nothing here knows how faults are made."""
    sheet = openpyxl.load_workbook(io.BytesIO(piece.content), data_only=True)["Retour"]
    names = [column.name for column in education_returns.COLUMNS]
    last = next(row for row in range(6, 100) if sheet.cell(row, 1).value == "TOTAL")
    rows: list[Row] = [{name: sheet.cell(number, at).value for at, name in enumerate(names, 1)} for number in range(6, last)]
    usual = {site: usual_of(rows, site) for site in {str(row["key"])[:4] for row in rows}}
    for at, row in enumerate(rows):
        bad = ["class_code"] if at and row == rows[at - 1] else list(wrong_in(row, usual[row["key"][:4]]))
        yield from (f"{sheet.cell(6 + at, names.index(name) + 1).coordinate}" for name in bad)
    for name in ("girls", "boys", "pupils"):
        total = sheet.cell(last, names.index(name) + 1)
        if total.value != sum(int(row[name]) for row in rows if isinstance(row[name], int | float)):
            yield total.coordinate


def usual_of(rows: list[Row], site: str) -> dict[str, Any]:
    """Return what most lines of a site say of its place: one cell alone does not tell that it is wrong."""
    here = [row for row in rows if row["key"].startswith(site)]
    return {name: Counter(row[name] for row in here).most_common(1)[0][0] for name in ("nis_code", "network")}


def wrong_in(row: Row, usual: dict[str, Any]) -> Iterator[str]:
    site, name, _ = row["key"].split("|")
    expected = {"class_code": f"{site}-{name}", "site_code": site, "level": LEVEL[name[0]], "grade": name[:2], **usual}
    yield from (column for column, value in expected.items() if row[column] != value)
    assert usual["nis_code"] in NIS_CODES
    assert usual["network"] in codes.values("school_network")
    for column, first, last in (("counted_on", date(2025, 9, 15), date(2025, 9, 26)), ("paid_on", date(2025, 9, 1), date(2025, 9, 28))):
        day = day_of(row[column])
        if day is None or not first <= day <= last:
            yield column
    counts = {column: row[column] for column in ("girls", "boys", "pupils")}
    bad = [column for column, value in counts.items() if not isinstance(value, int) or value < 0]
    yield from bad
    if not bad and row["girls"] + row["boys"] != row["pupils"]:
        yield "pupils"
    if not re.fullmatch(r"(2[2-9]|30)(,5)?", str(row["periods"])):
        yield "periods"
    if not re.fullmatch(r"\d\d,\d", str(row["attendance_percent"])):
        yield "attendance_percent"
    if not re.fullmatch(r"(\d{1,3}|\d{1,3}( \d{3})+),\d\d", str(row["fees_eur"])):
        yield "fees_eur"


def day_of(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d\d/\d\d/\d{4}", value):
        return None
    day, month, year = map(int, value.split("/"))
    try:
        return date(year, month, day)
    except ValueError:
        return None

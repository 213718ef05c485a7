"""The makers of workbooks: what a reader finds in them, and that their bytes do not depend on when or after what they were made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date

import pytest
from python_calamine import CalamineWorkbook

from polyceph.testing.federation import workbooks
from polyceph.testing.federation.compound_files import compound_file
from polyceph.testing.federation.macros import compressed, encrypted, macro_project

ROWS = [["Code", "Été", "Jour", "Vrai", None], ["É1", 1.5, date(2024, 2, 3), True, "  a  b"]]


def _draw(book: object) -> None:
    sheet = book.add_worksheet("Chantiers")  # type: ignore[attr-defined]
    sheet.write_row(0, 0, ("Code", "Montant"))
    book.add_worksheet("Légende")  # type: ignore[attr-defined]


MAKERS: dict[str, Callable[[], bytes]] = {
    "xlsx": lambda: workbooks.xlsx(_draw),
    "xlsm": lambda: workbooks.xlsm(_draw),
    "ods": lambda: workbooks.ods({"Un": ROWS, "Deux": ROWS[:1]}),
    "xls": lambda: workbooks.xls({"Un": ROWS, "Deux": ROWS[:1]}),
}


@pytest.mark.parametrize("form", ["ods", "xls"])
def test_cells_come_back_with_their_types(form: str) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(MAKERS[form]()))
    assert book.sheet_names == ["Un", "Deux"]
    rows = book.get_sheet_by_name("Un").to_python()
    assert rows[0][:4] == ROWS[0][:4]
    assert rows[1] == ["É1", 1.5, date(2024, 2, 3), True, "  a  b"]


@pytest.mark.parametrize("form", ["xlsx", "xlsm"])
def test_drawn_sheets_are_read(form: str) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(MAKERS[form]()))
    assert book.sheet_names == ["Chantiers", "Légende"]
    assert book.get_sheet_by_name("Chantiers").to_python() == [["Code", "Montant"]]


@pytest.mark.parametrize("form", MAKERS)
def test_the_bytes_depend_on_neither_the_hour_nor_what_was_made_before(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = MAKERS[form]()
    for make in MAKERS.values():
        make()
    monkeypatch.setattr("time.localtime", lambda *_: (2031, 5, 6, 7, 8, 9, 1, 126, 1))
    assert MAKERS[form]() == first


def test_a_workbook_with_a_macro_names_a_module_for_each_sheet() -> None:
    with zipfile.ZipFile(io.BytesIO(MAKERS["xlsm"]())) as archive:
        project = archive.read("xl/vbaProject.bin")
        types = archive.read("[Content_Types].xml").decode()
    assert project == macro_project(2)
    assert "macroEnabled" in types
    for module in ("ThisWorkbook", "Sheet1", "Sheet2", "Module1"):
        assert module.encode("utf-16-le") in project
    assert b'Document=Sheet2/&H00000000\r\nModule=Module1\r\nName="VBAProject"' in project


def test_literal_compression_and_hidden_data_follow_the_specification() -> None:
    assert compressed(b"abcdefghi") == b"\x01\x0a\xb0\x00abcdefgh\x00i"
    # The example project of [MS-OVBA] 3.1.1 has another id; the length and the seed are what can be seen.
    hidden = bytes.fromhex(encrypted(b"\xff", 0x29))
    assert hidden[0] == 0x29
    assert hidden[1] == 0x29 ^ 2
    assert len(hidden) == 3 + 0 + 4 + 1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="4096"):
        compound_file({"long": bytes(4096)})
    with pytest.raises(ValueError, match="one chunk"):
        compressed(bytes(4000))

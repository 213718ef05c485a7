"""Workbooks as bytes that do not depend on when they were written: XLSX, XLSM with a macro, ODS, XLS."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import xlsxwriter
import xlwt
from odf import dc, meta, style, table, teletype, text
from odf import number as number_styles
from odf.opendocument import OpenDocumentSpreadsheet

from polyceph.testing.federation.macros import macro_project

AUTHOR = "Service des statistiques"
CREATED = datetime(2025, 1, 6, 9, 0)  # noqa: DTZ001  a workbook's creation time has no zone; fixed, so that its bytes are
Cells = Sequence[Sequence[object]]
"""Rows of text, numbers, truths and dates; None is an empty cell."""
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can tell."""


def xlsx(draw: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    """Return an XLSX that `draw` fills."""
    return _drawn(draw, lambda _: None)


def xlsm(draw: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    """Return a workbook with a (harmless) macro that `draw` fills."""

    def with_macro(book: xlsxwriter.Workbook) -> None:
        book.add_vba_project(io.BytesIO(macro_project(len(book.worksheets()))), is_stream=True)

    return _drawn(draw, with_macro)


def ods(sheets: Mapping[str, Cells]) -> bytes:
    """Return an ODS with these sheets."""
    document = OpenDocumentSpreadsheet()
    document.meta.addElement(dc.Creator(text=AUTHOR))
    document.meta.addElement(meta.CreationDate(text=CREATED.isoformat()))
    day = _day_style(document)
    for name, rows in sheets.items():
        sheet = table.Table(name=name)
        sheet.addElement(table.TableColumn(numbercolumnsrepeated=max((len(row) for row in rows), default=1) or 1))
        for row in rows:
            line = table.TableRow()
            for value in row:
                line.addElement(_ods_cell(value, day))
            sheet.addElement(line)
        document.spreadsheet.addElement(sheet)
    buffer = io.BytesIO()
    document.write(buffer)
    return _settled(buffer.getvalue())


def xls(sheets: Mapping[str, Cells]) -> bytes:
    """Return a workbook of Excel 97 with these sheets."""
    book = xlwt.Workbook()
    book.owner = AUTHOR
    day = xlwt.easyxf(num_format_str="DD/MM/YYYY")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    sheet.write(line, column, value, *([day] if isinstance(value, date) else []))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _drawn(draw: Callable[[xlsxwriter.Workbook], None], finish: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"author": AUTHOR, "created": CREATED})
    draw(book)
    finish(book)
    book.close()
    return buffer.getvalue()


def _day_style(document: Any) -> Any:
    """Add the way a day is shown, `06/01/2025`, and return the style of its cells."""
    shown = number_styles.DateStyle(name="day")
    parts = (number_styles.Day, number_styles.Month, number_styles.Year)
    for at, part in enumerate(parts):
        if at:
            shown.addElement(number_styles.Text(text="/"))
        shown.addElement(part(style="long"))
    cells = style.Style(name="day-cell", family="table-cell", datastylename=shown)
    document.automaticstyles.addElement(shown)
    document.automaticstyles.addElement(cells)
    return cells


def _ods_cell(value: object, day: Any) -> Any:
    if value is None:
        return table.TableCell()
    if isinstance(value, date):
        cell = table.TableCell(valuetype="date", datevalue=value.isoformat(), stylename=day)
        shown = f"{value:%d/%m/%Y}"
    elif isinstance(value, bool):
        cell, shown = table.TableCell(valuetype="boolean", booleanvalue=str(value).lower()), "VRAI" if value else "FAUX"
    elif isinstance(value, int | float):
        cell, shown = table.TableCell(valuetype="float", value=str(value)), str(value).replace(".", ",")
    else:
        cell, shown = table.TableCell(valuetype="string"), str(value)
    paragraph = text.P()
    teletype.addTextToElement(paragraph, shown)
    cell.addElement(paragraph)
    return cell


def _settled(archive: bytes) -> bytes:
    """Return a zip whose entries have one time, and XML that does not depend on what odfpy wrote before (it collects namespaces)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            info = zipfile.ZipInfo(entry.filename, _OLDEST)
            info.compress_type, info.external_attr = entry.compress_type, 0o600 << 16
            content = old.read(entry)
            new.writestr(info, ET.canonicalize(content) if entry.filename.endswith(".xml") else content)
    return buffer.getvalue()

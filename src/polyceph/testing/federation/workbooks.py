"""Workbooks as bytes that do not depend on when they were written: XLSX, XLSM with a macro, ODS, XLS."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import xlsxwriter

CREATED = datetime(2025, 1, 6, 9, 0)  # noqa: DTZ001  a workbook's creation time has no zone; fixed, so that its bytes are
Cells = Sequence[Sequence[object]]
"""Rows of text, numbers and dates; None is an empty cell."""


def xlsx(draw: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    """Return an XLSX that `draw` fills."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"author": "Service des statistiques", "created": CREATED})
    draw(book)
    book.close()
    return buffer.getvalue()


def xlsm(draw: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    """Return a workbook with a (harmless) macro that `draw` fills."""
    raise NotImplementedError


def ods(sheets: Mapping[str, Cells]) -> bytes:
    """Return an ODS with these sheets."""
    raise NotImplementedError


def xls(sheets: Mapping[str, Cells]) -> bytes:
    """Return a workbook of Excel 97 with these sheets."""
    raise NotImplementedError

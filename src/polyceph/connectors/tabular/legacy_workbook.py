"""XLS, the format of Excel before 2007, has no checksum: what one reader finds in it is held against what another one finds.

Texts and numbers have to be the same; of dates and booleans both readers have to find one.

Runs in the throw-away process only.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.options import column_letters
from polyceph.sdk import Invalid, Problem

_CONTAINER = bytes.fromhex("d0cf11e0a1b11ae1")
"""How a file of OLE 2 begins."""
_EMPTY, _TEXT, _NUMBER, _ERROR, _BLANK = 0, 1, 2, 5, 6
"""What xlrd says of a cell; dates and booleans are 3 and 4."""


def is_legacy(path: Path) -> bool:
    """Tell by its content whether a workbook is an XLS, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(_CONTAINER)) == _CONTAINER


def compared_cells(path: Path, sheet: str, values: Sequence[Sequence[Any]], start: tuple[int, int], findings: Findings) -> dict[str, str]:
    """Return the cells that hold an error such as #N/A, after all cells of `values`, which begin at `start`, were held against xlrd's.

    Raises:
        Invalid: xlrd cannot read the workbook, or finds other cells filled, or other texts or numbers in them.
    """
    import xlrd  # a reader in pure Python that only few files need

    try:
        with xlrd.open_workbook(str(path), logfile=io.StringIO(), on_demand=True) as book:
            other = book.sheet_by_name(sheet)
    except Exception as error:  # whatever a damaged file does to it
        raise _disagreed(findings, Problem(f"a second reader finds no sheet in it ({type(error).__name__})", file=findings.file)) from error
    errors: dict[str, str] = {}
    for row in range(max(other.nrows, start[0] + len(values))):
        ours = _row(values, row - start[0], start[1])
        types, theirs = (other.row_types(row), other.row_values(row)) if row < other.nrows else ((), ())
        for at in _differing(ours, types, theirs):
            cell = f"{column_letters(at + 1)}{row + 1}"
            if at < len(types) and types[at] == _ERROR:
                errors[cell] = str(xlrd.error_text_from_code.get(theirs[at], "#ERROR"))
                continue
            where = f"sheet {sheet}, cell {cell}"
            raise _disagreed(findings, Problem("one reader finds another value in it than the other", file=findings.file, place=where))
    return errors


def _row(values: Sequence[Sequence[Any]], at: int, first: int) -> Sequence[Any]:
    row = values[at] if 0 <= at < len(values) else ()
    return [*[""] * first, *row]


def _differing(ours: Sequence[Any], types: Sequence[int], theirs: Sequence[Any]) -> Iterator[int]:
    """Yield the columns that only one reader finds filled, whose texts or numbers differ, or that hold an error."""
    for at in range(max(len(ours), len(types))):
        value, kind = ours[at] if at < len(ours) else "", types[at] if at < len(types) else _EMPTY
        if not _is_same(value, kind, theirs[at] if at < len(theirs) else ""):
            yield at


def _is_same(value: Any, kind: int, other: Any) -> bool:
    if kind in (_EMPTY, _BLANK):
        return bool(value == "")
    if kind == _TEXT or isinstance(value, str):
        return bool(value == other) and kind == _TEXT
    return kind != _NUMBER or not isinstance(value, int | float) or float(value) == other


def _disagreed(findings: Findings, problem: Problem) -> Invalid:
    message = f"the two readers of {findings.file} do not agree: it is damaged, or written in a way that they read differently"
    return Invalid(message, problems=[problem], hint="save it anew as .xlsx")

"""Sheets of XLSX, XLSM, XLSB, XLS and ODS workbooks through calamine. Runs in the throw-away process only."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import python_calamine as calamine

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import (
    SEARCHED_ROWS,
    Header,
    Match,
    check_header,
    find_header,
    looks_like_data,
    no_header,
    refuse_without_header,
)
from polyceph.connectors.tabular.legacy_workbook import compared_cells, is_legacy
from polyceph.connectors.tabular.natives import native, shown
from polyceph.connectors.tabular.options import FilesDataset, cell_range, column_letters
from polyceph.connectors.tabular.spool import Locate, Portion
from polyceph.connectors.tabular.totals import looks_like_total, stops_here
from polyceph.connectors.tabular.uniform import uniform
from polyceph.connectors.types import arrow_type
from polyceph.connectors.validation import nearest
from polyceph.sdk import Column, Invalid, NotFound, Problem

_LARGEST_AREA = 100_000_000
"""Cells of one sheet; a sheet that claims more is refused before it is expanded."""
_PART_ROWS = 16_384
"""Rows whose cells are turned into Arrow at once: more of them do not stay in the processor's cache from one look to the next."""
_ERROR_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+[0-9]+)"[^>]*>(?:<f[^>]*/>|<f\b.*?</f>)?\s*<v>([^<]*)</v>', re.DOTALL)
Grid = list[tuple[int, list[Any]]]


@dataclass(frozen=True)
class _Table:
    """The cells of one table: rows with their numbers in the sheet, and the sheet's number of the first column."""

    sheet: str
    rows: Grid
    first_column: int
    width: int

    def place(self, row: int, column: int | None = None) -> dict[str, Any]:
        """Return the place of a row or, with `column` counted from 0 in the table, of a cell."""
        where = f"row {row}" if column is None else f"cell {column_letters(self.first_column + column)}{row}"
        return {"place": f"sheet {self.sheet}, {where}"}


def read_workbook(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of one table of one sheet and how to say where a cell is.

    Raises:
        Invalid: the workbook cannot be opened, is protected, claims too many cells, or its header or cells do not fit.
        NotFound: the sheet does not exist.
    """
    with _opened(path, findings) as book, ThreadPoolExecutor(1) as beside:
        name = findings.form.table = _sheet_name(book, dataset, findings)
        # Unpacking the sheet once more, for its error values, goes on while calamine reads it.
        looked = beside.submit(_error_cells, path, name)
        sheet = _loaded(lambda: book.get_sheet_by_name(name), findings)
        _check_area(sheet, findings)
        merged = sheet.merged_cell_ranges
        values = _loaded(lambda: sheet.to_python(skip_empty_area=True), findings)
        start = sheet.start or (0, 0)
        errors = compared_cells(path, name, values, start, findings) if is_legacy(path) else looked.result()
    table = _table(name, values, start, dataset)
    header = _header(table, merged, columns, dataset, findings)
    body = _body(table, header, dataset, findings)
    header = _without_empty(_below_merges(header, body, merged or [], table), body, findings)
    check_header(header, columns, table.place(header.last_row or 1), findings)
    findings.check()
    _reject_errors(errors, table, (header, body), columns, findings)
    positions = [header.match.positions[i] for i in range(len(columns))]
    return _portions(body, positions, columns, table, findings), lambda index, row: table.place(row, positions[index])


def sheet_names(path: Path, findings: Findings) -> list[str]:
    """Return the names of the worksheets; raise `Invalid` when the workbook cannot be opened."""
    with _opened(path, findings) as book:
        return [str(m.name) for m in book.sheets_metadata if m.typ == calamine.SheetTypeEnum.WorkSheet]


def sheet_rows(path: Path, dataset: FilesDataset, findings: Findings) -> Grid:
    """Return the cells of the sheet or table that the options name, with their row numbers; raises like `read_workbook`."""
    with _opened(path, findings) as book:
        name = _sheet_name(book, dataset, findings)
        sheet = _loaded(lambda: book.get_sheet_by_name(name), findings)
        _check_area(sheet, findings)
        values = _loaded(lambda: sheet.to_python(skip_empty_area=True), findings)
        return _table(name, values, sheet.start or (0, 0), dataset).rows


def _opened(path: Path, findings: Findings) -> Any:
    try:
        return _by_content(path)
    except calamine.PasswordError as error:
        raise Invalid(f"{findings.file} is protected by a password", hint="save it without a password") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise Invalid(f"{findings.file} is no workbook that can be opened: {_first(error)}", hint="save it anew as .xlsx") from error


def _by_content(path: Path) -> Any:
    """Open by content, so that an XLS called .xlsx opens too; by name what the content does not tell, an encrypted file."""
    try:
        with path.open("rb") as file:
            return calamine.load_workbook(file)
    except calamine.PasswordError:
        raise
    except (calamine.CalamineError, OSError, ValueError):
        return calamine.load_workbook(str(path))


def _loaded(action: Callable[[], Any], findings: Findings) -> Any:
    try:
        return action()
    except (calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        raise Invalid(f"a sheet of {findings.file} cannot be read: {_first(error)}", hint="save it anew as .xlsx") from error


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _sheet_name(book: Any, dataset: FilesDataset, findings: Findings) -> str:
    names = [m.name for m in book.sheets_metadata if m.typ == calamine.SheetTypeEnum.WorkSheet]
    wanted = dataset.sheet
    if isinstance(wanted, int) and 1 <= wanted <= len(names):
        return str(names[wanted - 1])
    if isinstance(wanted, str) and wanted in names:
        return wanted
    if wanted is None and len(names) == 1:
        return str(names[0])
    if wanted is not None:
        loose = [n for n in names if n.strip().casefold() == str(wanted).strip().casefold()]
        if len(loose) == 1:
            findings.note("sheet", "found under a name that differs in case or spaces", loose[0])
            return str(loose[0])
        findings.form.asked, findings.form.table = str(wanted), nearest(str(wanted), names, 1)[0] if names else ""
        problem = Problem(f"sheet {wanted!r} does not exist", value=str(wanted), allowed=tuple(names))
        raise NotFound(f"{findings.file} has no sheet {wanted!r}", problems=[problem])
    problem = Problem(f"there are {len(names)} sheets and none is chosen", allowed=tuple(f"sheet: {n}" for n in names))
    raise Invalid(f"{findings.file} needs the option sheet", problems=[problem])


def _check_area(sheet: Any, findings: Findings) -> None:
    area = sheet.height * sheet.width
    if area > _LARGEST_AREA:
        raise Invalid(
            f"{findings.file}, sheet {sheet.name} claims {sheet.height} rows × {sheet.width} columns",
            hint=f"delete the empty rows and columns behind the table; at most {_LARGEST_AREA:,} cells are read",
        )


def _table(sheet: str, values: list[list[Any]], start: tuple[int, int], dataset: FilesDataset) -> _Table:
    top, left = start[0] + 1, start[1] + 1
    width = len(values[0]) if values else 0
    if dataset.table_at is None:
        return _Table(sheet, [(top + i, row) for i, row in enumerate(values)], left, width)
    first, last = cell_range(dataset.table_at)
    rows = [(top + i, row) for i, row in enumerate(values) if top + i >= first[0] and (last is None or top + i <= last[0])]
    begin = max(0, first[1] - left)
    end = width if last is None else max(begin, last[1] - left + 1)
    if last is None:
        end = begin + _extent(rows, begin, width)
        rows = _until_blank(rows, begin, end)
    return _Table(sheet, [(number, row[begin:end]) for number, row in rows], max(left, first[1]), end - begin)


def _extent(rows: Grid, begin: int, width: int) -> int:
    """Return how many columns the table has: to the first column whose header cell is empty."""
    top = rows[0][1] if rows else []
    return next((i - begin for i in range(begin, min(width, len(top))) if top[i] == ""), max(0, len(top) - begin))


def _until_blank(rows: Grid, begin: int, end: int) -> Grid:
    kept: Grid = []
    for number, row in rows:
        if all(value == "" for value in row[begin:end]):
            break
        kept.append((number, row))
    return kept


def _header(table: _Table, merged: list[Any] | None, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> Header:
    rows = (found for found in table.rows if found[0] > dataset.skip_rows)
    top = [(number, [shown(value) for value in row]) for number, row in itertools.islice(rows, SEARCHED_ROWS + dataset.skip_rows)]
    filled = [row for row in top if any(cell.strip() for cell in row[1])]
    if not filled:
        raise Invalid(f"{findings.file}, sheet {table.sheet} holds no row")
    unmerged = None if merged is None else [(number, _unmerged(table, number, cells, merged)) for number, cells in filled]
    header = find_header(filled, columns, dataset, unmerged=unmerged)
    if header is None and looks_like_data(filled[0][1], columns):
        header = no_header(filled, columns)
    if header is None:
        raise refuse_without_header(filled, columns)
    if dataset.header is None and (header.rows is None or header.rows[0] != table.rows[0][0] or header.rows[0] != header.rows[1]):
        where = (
            "none"
            if header.rows is None
            else f"row {header.rows[0]}" + (f" to {header.rows[1]}" if header.rows[0] != header.rows[1] else "")
        )
        findings.note("header", f"found in sheet {table.sheet}; what stands above is left out", where)
    return header


def _unmerged(table: _Table, number: int, cells: list[str], merged: list[Any]) -> list[str]:
    """Give every cell of a merged range the text of its first cell."""
    made = list(cells)
    for (top, left), (bottom, right) in merged:
        at = left + 1 - table.first_column
        if not top + 1 <= number <= bottom + 1 or not 0 <= at < len(made):
            continue
        first = next((row for row_number, row in table.rows if row_number == top + 1), None)
        text = shown(first[at]) if first is not None else ""
        for i in range(at, min(right + 2 - table.first_column, len(made))):
            made[i] = made[i] or text
    return made


def _body(table: _Table, header: Header, dataset: FilesDataset, findings: Findings) -> Grid:
    above = max(header.last_row, dataset.skip_rows)
    below = [(number, row) for number, row in table.rows if number > above]
    stop = dataset.stop_at
    end = next((at for at, (_, row) in enumerate(below) if stops_here([shown(v) for v in row], stop)), None) if stop is not None else None
    if end is not None:
        findings.note("stop_at", "reading stopped here", f"row {below[end][0]}")
    below = below[:end]
    body = [found for found in below if not _is_blank(found[1])]
    blank = len(below) - len(body)
    if dataset.skip_footer:
        body = body[: -dataset.skip_footer]
    if blank:
        findings.note("blank rows", "rows without any value are left out", str(blank))
    return body


def _is_blank(row: list[Any]) -> bool:
    """Tell whether no cell of a row is filled; of nearly all rows the first cell tells."""
    first = row[0] if row else ""
    if not isinstance(first, str) or first.strip():
        return False
    return not any(not isinstance(value, str) or value.strip() for value in row)


def _last_total(part: Grid, texts: list[pa.Array], others: list[Sequence[Any]]) -> int | None:
    """Return the number of the last row that looks like a total. The different texts of the columns tell first whether there may be one.

    `others` are the columns that nothing is promised of.
    """
    promised = (text for column in texts if column.null_count < len(column) for text in pc.unique(column).to_pylist() if text)
    different = itertools.chain(promised, {value for column in others for value in column if type(value) is str})
    if not any(looks_like_total((text,)) for text in different):
        return None
    return next((n for n, row in reversed(part) if looks_like_total(v for v in row if isinstance(v, str))), None)


def _below_merges(header: Header, body: Grid, merged: list[Any], table: _Table) -> Header:
    """Move a header that is merged over several columns to the only one of them that holds values."""
    if header.rows is None:
        return header
    positions = dict(header.match.positions)
    surplus = list(header.match.surplus)
    for (top, left), (bottom, right) in merged:
        at, end = left + 1 - table.first_column, right + 1 - table.first_column
        if not top + 1 <= header.last_row <= bottom + 1 or not 0 <= at < end < len(header.cells):
            continue
        filled = [i for i in range(at, end + 1) if any(row[i] != "" for _, row in body)]
        owner = next((index for index, position in positions.items() if position == at), None)
        if owner is not None and len(filled) == 1 and not header.cells[filled[0]]:
            positions[owner] = filled[0]
            surplus = [i for i in surplus if i != filled[0]]
    return Header(header.rows, header.cells, Match(positions, tuple(surplus), header.match.folded))


def _without_empty(header: Header, body: Grid, findings: Findings) -> Header:
    """Leave out columns that have neither a header nor any value, wherever they stand."""
    if header.rows is None:
        return header
    nameless = [i for i in header.match.surplus if not header.cells[i]]
    empty = {i for i in nameless if all(row[i] == "" for _, row in body)}
    if not empty:
        return header
    findings.note("columns", "columns without header and value are left out", str(len(empty)))
    surplus = tuple(i for i in header.match.surplus if i not in empty)
    return Header(header.rows, header.cells, Match(header.match.positions, surplus, header.match.folded))


def _error_cells(path: Path, sheet: str) -> dict[str, str] | None:
    """Return the cells of a sheet that hold an error such as #N/A; calamine gives them as empty. None when the format hides them."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            member = _sheet_member(archive, sheet)
            text = archive.read(member) if member else b""
    except (zipfile.BadZipFile, OSError, KeyError, NotImplementedError, RuntimeError):
        return None
    if not member:
        return None
    if b't="e"' not in text:
        return {}
    return {found[1].decode(): found[2].decode(errors="replace") for found in _ERROR_CELL.finditer(text)}


def _sheet_member(archive: zipfile.ZipFile, sheet: str) -> str | None:
    names = {name.casefold(): name for name in archive.namelist()}
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return None
    book = ET.fromstring(archive.read(names["xl/workbook.xml"]))  # noqa: S314 - in the throw-away process
    relations = ET.fromstring(archive.read(names["xl/_rels/workbook.xml.rels"]))  # noqa: S314
    for node in book.iter():
        if node.tag.endswith("}sheet") and node.get("name") == sheet:
            wanted = next((v for k, v in node.attrib.items() if k.endswith("}id")), None)
            target = next((r.get("Target", "") for r in relations if r.get("Id") == wanted), "")
            full = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return names.get(full.casefold())
    return None


def _reject_errors(
    errors: dict[str, str] | None, table: _Table, found_in: tuple[Header, Grid], columns: tuple[Column, ...], findings: Findings
) -> None:
    header, body = found_in
    if errors is None:
        findings.note("error values", "this format does not show error values (#N/A): they are read as empty cells")
        return
    names = {at: columns[index].name for index, at in header.match.positions.items()}
    rows = {number for number, _ in body}
    for cell, value in errors.items():
        found = re.fullmatch(r"([A-Z]+)(\d+)", cell)
        at = cell_range(cell)[0][1] - table.first_column if found else -1
        if found and int(found[2]) in rows and at in names:
            where, row = table.place(int(found[2]), at), int(found[2])
            problem = Problem(f"the cell holds the error {value}", file=findings.file, value=value, hint="correct the formula", **where)
            findings.reject(row, problem, column=names[at], text=value)


def _portions(body: Grid, positions: list[int], columns: tuple[Column, ...], table: _Table, findings: Findings) -> Iterator[Portion]:
    total = None
    for begin in range(0, len(body), _PART_ROWS):
        part = body[begin : begin + _PART_ROWS]
        rows = [number for number, _ in part]
        cells = list(zip(*(row for _, row in part), strict=True))
        texts, natives = [], []
        for column, at in zip(columns, positions, strict=True):
            made = uniform(cells[at], column) or _one_by_one(cells[at], column, rows, partial(table.place, column=at), findings)
            texts.append(made[0])
            natives.append(made[1])
        total = _last_total(part, texts, [column for at, column in enumerate(cells) if at not in positions]) or total
        yield Portion(pa.array(rows, pa.int64()), texts, natives)
    if total is not None:
        findings.note("total", f"the last row that looks like a total is row {total}; it is kept", f"row {total}")


def _one_by_one(
    values: Sequence[Any], column: Column, rows: list[int], place: Callable[[int], dict[str, Any]], findings: Findings
) -> tuple[pa.Array, pa.Array]:
    text: list[str | None] = []
    made: list[Any] = []
    for number, value in zip(rows, values, strict=True):
        if isinstance(value, str):
            text.append(value or None)
            made.append(None)
            continue
        typed = native(value, column)
        if isinstance(typed, Problem):
            problem = replace(typed, file=findings.file, **place(number))
            findings.reject(number, problem, column=column.name, text=shown(value))
            typed = None
        text.append(None)
        made.append(typed)
    return pa.array(text, pa.string()), pa.array(made, arrow_type(column))

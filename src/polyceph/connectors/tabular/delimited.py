"""Delimited text: one strict pass that finds and numbers the records, then Arrow's reader for the cells of the wanted columns."""

from __future__ import annotations

import csv
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv

from polyceph.connectors.tabular.dialect import Dialect, find_dialect, records
from polyceph.connectors.tabular.encoding import find_encoding
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.spool import Locate, Portion
from polyceph.connectors.tabular.totals import looks_like_total, stops_here
from polyceph.sdk import Column, Invalid, Problem

_BLOCK_BYTES = 1 << 23
_LARGEST_BLOCK = (1 << 31) - 1


@dataclass
class _Scan:
    """What the strict pass found: for each record of the header's width, its line and whether it is a row of the table."""

    width: int
    lines: array[int] = field(default_factory=lambda: array("q"))
    kept: bytearray = field(default_factory=bytearray)
    filled: bytearray = field(default_factory=bytearray)
    wrong: deque[tuple[int, int]] = field(default_factory=deque)
    blank: int = 0
    total: int | None = None


def read_delimited(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of a delimited text and how to say where one is.

    Raises:
        Invalid: encoding, dialect or header are uncertain or wrong, quotes are broken, or rows are too short or too long.
    """
    encoding = find_encoding(path, dataset.encoding, findings)
    dialect, header = find_dialect(path, encoding, columns, dataset=dataset, findings=findings)
    findings.form.encoding, findings.form.delimiter = encoding, dialect.delimiter
    _report_header(header, dataset, findings)
    scan = _scan(path, dialect, header, dataset, findings)
    header = _without_empty_tail(header, scan, findings)
    check_header(header, columns, {"line": header.last_row or 1}, findings)
    findings.check()
    positions = [header.match.positions[i] for i in range(len(columns))]
    return _cells(path, dialect, scan, positions), lambda _, row: {"line": row}


def _report_header(header: Header, dataset: FilesDataset, findings: Findings) -> None:
    if header.rows is None:
        if dataset.header is None:
            findings.note("header", "there is no header: the columns are taken in the contract's order", "none")
    elif dataset.header is None and header.rows != (1, 1):
        first, last = header.rows
        text = f"the header stands in line {first}" if first == last else f"the header stands in lines {first} to {last}"
        findings.note("header", f"{text}; what stands above is left out", str(first))


def _scan(path: Path, dialect: Dialect, header: Header, dataset: FilesDataset, findings: Findings) -> _Scan:
    scan = _Scan(len(header.cells), filled=bytearray(len(header.cells)))
    first = max(header.last_row, dataset.skip_rows) + 1
    stopped = 0
    line = 0
    with path.open(encoding=dialect.encoding, newline="") as file:
        try:
            for line, cells in records(file, dialect):
                is_row = line >= first and not stopped
                if is_row and dataset.stop_at is not None and stops_here(cells, dataset.stop_at):
                    stopped, is_row = line, False
                _register(scan, line, cells, is_row=is_row)
        except csv.Error as error:
            findings.wrong(f"the quotes are broken in the record after line {line}: {error}", {"line": line + 1})
            findings.check()
    if stopped:
        findings.note("stop_at", "reading stopped here", f"line {stopped}")
    _finish(scan, dataset, findings)
    return scan


def _register(scan: _Scan, line: int, cells: list[str], *, is_row: bool) -> None:
    if len(cells) == scan.width:
        is_filled = is_row and any(map(str.strip, cells))
        scan.lines.append(line)
        scan.kept.append(is_filled)
        if not is_filled:
            scan.blank += is_row
            return
        if 0 in scan.filled:
            for i, cell in enumerate(cells):
                if cell:
                    scan.filled[i] = 1
        if looks_like_total(cells):
            scan.total = line
    elif is_row:
        if any(map(str.strip, cells)):
            scan.wrong.append((line, len(cells)))
        else:
            scan.blank += 1


def _finish(scan: _Scan, dataset: FilesDataset, findings: Findings) -> None:
    if dataset.skip_footer:
        rows = sorted([line for line, keep in zip(scan.lines, scan.kept, strict=True) if keep] + [line for line, _ in scan.wrong])
        last = rows[-dataset.skip_footer] if len(rows) >= dataset.skip_footer else 0
        scan.wrong = deque(w for w in scan.wrong if w[0] < last)
        for i, line in enumerate(scan.lines):
            if line >= last:
                scan.kept[i] = 0
    for line, width in scan.wrong:
        message = f"the row has {width} cells instead of {scan.width}"
        findings.reject(line, Problem(message, file=findings.file, line=line))
    if scan.blank:
        findings.note("blank rows", "rows without any value are left out", str(scan.blank))
    if scan.total is not None:
        findings.note("total", f"the last row that looks like a total stands in line {scan.total}; it is kept", f"line {scan.total}")


def _without_empty_tail(header: Header, scan: _Scan, findings: Findings) -> Header:
    """Drop columns at the right that have neither a header nor any value."""
    cells = list(header.cells)
    while cells and not cells[-1] and not scan.filled[len(cells) - 1] and header.rows is not None:
        cells.pop()
    dropped = len(header.cells) - len(cells)
    if not dropped:
        return header
    findings.note("columns", "empty columns at the right are left out", str(dropped))
    surplus = tuple(i for i in header.match.surplus if i < len(cells))
    match = type(header.match)(header.match.positions, surplus, header.match.folded)
    return Header(header.rows, cells, match)


def _cells(path: Path, dialect: Dialect, scan: _Scan, positions: list[int]) -> Iterator[Portion]:
    lines = (
        pa.array(scan.lines, pa.int64())
        if not scan.lines
        else pa.Array.from_buffers(pa.int64(), len(scan.lines), [None, pa.py_buffer(scan.lines)])
    )
    kept = pa.Array.from_buffers(pa.uint8(), len(scan.kept), [None, pa.py_buffer(scan.kept)]).cast(pa.bool_())
    seen = 0
    if lines:
        for batch in _batches(path, dialect, scan.width, positions):
            if seen + len(batch) > len(lines):
                seen += len(batch)
                break
            mask = kept.slice(seen, len(batch))
            numbers = lines.slice(seen, len(batch)).filter(mask)
            seen += len(batch)
            if len(numbers):
                found = batch.filter(mask)
                yield Portion(numbers, [found.column(f"c{p}") for p in positions], [None] * len(positions))
    if seen != len(lines):
        raise Invalid(
            f"two ways to read the text disagree about the number of its rows ({len(lines)} and {seen})",
            hint="declare delimiter, quote and escape",
        )


def _batches(path: Path, dialect: Dialect, width: int, positions: list[int]) -> Iterator[pa.RecordBatch]:
    names = [f"c{i}" for i in range(width)]
    wanted = list(dict.fromkeys(names[p] for p in positions))
    convert = arrow_csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False)
    parse = arrow_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote or False,
        double_quote=dialect.escape is None,
        escape_char=dialect.escape or False,
        newlines_in_values=True,
        ignore_empty_lines=True,
        invalid_row_handler=lambda _: "skip",
    )
    size = min(_LARGEST_BLOCK, max(_BLOCK_BYTES, _longest_line(path)))
    encoding = "utf8" if dialect.encoding in ("utf-8", "utf-8-sig") else dialect.encoding
    read = arrow_csv.ReadOptions(column_names=names, block_size=size, encoding=encoding, use_threads=False)
    with arrow_csv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert) as reader:
        yield from reader


def _longest_line(path: Path) -> int:
    """Return a block size no cell exceeds: Arrow refuses a record that spans two block borders."""
    with path.open("rb") as file:
        longest = max((len(line) for line in file), default=0)
    return longest * 4

"""Delimiter and quote of a delimited text, judged by what the contract expects to find; no guess from letters alone."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, Row, find_header, looks_like_data, no_header, refuse_without_header
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.sdk import Column, Invalid, Problem

_DELIMITERS = (";", ",", "\t", "|", ":")
_QUOTES = ('"', "'")
_NAMES = {";": "semicolon", ",": "comma", "\t": "tab", "|": "bar", ":": "colon", " ": "space"}
_SAMPLE_CHARACTERS = 1 << 18
LARGEST_CELL = 1 << 26


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is written. `quote` is empty for none."""

    encoding: str
    delimiter: str
    quote: str = '"'
    escape: str | None = None
    comment: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `csv.reader`, strict."""
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote or None,
            "quoting": quoting,
            "escapechar": self.escape,
            "doublequote": self.escape is None,
            "strict": True,
        }


@dataclass(frozen=True)
class _Reading:
    dialect: Dialect
    header: Header | None
    rows: list[Row]
    failure: str | None

    def rank(self, count: int) -> tuple[int, int, int]:
        """Rate the reading: a full header first, then a declared or evident absence of one, then how many columns were found."""
        found = len(self.header.match.positions) if self.header else 0
        if self.failure or not self.header:
            return (0, 0, 0)
        level = (2 if self.header.rows is None else 3) if found == count else 1
        return (level, found, -len(self.header.match.surplus))


def find_dialect(
    path: Path, encoding: str, columns: tuple[Column, ...], *, dataset: FilesDataset, findings: Findings
) -> tuple[Dialect, Header]:
    """Return the dialect and the header.

    Every combination is read strictly; the one in which a row holds all promised columns wins. Without a header the width and the
    types of the first row decide. What is still open is refused.
    """
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
        is_whole = not file.read(1)
    readings: list[_Reading] = []
    for group in _dialects(encoding, dataset, sample):
        readings += [_read(sample, dialect, columns, dataset=dataset, is_whole=is_whole) for dialect in group]
        if any(reading.rank(len(columns))[0] > 1 for reading in readings):
            break
        if group[0].quote != '"' or group[0].escape is not None or not _may_be_escaped(sample, dataset):
            _refuse_broken_quotes(readings, columns)
    best = max(reading.rank(len(columns)) for reading in readings)
    chosen = [reading for reading in readings if reading.rank(len(columns)) == best]
    if best[0] == 0:
        raise _no_reading(readings, columns)
    if best[0] < 3 or len(columns) == 1:
        chosen = _steady(chosen)
    first = chosen[0]
    if any(other.rows != first.rows for other in chosen[1:]):
        names = tuple(f"delimiter: {r.dialect.delimiter!r}" for r in chosen)
        problem = Problem("the text can be read with several delimiters", allowed=tuple(dict.fromkeys(names)))
        raise Invalid(f"the delimiter of {findings.file} is ambiguous", problems=[problem], hint="declare delimiter and quote")
    _report(first, sample, dataset, findings)
    assert first.header is not None  # noqa: S101 - rank 0 was refused above
    return first.dialect, first.header


def _dialects(encoding: str, dataset: FilesDataset, sample: str) -> Iterator[list[Dialect]]:
    """Yield groups of dialects; a later group counts only when an earlier one finds nothing."""
    delimiters = (dataset.delimiter,) if dataset.delimiter else ("\t",) if dataset.format == "tsv" else _DELIMITERS
    quotes = _QUOTES if dataset.quote is None else (dataset.quote,)
    for quote in quotes:
        escapes = (None, "\\") if _may_be_escaped(sample, dataset, quote) else (dataset.escape,)
        for escape in escapes:
            yield [Dialect(encoding, delimiter, quote, escape, dataset.comment) for delimiter in delimiters]


def _may_be_escaped(sample: str, dataset: FilesDataset, quote: str = '"') -> bool:
    return dataset.escape is None and bool(quote) and f"\\{quote}" in sample


def _refuse_broken_quotes(readings: list[_Reading], columns: tuple[Column, ...]) -> None:
    """Refuse a text whose header fits and whose quotes are broken further down; reading it without quotes would keep them as data."""
    for reading in readings:
        if reading.failure and reading.header and reading.header.match.is_full(len(columns)) and reading.header.rows:
            line = reading.rows[-1][0] + 1
            problem = Problem(f"the quotes are broken in this record or behind it: {reading.failure}", line=line)
            raise Invalid("the quotes of the text cannot be read", problems=[problem], hint="correct it, or declare quote and escape")


def _read(sample: str, dialect: Dialect, columns: tuple[Column, ...], *, dataset: FilesDataset, is_whole: bool) -> _Reading:
    rows: list[Row] = []
    failure = None
    try:
        for row in records(io.StringIO(sample, newline=""), dialect):
            rows += [row] if row[0] > dataset.skip_rows else []
    except csv.Error as error:
        # A sample that was cut inside a quoted cell ends with an error that says nothing about the file.
        failure = str(error) if is_whole or "unexpected end" not in str(error) else None
    rows = rows if is_whole or len(rows) < 2 else rows[:-1]
    filled = [row for row in rows if any(cell.strip() for cell in row[1])]
    header = find_header(filled, columns, dataset) if filled else None
    if header is None and filled and looks_like_data(filled[0][1], columns):
        header = no_header(filled, columns)
    return _Reading(dialect, header, rows, failure)


def records(lines: Any, dialect: Dialect) -> Iterator[Row]:
    """Yield (number of its first line, cells) of each record, comments left out; strict, so a bad quote is `csv.Error`."""
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(_with_sound_quotes(lines, dialect) if dialect.escape else lines, **dialect.arguments())
    line = 1
    for cells in reader:
        if not (dialect.comment and cells and cells[0].startswith(dialect.comment)):
            yield line, cells
        line = reader.line_num + 1


def _with_sound_quotes(lines: Any, dialect: Dialect) -> Iterator[str]:
    """Yield the lines; raise `csv.Error` at a quote inside a cell that is not escaped: Python's reader, strict or not, keeps it as data."""
    quote, escape, between = re.escape(dialect.quote), re.escape(dialect.escape or ""), re.escape(dialect.delimiter)
    stray = re.compile(rf"(?<!^)(?<!{between})(?<!{escape}){quote}(?!{between}|\s*$)")
    for line in lines:
        if dialect.quote and stray.search(line.replace((dialect.escape or "") * 2, "")):
            raise csv.Error(f"a {dialect.quote} inside a cell is not escaped by {dialect.escape}")
        yield line


def _steady(readings: list[_Reading]) -> list[_Reading]:
    """Keep the readings whose rows have the most even width."""

    def evenness(reading: _Reading) -> float:
        widths = Counter(len(cells) for _, cells in reading.rows if cells)
        return widths.most_common(1)[0][1] / sum(widths.values()) if widths else 0.0

    best = max(evenness(reading) for reading in readings)
    return [reading for reading in readings if evenness(reading) == best]


def _no_reading(readings: list[_Reading], columns: tuple[Column, ...]) -> Invalid:
    sound = [reading for reading in readings if reading.rows and not reading.failure]
    if not any(reading.rows for reading in readings):
        failure = next((reading.failure for reading in readings if reading.failure), None)
        return Invalid(f"the text cannot be read: {failure}" if failure else "the file holds no row")
    if not sound:
        return Invalid(f"the quotes of the text cannot be read: {readings[0].failure}", hint="declare quote and escape")
    widest = max(sound, key=lambda r: (len(r.rows[0][1]) == len(columns), len(r.rows[-1][1])))
    return refuse_without_header([row for row in widest.rows if any(row[1])], columns)


def _report(reading: _Reading, sample: str, dataset: FilesDataset, findings: Findings) -> None:
    dialect = reading.dialect
    if dataset.delimiter is None and len(reading.rows[-1][1]) > 1:
        findings.note("delimiter", f"cells are separated by a {_NAMES.get(dialect.delimiter, repr(dialect.delimiter))}", dialect.delimiter)
    if dataset.quote is None and dialect.quote and dialect.quote in sample:
        findings.note("quote", "cells are quoted", dialect.quote)
    if dataset.escape is None and dialect.escape:
        findings.note("escape", "quotes inside a cell are escaped", dialect.escape)

"""Other readers of the same bytes, which share no code with ours: the rows that a file holds, taken at its word.

A reading is the list of its rows as texts; a text format has several, one for each way in which it may be encoded and divided.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import openpyxl
import polars as pl

Cells = tuple[str | None, ...]
Reading = list[Cells]
_ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15")
_NAMES = ("id", "name", "amount", "day", "proof")


def readings(name: str, data: bytes) -> list[Reading]:
    """Return every way in which other readers understand a file; none when none of them does."""
    found = []
    for read in _READERS[name]:
        try:
            found += [reading for reading in read(data) if reading]
        except (Exception, pl.exceptions.PanicException):  # noqa: BLE001, S112 -- one that gives up, in whatever way, holds no row
            continue
    return found


def _texts(data: bytes) -> Iterator[str]:
    for encoding in _ENCODINGS:
        try:
            yield data.decode(encoding)
        except UnicodeDecodeError:
            continue


def _delimited(data: bytes) -> Iterator[Reading]:
    csv.field_size_limit(1 << 24)
    for text, delimiter, is_strict in itertools.product(_texts(data), ",;\t|", (True, False)):
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            try:
                rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=is_strict, quoting=quoting))
            except csv.Error:
                continue
            yield [tuple(row) for row in rows if len(row) == len(_NAMES)]


def _fixed(data: bytes) -> Iterator[Reading]:
    ends = list(itertools.accumulate((6, 30, 14, 10, 8)))
    for text in _texts(data):
        lines = io.StringIO(text, newline="").read().replace("\r\n", "\n").replace("\r", "\n").split("\n")
        yield [tuple(line[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)) for line in lines if line]


def _members(rows: Any) -> Reading:
    def cell(value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    # A name is the same in capitals and with a space around it.
    named = [{name.strip().casefold(): value for name, value in row.items()} for row in rows if isinstance(row, dict)]
    return [tuple(cell(row.get(name)) for name in _NAMES) for row in named]


def _documents(data: bytes) -> Iterator[Any]:
    for text in _texts(data):
        try:
            yield json.loads(text, parse_float=str, parse_int=str)
        except ValueError:
            continue


def _json(data: bytes) -> Iterator[Reading]:
    for document in _documents(data):
        yield _members(document["data"])


def _ndjson(data: bytes) -> Iterator[Reading]:
    for text in _texts(data):
        rows = []
        for line in text.split("\n"):
            try:
                rows.append(json.loads(line, parse_float=str, parse_int=str))
            except ValueError:
                continue
        yield _members(rows)


def _geojson(data: bytes) -> Iterator[Reading]:
    for document in _documents(data):
        yield _members(one["properties"] for one in document["features"])


def _xml(data: bytes) -> Iterator[Reading]:
    root = ET.fromstring(data)  # noqa: S314 -- of our own making
    yield [tuple("".join(found.itertext()) if (found := row.find(name)) is not None else None for name in _NAMES) for row in root.iter("r")]


def _frame(rows: Sequence[Sequence[Any]]) -> Reading:
    return [tuple(None if cell is None else _plain(cell) for cell in row) for row in rows]


def _plain(cell: Any) -> str:
    if hasattr(cell, "isoformat"):
        text: str = cell.isoformat()
        return text.removesuffix("T00:00:00")
    return repr(cell) if isinstance(cell, float) else str(cell)


def _parquet(data: bytes) -> Iterator[Reading]:
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "a.parquet"
        path.write_bytes(data)
        yield _frame(connection.execute("SELECT id, name, amount, day, proof FROM read_parquet(?)", [str(path)]).fetchall())


def _parquet_too(data: bytes) -> Iterator[Reading]:
    yield _frame(pl.read_parquet(io.BytesIO(data)).select(_NAMES).rows())


def _arrow(data: bytes) -> Iterator[Reading]:
    yield _frame(pl.read_ipc(io.BytesIO(data)).select(_NAMES).rows())


def _xlsx(data: bytes) -> Iterator[Reading]:
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    for sheet in book.worksheets:
        yield _frame([row[:5] for row in sheet.iter_rows(values_only=True)])


def _ods(data: bytes) -> Iterator[Reading]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = archive.read("content.xml")  # the zip's own checksum is checked here
    spaces = {"t": "urn:oasis:names:tc:opendocument:xmlns:table:1.0"}
    root = ET.fromstring(content)  # noqa: S314 -- of our own making
    rows = root.iterfind(".//t:table-row", spaces)
    yield [tuple("".join(cell.itertext()) for cell in row.iterfind("t:table-cell", spaces)) for row in rows]


def _xls(data: bytes) -> Iterator[Reading]:
    import xlrd

    sheet = xlrd.open_workbook(file_contents=data, logfile=io.StringIO()).sheet_by_index(0)
    yield _frame([sheet.row_values(number)[:5] for number in range(sheet.nrows)])


def _geopackage(data: bytes) -> Iterator[Reading]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        path.write_bytes(data)
        session = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            yield _frame(session.execute("SELECT id, name, amount, day, proof FROM data").fetchall())
        finally:
            session.close()


def _gz(data: bytes) -> Iterator[Reading]:
    yield from _delimited(gzip.decompress(data))


def _zip(data: bytes) -> Iterator[Reading]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        yield from _delimited(archive.read("data.csv"))


_READERS: dict[str, tuple[Callable[[bytes], Iterator[Reading]], ...]] = {
    "comma.csv": (_delimited,),
    "semicolon.csv": (_delimited,),
    "tab.tsv": (_delimited,),
    "fixed.txt": (_fixed,),
    "document.json": (_json,),
    "lines.ndjson": (_ndjson,),
    "export.xml": (_xml,),
    "features.geojson": (_geojson,),
    "table.parquet": (_parquet, _parquet_too),
    "table.arrow": (_arrow,),
    "book.xlsx": (_xlsx,),
    "book.ods": (_ods,),
    "book.xls": (_xls,),
    "layer.gpkg": (_geopackage,),
    "packed.csv.gz": (_gz,),
    "packed.zip": (_zip,),
}

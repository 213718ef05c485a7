"""One small table in every format that files come in, and how each is read. Each row carries a checksum of itself."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from polyceph.core.model.contract import Column

Row = tuple[str, str, str, str, str]
NAMES = ("id", "name", "amount", "day", "proof")
COLUMNS = (
    Column("id", "integer", required=True),
    Column("name", "string"),
    Column("amount", "number", physical_type="decimal(12,2)"),
    Column("day", "date"),
    Column("proof", "string"),
)
_MOMENT = datetime(2026, 1, 1)  # noqa: DTZ001 -- formats of files know no zone
_WIDTHS = (6, 30, 14, 10, 8)
_WORDS = ("Liège", "Sint-Truiden", "Eupen", "La Calamine", "Ænd", "l'école", "Ý", "名前", "a;b", 'dit "le Grand"', "x,y")


def proof(cells: Sequence[str]) -> str:
    """Return the checksum that a row's last cell holds."""
    return f"{zlib.crc32('|'.join(cells[:4]).encode()):08x}"


def rows(count: int = 60) -> list[Row]:
    """Return the rows as texts, the way each format writes them."""
    made = []
    for number in range(1, count + 1):
        cells = [str(number * 7), f"{_WORDS[number % len(_WORDS)]} {number}", f"{Decimal(number * 1237) / 100:.2f}"]
        cells.append((date(2024, 1, 1) + timedelta(days=number * 11)).isoformat())
        made.append((*cells, proof(cells)))
    return made


@dataclass(frozen=True)
class Original:
    """A format: the file's name, how rows become bytes, the options that read it. `is_text` allows changes that only texts know."""

    name: str
    write: Callable[[Sequence[Row]], bytes]
    options: dict[str, Any] = field(default_factory=dict)
    is_text: bool = True


def _delimited(delimiter: str, encoding: str = "utf-8") -> Callable[[Sequence[Row]], bytes]:
    def write(given: Sequence[Row]) -> bytes:
        sink = io.StringIO(newline="")
        csv.writer(sink, delimiter=delimiter, lineterminator="\n").writerows([NAMES, *given])
        return sink.getvalue().encode(encoding)

    return write


def _fixed(given: Sequence[Row]) -> bytes:
    return "".join("".join(cell.ljust(width) for cell, width in zip(row, _WIDTHS, strict=True)) + "\n" for row in given).encode()


def _json(given: Sequence[Row]) -> bytes:
    return json.dumps({"data": [dict(zip(NAMES, row, strict=True)) for row in given]}, ensure_ascii=False).encode()


def _ndjson(given: Sequence[Row]) -> bytes:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) + "\n" for row in given).encode()


def _xml(given: Sequence[Row]) -> bytes:
    from xml.sax.saxutils import escape

    parts = "".join("<r>" + "".join(f"<{n}>{escape(c)}</{n}>" for n, c in zip(NAMES, row, strict=True)) + "</r>\n" for row in given)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<export>{parts}</export>\n'.encode()


def _geojson(given: Sequence[Row]) -> bytes:
    point = {"type": "Point", "coordinates": [4.35, 50.85]}
    features = [{"type": "Feature", "geometry": point, "properties": dict(zip(NAMES, row, strict=True))} for row in given]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def _table(given: Sequence[Row]) -> pa.Table:
    ids, names, amounts, days, proofs = (list(column) for column in zip(*given, strict=True))
    typed = [
        pa.array([int(one) for one in ids], pa.int64()),
        pa.array(names),
        pa.array([Decimal(one) for one in amounts], pa.decimal128(12, 2)),
    ]
    typed += [pa.array([date.fromisoformat(one) for one in days], pa.date32()), pa.array(proofs)]
    return pa.table(typed, names=list(NAMES))


def _parquet(given: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(_table(given), sink, compression="zstd")
    return sink.getvalue()


def _arrow(given: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, _table(given).schema) as writer:
        writer.write_table(_table(given))
    return sink.getvalue()


def _dated(packed: bytes) -> bytes:
    """Return a zip whose members are all of one moment, so that the same rows are always the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as source, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        for one in source.infolist():
            content = source.read(one)
            if one.filename in ("docProps/core.xml", "meta.xml"):
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+", _MOMENT.isoformat().encode(), content)
            target.writestr(zipfile.ZipInfo(one.filename, _MOMENT.timetuple()[:6]), content, one.compress_type)
    return sink.getvalue()


def _xlsx(given: Sequence[Row]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(NAMES))
    for number, name, amount, day, check in given:
        sheet.append([int(number), name, float(amount), date.fromisoformat(day), check])
        sheet.cell(sheet.max_row, 5).number_format = "@"
    sink = io.BytesIO()
    book.save(sink)
    return _dated(sink.getvalue())


def _ods(given: Sequence[Row]) -> bytes:
    document = OpenDocumentSpreadsheet()
    table = Table(name="Data")
    for cells in [NAMES, *given]:
        line = TableRow()
        for text in cells:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    sink = io.BytesIO()
    document.write(sink)
    return _dated(sink.getvalue())


def _xls(given: Sequence[Row]) -> bytes:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    for line, cells in enumerate([NAMES, *given]):
        for column, text in enumerate(cells):
            sheet.write(line, column, text)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _geopackage(given: Sequence[Row]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        session = sqlite3.connect(path)
        session.executescript(
            "PRAGMA application_id = 1196444487; PRAGMA user_version = 10300;"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,"
            " organization_coordsys_id INTEGER, definition TEXT, description TEXT);"
            "INSERT INTO gpkg_spatial_ref_sys VALUES ('WGS 84', 4326, 'EPSG', 4326, 'GEOGCS', '');"
            "CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT, description TEXT, last_change TEXT,"
            " min_x REAL, min_y REAL, max_x REAL, max_y REAL, srs_id INTEGER);"
            "INSERT INTO gpkg_contents VALUES ('data', 'features', 'data', '', '2026-01-01T00:00:00Z', NULL, NULL, NULL, NULL, 4326);"
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT, srs_id INTEGER,"
            " z INTEGER, m INTEGER);"
            "INSERT INTO gpkg_geometry_columns VALUES ('data', 'geometry', 'POINT', 4326, 0, 0);"
            "CREATE TABLE data (fid INTEGER PRIMARY KEY, geometry BLOB, id TEXT, name TEXT, amount TEXT, day TEXT, proof TEXT);"
        )
        point = b"GP\x00\x01" + struct.pack("<i", 4326) + struct.pack("<BIdd", 1, 1, 4.35, 50.85)
        values = [(point, *row) for row in given]
        session.executemany("INSERT INTO data (geometry, id, name, amount, day, proof) VALUES (?, ?, ?, ?, ?, ?)", values)
        session.commit()
        session.close()
        return path.read_bytes()


def _gz(given: Sequence[Row]) -> bytes:
    return gzip.compress(_delimited(",")(given), mtime=0)


def _zip(given: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", _delimited(";")(given))
    return _dated(sink.getvalue())


_FIXED = [{"name": name, "length": width} for name, width in zip(NAMES, _WIDTHS, strict=True)]
ORIGINALS: tuple[Original, ...] = (
    Original("comma.csv", _delimited(",")),
    Original("semicolon.csv", _delimited(";"), {"delimiter": ";", "encoding": "utf-8"}),
    Original("tab.tsv", _delimited("\t")),
    Original("fixed.txt", _fixed, {"format": "fixed", "columns": _FIXED}),
    Original("document.json", _json, {"records": "data"}),
    Original("lines.ndjson", _ndjson),
    Original("export.xml", _xml, {"rows": "/export/r"}),
    Original("features.geojson", _geojson, {"ignore_columns": ["geometry"]}),
    Original("table.parquet", _parquet, is_text=False),
    Original("table.arrow", _arrow, is_text=False),
    Original("book.xlsx", _xlsx, is_text=False),
    Original("book.ods", _ods, {"decimal": "."}, is_text=False),
    Original("book.xls", _xls, {"decimal": "."}, is_text=False),
    Original("layer.gpkg", _geopackage, {"layer": "data", "ignore_columns": ["fid", "geometry"]}, is_text=False),
    Original("packed.csv.gz", _gz, is_text=False),
    Original("packed.zip", _zip, {"format": "csv", "member": "data.csv"}, is_text=False),
)

"""What a domain's systems consist of, and how a table becomes bytes. Where each piece is served is in `servers`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from polyceph.testing.federation.scenario import Month

MONTHS = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre")
LONG_AGO = datetime(2021, 11, 2, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Piece:
    """A file below the folder of systems. `arrived` (UTC) becomes its time of modification."""

    path: str
    content: bytes
    arrived: datetime = LONG_AGO


def database(kind: str, name: str, ddl: str, tables: dict[str, pa.Table]) -> list[Piece]:
    """Return an operational database: its DDL, and each table as CSV without header in the order of the DDL's columns.

    `kind` is `postgres` or `mariadb`. An empty field is NULL. The DDL creates the tables, parents before children.
    """
    folder = f"{kind}/{name}"
    return [Piece(f"{folder}/schema.sql", ddl.encode()), *(Piece(f"{folder}/{table}.csv", copied(rows)) for table, rows in tables.items())]


def copied(rows: pa.Table) -> bytes:
    """Return rows as CSV that a database's COPY reads: no header, NULL is an empty field."""
    sink = io.BytesIO()
    options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
    pa.csv.write_csv(rows, sink, options)
    return sink.getvalue()


def ndjson(rows: pa.Table | Iterable[dict[str, Any]]) -> bytes:
    """Return rows as one JSON object a line: what the servers of APIs page through."""
    found = rows.to_pylist() if isinstance(rows, pa.Table) else rows
    return "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in found).encode()


def document(content: Any) -> bytes:
    """Return a JSON document, indented as people export it."""
    return (json.dumps(content, ensure_ascii=False, indent=1, default=_plain) + "\n").encode()


def parquet(rows: pa.Table) -> bytes:
    """Return rows as Parquet."""
    sink = io.BytesIO()
    pa.parquet.write_table(rows, sink, compression="zstd")
    return sink.getvalue()


def delimited(header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Return a delimited text as an office sends it, with lines ended as on Windows."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def amount(value: float, *, decimals: int = 2, thousands: str = "") -> str:
    """Return a number as written in Belgium: `12.345,60` with thousands `.`."""
    return f"{value:,.{decimals}f}".replace(",", "_").replace(".", ",").replace("_", thousands)


def day_in_french(day: date) -> str:
    """Return `1er mars 2024`, `12 mars 2024`."""
    return f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"


def month_in_french(month: Month) -> str:
    """Return `mars 2024`."""
    return f"{MONTHS[month.number - 1]} {month.year}"


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not go into JSON")

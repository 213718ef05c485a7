"""Serving a dataset of the lake as a file: Parquet, CSV or Excel, written under another name and renamed, with a side file of facts.

A text cell that begins with = + - @ (or a tab or carriage return) could run as a formula in a spreadsheet: in CSV it gets an
apostrophe in front; in Excel it is a text cell marked so, its value unchanged.
"""

from __future__ import annotations

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none
import datetime as dt
import json
import math
import uuid
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import duckdb
import pyarrow as pa
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId
from polyceph.errors import Invalid, Unavailable
from polyceph.lake.engine import literal, quote
from polyceph.lake.lake import DomainLake
from polyceph.lake.outputs import OutputReport, say_served
from polyceph.lake.storage import file_sha256
from polyceph.lake.transaction import reason

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_EXCEL_ROWS = 1_048_575
_EXCEL_TEXT = 32_767
_EXCEL_EXACT = 10**15
_EXCEL_FIRST_YEAR = 1900


class FileFormat(StrEnum):
    """The kinds of file an output can be."""

    PARQUET = "parquet"
    CSV = "csv"
    XLSX = "xlsx"


def to_file(lake: DomainLake, dataset: DatasetId, path: Path, *, file_format: str, commit: LakeCommit) -> OutputReport:
    """Write a dataset to `path` and its facts to `<path>.json`; a reader finds the old file or the new one, whole.

    That it is served is recorded before the file gets its name.

    Raises:
        NotFound: the lake has no such dataset.
        Invalid: the format is unknown, or Excel cannot hold the rows.
        Unavailable: the lake does not answer, the disk does not take the file, or the serving cannot be recorded.
    """
    kind = _known(file_format)
    facts = lake.facts(dataset)  # a dataset that is not there is not found, before anything is written
    snapshot = lake.newest_snapshot()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    source = ".".join(map(quote, (dataset.domain, dataset.zone.value, dataset.name))) + f" AT (VERSION => {snapshot})"
    try:
        with lake.alone() as connection:
            rows = _write_excel(connection, source, fresh) if kind is FileFormat.XLSX else _copy(connection, source, fresh, kind)
        version = commit.contracts.get(str(dataset))
        report = OutputReport(dataset, str(path), rows, fresh.stat().st_size, snapshot, version, file_sha256(fresh))
        side = fresh.with_suffix(".facts")
        side.write_text(json.dumps(_facts(report, commit), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        say_served(lake, report, facts, commit)
        fresh.replace(path)
        side.replace(path.with_name(f"{path.name}.json"))
    except (duckdb.Error, OSError) as error:
        text = reason(error) if isinstance(error, duckdb.Error) else error.strerror
        raise Unavailable(f"{dataset} could not be written to {path}: {text}; the old file stays") from error
    finally:
        fresh.unlink(missing_ok=True)
        fresh.with_suffix(".facts").unlink(missing_ok=True)
    return report


def _known(name: str) -> FileFormat:
    try:
        return FileFormat(name)
    except ValueError as error:
        raise Invalid(f"an output cannot be written as {name!r}; formats are {', '.join(FileFormat)}") from error


def _facts(report: OutputReport, commit: LakeCommit) -> dict[str, object]:
    return {
        "dataset": str(report.dataset),
        "rows": report.rows,
        "bytes": report.bytes,
        "sha256": report.sha256,
        "snapshot": report.snapshot,
        "contract": report.contract,
        "run": commit.run,
        "code": commit.code,
        "written_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _copy(connection: duckdb.DuckDBPyConnection, source: str, fresh: Path, kind: FileFormat) -> int:
    select, options = f"SELECT * FROM {source}", "FORMAT parquet, COMPRESSION zstd"
    if kind is FileFormat.CSV:
        guarded = [_guarded(str(row[0]), str(row[1])) for row in connection.execute(f"DESCRIBE {select}").fetchall()]
        select, options = f"SELECT {', '.join(guarded)} FROM {source}", "FORMAT csv, HEADER true"
    row = connection.execute(f"COPY ({select}) TO {literal(str(fresh))} ({options})").fetchone()
    return int(row[0]) if row else 0


def _guarded(name: str, kind: str) -> str:
    column = quote(name)
    if kind != "VARCHAR":
        return column
    risky = f"substr({column}, 1, 1) IN ({', '.join(_sql_text(sign) for sign in _RISKY)})"
    return f"CASE WHEN {risky} THEN '''' || {column} ELSE {column} END AS {column}"


def _sql_text(sign: str) -> str:
    return f"chr({ord(sign)})"


def _write_excel(connection: duckdb.DuckDBPyConnection, source: str, fresh: Path) -> int:
    count = (connection.execute(f"SELECT count(*) FROM {source}").fetchone() or (0,))[0]
    if count > _EXCEL_ROWS:
        raise Invalid(f"a sheet holds {_EXCEL_ROWS} rows and there are {count}", hint="serve it as parquet or csv")
    reader = connection.execute(f"SELECT * FROM {source}").to_arrow_reader(10_000)
    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd", "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(fresh), options) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        formats = {
            "risky": book.add_format({"quote_prefix": True}),
            "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        for column, name in enumerate(reader.schema.names):
            sheet.write_string(0, column, name, bold)
        sheet.freeze_panes(1, 0)
        return _write_rows(sheet, reader, formats)


def _write_rows(sheet: Worksheet, reader: pa.RecordBatchReader, formats: dict[str, Format]) -> int:
    number = 0
    for batch in reader:
        columns = [column.to_pylist() for column in batch.columns]
        for values in zip(*columns, strict=True):
            number += 1
            for column, value in enumerate(values):
                if value is not None:
                    _write_cell(sheet, (number, column), value, formats)
    return number


def _write_cell(sheet: Worksheet, cell: tuple[int, int], value: object, formats: dict[str, Format]) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(*cell, value)
    elif isinstance(value, int | float | Decimal) and math.isfinite(value) and -_EXCEL_EXACT < value < _EXCEL_EXACT:
        sheet.write_number(*cell, float(value))
    elif isinstance(value, dt.datetime) and value.year >= _EXCEL_FIRST_YEAR:
        sheet.write_datetime(*cell, value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value, formats["time"])
    elif isinstance(value, dt.date) and value.year >= _EXCEL_FIRST_YEAR:
        sheet.write_datetime(*cell, value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False).strip('"')
        if len(text) > _EXCEL_TEXT:
            raise Invalid(f"row {cell[0]} has a text of {len(text)} characters; a cell holds {_EXCEL_TEXT}", hint="serve it as csv")
        sheet.write_string(*cell, text, formats["risky"] if text.startswith(_RISKY) else None)

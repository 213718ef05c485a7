"""The first rows of a file without a contract, and what its columns are. Runs in the throw-away process only.

The names are found first; then the file is read by the same reader as for a load, every column as a text unless its format has types.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph.connectors.tabular.conversion import ROW, Conversion
from polyceph.connectors.tabular.dialect import Dialect, records
from polyceph.connectors.tabular.encoding import find_encoding
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.formats import decide
from polyceph.connectors.tabular.headers import SurveyedError
from polyceph.connectors.tabular.options import WORKBOOKS, FilesDataset
from polyceph.connectors.tabular.spool import Locate, Portion, Spool
from polyceph.sdk import Column, Invalid, Note, SourceColumn

Reader = Callable[[tuple[Column, ...], FilesDataset, Findings], tuple[Iterator[Portion], Locate]]
_DELIMITERS = (";", ",", "\t", "|", ":")
_SAMPLE_CHARACTERS = 1 << 18
_GEOPACKAGE = {"BOOLEAN": "boolean", "DATE": "date", "DATETIME": "timestamp", "FLOAT": "number", "DOUBLE": "number", "REAL": "number"}
_GEOPACKAGE |= dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER"), "integer")


def sample_file(path: Path, kind: str, dataset: FilesDataset, rows: int, *, folder: Path, name: str, read: Reader) -> dict[str, Any]:
    """Write the first rows into `rows.arrow` in `folder` and return the report: columns and notes.

    Raises:
        Invalid, NotFound: the file cannot be read, or an option has to say first where its rows are.
    """
    findings = Findings(name, is_sample=True)
    if kind in ("csv", "tsv"):
        dataset, names, notes = _delimited(path, dataset, findings)
        columns = [Column(one, "string") for one in names]
    elif kind in WORKBOOKS:
        dataset, columns, notes = _workbook(path, dataset, rows, findings)
    else:
        columns, notes = _typed(path, kind, dataset, _names(read, dataset, findings), findings), []
    found = Findings(name, is_sample=True)

    def again(other: list[Column], to: Findings) -> list[pa.RecordBatch]:
        return _first(other, dataset, rows, folder=folder, found=to, read=read)

    columns, batches, found = _with_nested(columns, again(columns, found), found, again)
    schema = batches[0].schema if batches else pa.schema([(column.name, pa.string()) for column in columns])
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    described = [asdict(_described(column, kind)) for column in columns]
    return {"columns": described, "notes": [asdict(note) for note in (*notes, *found.notes)]}


def parts(path: Path, kind: str, name: str) -> list[str]:
    """Return the sheets of a workbook or the layers of a GeoPackage."""
    findings = Findings(name)
    if kind == "geopackage":
        from polyceph.connectors.tabular.features import layers, opened

        with closing(opened(path, findings)) as connection:
            return layers(connection)
    from polyceph.connectors.tabular.workbook import sheet_names

    return sheet_names(path, findings)


def _names(read: Reader, dataset: FilesDataset, findings: Findings) -> list[str]:
    try:
        read((), dataset, findings)
    except SurveyedError as found:
        return found.names
    raise Invalid(f"{findings.file} holds no row")


def _first(columns: list[Column], dataset: FilesDataset, rows: int, *, folder: Path, found: Findings, read: Reader) -> list[pa.RecordBatch]:
    portions, locate = read(tuple(columns), dataset, found)
    spool = Spool(folder / "texts.arrow", tuple(columns))
    spool.write(_limited(portions, rows), dataset)
    conversion = Conversion(spool, decide(spool, dataset, found), dataset, locate, found)
    return [batch.drop_columns([ROW]) for batch in conversion.batches()]


def _limited(portions: Iterable[Portion], rows: int) -> Iterator[Portion]:
    left = rows
    for portion in portions:
        texts = [column.slice(0, left) for column in portion.texts]
        natives = [None if column is None else column.slice(0, left) for column in portion.natives]
        yield Portion(portion.rows.slice(0, left), texts, natives)
        left -= len(portion.rows)
        if left <= 0:
            return


def _with_nested(
    columns: list[Column], batches: list[pa.RecordBatch], found: Findings, again: Callable[[list[Column], Findings], list[pa.RecordBatch]]
) -> tuple[list[Column], list[pa.RecordBatch], Findings]:
    """Read again with the columns as lists or objects whose values turned out to be such."""
    nested = {reject.column: "array" if (reject.value or "").startswith("[") else "object" for reject in found.rejects if reject.column}
    if not nested:
        return columns, batches, found
    other = [replace(column, logical_type=nested.get(column.name, column.logical_type)) for column in columns]
    fresh = Findings(found.file, is_sample=True)
    return other, again(other, fresh), fresh


def _typed(path: Path, kind: str, dataset: FilesDataset, names: list[str], findings: Findings) -> list[Column]:
    if kind in ("parquet", "arrow"):
        from polyceph.connectors.tabular.columnar import opened

        schema = opened(path, kind, findings).schema
        return [_arrow_column(name, schema.field(name).type) for name in names]
    if kind == "geopackage":
        kinds = _layer_types(path, dataset, findings)
        return [Column(name, _GEOPACKAGE.get(kinds.get(name, ""), "string"), kinds.get(name)) for name in names]
    return [Column(name, "string") for name in names]


def _arrow_column(name: str, kind: pa.DataType) -> Column:
    if pa.types.is_decimal(kind):
        return Column(name, "number", f"decimal({kind.precision},{kind.scale})")
    if pa.types.is_timestamp(kind):
        return Column(name, "timestamp", "timestamptz" if kind.tz else "timestamp")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return Column(name, "array", str(kind))
    tests = {"integer": pa.types.is_integer, "number": pa.types.is_floating, "boolean": pa.types.is_boolean}
    tests |= {"date": pa.types.is_date, "time": pa.types.is_time, "object": pa.types.is_nested}
    return Column(name, next((logical for logical, fits in tests.items() if fits(kind)), "string"), str(kind))


def _layer_types(path: Path, dataset: FilesDataset, findings: Findings) -> dict[str, str]:
    from polyceph.connectors.tabular.features import layers, opened, quoted

    with closing(opened(path, findings)) as connection:
        layer = dataset.layer or layers(connection)[0]
        try:
            rows = connection.execute(f"PRAGMA table_info({quoted(layer)})").fetchall()
        except sqlite3.DatabaseError as error:
            raise Invalid(f"{findings.file} is damaged: {error}", hint="save it anew") from error
    return {str(row[1]): str(row[2]).upper() for row in rows}


def _delimited(path: Path, dataset: FilesDataset, findings: Findings) -> tuple[FilesDataset, list[str], list[Note]]:
    """Find delimiter and header by themselves: the most even widths, and the first row whose cells are all names."""
    encoding = find_encoding(path, dataset.encoding, findings)
    with path.open(encoding=encoding, newline="") as file:
        text = file.read(_SAMPLE_CHARACTERS)
        text = text if not file.read(1) else text[: text.rfind("\n") + 1]
    given = [dataset.delimiter] if dataset.delimiter else ["\t"] if dataset.format == "tsv" else list(_DELIMITERS)
    read = {one: _rows(text, Dialect(encoding, one, '"' if dataset.quote is None else dataset.quote, dataset.escape)) for one in given}
    delimiter = max(given, key=lambda one: _evenness(read[one]))
    rows = [row for row in read[delimiter] if any(cell.strip() for cell in row[1])]
    if not rows:
        raise Invalid(f"{findings.file} holds no row that can be read", hint="declare delimiter, quote and encoding")
    declared = dataset.header_rows()
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    at = next((n for n, cells in rows if (n == declared[0] if declared else len(cells) == width and _are_names(cells))), None)
    notes = [Note("delimiter", "cells are separated by this", delimiter)] if width > 1 else []
    if at is None or dataset.header == "none":
        notes.append(Note("header", "no row looks like a header: columns are numbered", "none"))
        names = [f"column_{n}" for n in range(1, width + 1)]
        return dataset.model_copy(update={"delimiter": delimiter, "header": "none"}), names, notes
    notes.append(Note("header", "the header stands in this line", str(at)))
    cells = next(cells for n, cells in rows if n == at)
    return dataset.model_copy(update={"delimiter": delimiter, "header": dataset.header or at}), [c.strip() for c in cells], notes


def _rows(text: str, dialect: Dialect) -> list[tuple[int, list[str]]]:
    try:
        return list(records(io.StringIO(text, newline=""), dialect))
    except csv.Error:
        return []


def _evenness(rows: list[tuple[int, list[str]]]) -> tuple[float, int]:
    widths = Counter(len(cells) for _, cells in rows if any(cells))
    if not widths:
        return (0.0, 0)
    width, count = widths.most_common(1)[0]
    return (count / sum(widths.values()) if width > 1 else 0.0, width)


def _are_names(cells: list[str]) -> bool:
    names = [cell.strip() for cell in cells]
    return all(names) and len(set(names)) == len(names) and not any(name.replace(".", "").replace(",", "").isdigit() for name in names)


def _workbook(path: Path, dataset: FilesDataset, rows: int, findings: Findings) -> tuple[FilesDataset, list[Column], list[Note]]:
    from polyceph.connectors.tabular.workbook import sheet_rows

    found = sheet_rows(path, dataset, findings)
    filled = [(number, cells) for number, cells in found if any(value != "" for value in cells)]
    if not filled:
        raise Invalid(f"{findings.file} holds no row in this sheet")
    width = Counter(sum(value != "" for value in cells) for _, cells in filled).most_common(1)[0][0]
    declared = dataset.header_rows()
    at = next((i for i, (n, cells) in enumerate(filled) if (n == declared[0] if declared else _is_head(cells, width))), 0)
    number, head = filled[at]
    below = [cells for _, cells in filled[at + 1 : at + 1 + rows]]
    columns = [
        Column(" ".join(str(name).split()), *_cell_type([cells[i] for cells in below])) for i, name in enumerate(head) if str(name).strip()
    ]
    note = Note("header", "the header stands in this row", str(number))
    return dataset.model_copy(update={"header": dataset.header or number}), columns, [note]


def _is_head(cells: list[Any], width: int) -> bool:
    names = [value for value in cells if value != ""]
    return len(names) >= width and all(isinstance(name, str) for name in names)


def _cell_type(values: list[Any]) -> tuple[str, str | None]:
    kinds = {type(value).__name__ for value in values if value != ""}
    if kinds <= {"int", "float"} and kinds:
        is_whole = all(float(value).is_integer() for value in values if value != "")
        return ("integer", "number") if is_whole else ("number", "number")
    single = {"bool": "boolean", "date": "date", "datetime": "timestamp", "time": "time"}
    if kinds <= {"date", "datetime"} and kinds:
        has_time = any(getattr(value, "hour", 0) or getattr(value, "minute", 0) for value in values if value != "")
        return ("timestamp", "datetime") if has_time else ("date", "date")
    return (single.get(next(iter(kinds)), "string"), None) if len(kinds) == 1 else ("string", None)


def _described(column: Column, kind: str) -> SourceColumn:
    """Return a column as its format tells it; texts of formats without types have none."""
    has_types = kind in ("parquet", "arrow", "geopackage") or (kind in WORKBOOKS and column.logical_type != "string")
    is_told = has_types or column.logical_type in ("array", "object")
    physical = column.physical_type if (column.physical_type or "").startswith(("decimal", "timestamp")) else None
    source = column.physical_type or ("text" if column.logical_type == "string" else column.logical_type)
    return SourceColumn(column.name, source, column.logical_type if is_told else None, physical if is_told else None)

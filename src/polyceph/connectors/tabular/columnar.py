"""Parquet files and Arrow files (Feather): the columns of the contract, read batch by batch and cast without loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.shapes import is_closed
from polyceph.connectors.tabular.spool import BATCH_ROWS, Locate, Portion
from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, Invalid


@dataclass(frozen=True)
class ColumnarFile:
    """An open file: its schema, and its rows with the columns that are asked for."""

    schema: pa.Schema
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]


def read_columnar(
    path: Path, columns: tuple[Column, ...], dataset: FilesDataset, *, kind: str, findings: Findings
) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of a Parquet or Arrow file; texts go the way of every text, other types must fit without loss.

    Raises:
        Invalid: the file is none, columns are missing or not promised, or a type cannot become the promised one.
    """
    file = opened(path, kind, findings)
    names = file.schema.names
    findings.form.types = {one.name: "text" if _is_text(one.type) else str(one.type) for one in file.schema}
    header = Header((1, 1), list(names), match_header(names, columns, dataset))
    check_header(header, columns, {}, findings)
    keys = [names[header.match.positions[i]] for i in range(len(columns)) if i in header.match.positions]
    findings.check()
    rows = _readable(file.batches(list(dict.fromkeys(keys))), kind, findings)
    return _portions(rows, keys, columns, findings), lambda index, row: {"place": f"row {row}, column {keys[index]}"}


def opened(path: Path, kind: str, findings: Findings) -> ColumnarFile:
    """Return a Parquet file or an Arrow file or stream; raise `Invalid` when it is none."""
    name = {"parquet": "Parquet", "arrow": "Arrow"}[kind]
    try:
        return _parquet(path) if kind == "parquet" else _arrow(path, findings)
    except (pa.ArrowException, OSError) as error:
        raise Invalid(f"{findings.file} is no {name} file: {str(error).splitlines()[0][:200]}") from error


_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds from 1970 to the first and the last moment that ISO 8601's four digits of a year can write."""


def _parquet(path: Path) -> ColumnarFile:
    file = parquet.ParquetFile(path, page_checksum_verification=True)
    return ColumnarFile(file.schema_arrow, lambda names: file.iter_batches(batch_size=BATCH_ROWS, columns=names))


def _arrow(path: Path, findings: Findings) -> ColumnarFile:
    with path.open("rb") as file:
        start = file.read(6)
    if start[:4] == b"FEA1":
        raise Invalid(f"{findings.file} is Feather of version 1, which does not know all types", hint="save it anew as Feather 2")
    source = pa.memory_map(str(path))
    if start == b"ARROW1":
        reader = pa.ipc.open_file(source)
        return ColumnarFile(reader.schema, lambda names: _chosen((reader.get_batch(i) for i in range(reader.num_record_batches)), names))
    stream = pa.ipc.open_stream(source)
    return ColumnarFile(stream.schema, lambda names: _chosen(stream, names))


def _chosen(batches: Iterable[pa.RecordBatch], names: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        chosen = batch.select(names)
        chosen.validate(full=True)  # bytes from outside: offsets may point anywhere
        for start in range(0, len(chosen), BATCH_ROWS):
            yield chosen.slice(start, BATCH_ROWS)


def _readable(batches: Iterator[pa.RecordBatch], kind: str, findings: Findings) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise Invalid(f"{findings.file} breaks off or is damaged ({type(error).__name__})", hint=f"save it anew as {kind}") from error


def _portions(batches: Iterator[pa.RecordBatch], keys: list[str], columns: tuple[Column, ...], findings: Findings) -> Iterator[Portion]:
    seen = 0
    for batch in batches:
        rows = pa.array(range(seen + 1, seen + len(batch) + 1), pa.int64())
        seen += len(batch)
        texts: list[pa.Array] = []
        natives: list[pa.Array | None] = []
        for key, column in zip(keys, columns, strict=True):
            values = batch.column(key)
            if pa.types.is_dictionary(values.type):
                values = values.dictionary_decode()
            is_text = _is_text(values.type)
            texts.append(values.cast(pa.string()) if is_text else pa.nulls(len(batch), pa.string()))
            natives.append(None if is_text else _cast(values, column, key, findings))
        yield Portion(rows, texts, natives)


def _cast(values: pa.Array, column: Column, key: str, findings: Findings) -> pa.Array:
    target = arrow_type(column)
    try:
        if pa.types.is_timestamp(values.type) and pa.types.is_timestamp(target):
            return _within_calendar(pc.cast(pc.cast(values, pa.timestamp("us", tz=values.type.tz)), target))
        if target == pa.string() and not _is_scalar(values.type):
            return pa.array([None if v is None else _json(v) for v in values.to_pylist()], pa.string())
        return _within_calendar(pc.cast(values, target))
    except pa.ArrowException as error:
        why = "" if is_closed(column) else f": {str(error).splitlines()[0][:200]}"  # Arrow quotes the value
        raise Invalid(
            f"{findings.file}: column {key} is {values.type} and cannot become {column.logical_type} without loss{why}"
        ) from error


def _within_calendar(values: pa.Array) -> pa.Array:
    """Return the values; raise `ArrowInvalid` for a day before year 1 or after year 9999, which most programs cannot read."""
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        ends = pc.min_max(values)
        days = [pc.cast(ends[name], pa.timestamp("us")).value for name in ("min", "max") if ends[name].is_valid]
        if any(not _FIRST_US <= one <= _LAST_US for one in days):
            raise pa.ArrowInvalid("a day lies outside the years 1 to 9999")
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_scalar(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

"""Turning the spooled texts of a file into the contract's Arrow types; every text that is no such value becomes a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.connectors.tabular import moments, numbers
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.formats import DAY_AND_TIME, ColumnFormat
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.rules import broken
from polyceph.connectors.tabular.shapes import given, told
from polyceph.connectors.tabular.spool import Locate, Spool
from polyceph.connectors.types import NESTED, arrow_type, is_aware
from polyceph.sdk import Column, Problem, ValueRule

ROW = "_row"
_EPOCH = date(1970, 1, 1).toordinal()
_EXPECTED = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "date": "a date",
    "timestamp": "a date and time",
    "time": "a time of day",
    "array": "a JSON array",
    "object": "a JSON object",
}


@dataclass(frozen=True)
class Conversion:
    """Everything that turns one file's spool into rows."""

    spool: Spool
    formats: list[ColumnFormat | None]
    """How each column writes its values; None where that is not known, which is a problem already."""
    dataset: FilesDataset
    locate: Locate
    findings: Findings

    def schema(self) -> pa.Schema:
        """Return the contract's columns in order and the row number."""
        return pa.schema([(c.name, arrow_type(c)) for c in self.spool.columns] + [(ROW, pa.int64())])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the contract's types; a row with something that does not fit is left out and stands in the findings."""
        for batch in self.spool.batches():
            columns = [self._column(batch, i) for i in range(len(self.spool.columns))]
            made = pa.record_batch([*columns, batch.column("row")], schema=self.schema())
            rejected = pa.array(sorted(self.findings.rejected_rows), pa.int64())
            yield made.filter(pc.invert(pc.is_in(batch.column("row"), value_set=rejected))) if len(rejected) else made

    def _column(self, batch: pa.RecordBatch, index: int) -> pa.Array:
        column = self.spool.columns[index]
        if column.required or column.primary_key:
            self._refuse_missing(batch, index)
        made = self._made(batch, index)
        for rule in column.rules:
            wrong = broken(made, column, rule)
            if pc.any(wrong).as_py():
                self._refuse_by_rule(batch, index, rule, made.filter(wrong), wrong)
        return made

    def _made(self, batch: pa.RecordBatch, index: int) -> pa.Array:
        column, texts, native = self.spool.columns[index], batch.column(f"t{index}"), batch.column(f"n{index}")
        style = self.formats[index]
        if texts.null_count == len(texts) or style is None:
            return native
        made = converted(texts, column, style, self.dataset)
        wrong = pc.and_(pc.is_valid(texts), pc.is_null(made))
        if pc.any(wrong).as_py():
            self._refuse(batch, index, style, pc.indices_nonzero(wrong).to_pylist())
        return made if native.null_count == len(native) else pc.coalesce(native, made)

    def _refuse_missing(self, batch: pa.RecordBatch, index: int) -> None:
        """Report required cells that are empty, by their place; a cell that is a problem already is not empty."""
        column = self.spool.columns[index]
        empty = pc.and_(pc.is_null(batch.column(f"t{index}")), pc.is_null(batch.column(f"n{index}")))
        for row in batch.column("row").filter(empty).to_pylist():
            if (row, column.name) not in self.findings.cells:
                message = f"column {column.name} is required and its value is missing"
                problem = Problem(message, file=self.findings.file, **self.locate(index, row))
                self.findings.reject(row, problem, column=column.name)

    def _refuse_by_rule(self, batch: pa.RecordBatch, index: int, rule: ValueRule, values: pa.Array, wrong: pa.Array) -> None:
        """Report values that are of the type and break a limit of the contract."""
        column = self.spool.columns[index]
        for row, value in zip(batch.column("row").filter(wrong).to_pylist(), values.to_pylist(), strict=True):
            text = str(value)
            message = f"column {column.name}: {told(text, column)} breaks the rule {rule}"
            problem = Problem(message, file=self.findings.file, value=given(text, column), **self.locate(index, row))
            self.findings.reject(row, problem, column=column.name, text=text)

    def _refuse(self, batch: pa.RecordBatch, index: int, style: ColumnFormat, positions: list[int]) -> None:
        column = self.spool.columns[index]
        rows, texts = batch.column("row"), batch.column(f"t{index}")
        expected = _expected(column, style)
        for at in positions:
            row, text = rows[at].as_py(), texts[at].as_py()
            message = f"column {column.name}: {told(text, column)} is not {expected}"
            problem = Problem(message, file=self.findings.file, value=given(text, column), **self.locate(index, row))
            self.findings.reject(row, problem, column=column.name, text=text)


def _expected(column: Column, style: ColumnFormat) -> str:
    kind = _EXPECTED.get(column.logical_type, column.logical_type)
    if column.logical_type == "number" and column.physical_type:
        kind += f" that fits {column.physical_type}"
    if style.number and style.number.is_percent:
        kind += " with a percent sign"
    shown = style.number.shown() if style.number else style.day.shown() if style.day else ""
    return f"{kind} ({shown})" if shown else kind


def converted(texts: pa.Array, column: Column, style: ColumnFormat, dataset: FilesDataset) -> pa.Array:
    """Return the texts in the column's Arrow type, null where a text is no such value."""
    kind = column.logical_type
    if kind in ("integer", "number"):
        return numbers.numbers(texts, style.number or numbers.NumberFormat(), column)
    if kind in ("date", "timestamp"):
        # Moments repeat: each different text is read once.
        encoded, day = texts.dictionary_encode(), style.day or moments.DateFormat("ymd")
        made = _dates(encoded.dictionary, day) if kind == "date" else _timestamps(encoded.dictionary, day, column, dataset)
        return made.take(encoded.indices)
    if kind == "boolean":
        return _booleans(texts, style)
    if kind == "time":
        return _each(texts, _time_of_day, pa.int64()).cast(pa.time64("us"))
    return _each(texts, lambda text: _nested(text, kind), pa.string()) if kind in NESTED else texts


def _each(texts: pa.Array, function: Any, kind: pa.DataType) -> pa.Array:
    """Apply a function to each different text: dates, times and yes/no repeat, so this is as fast as a kernel."""
    encoded = texts.dictionary_encode()
    return pa.array([function(text) for text in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def _booleans(texts: pa.Array, style: ColumnFormat) -> pa.Array:
    true, false = style.truths or (frozenset(), frozenset())

    def truth(text: str) -> bool | None:
        folded = text.strip().casefold()
        return True if folded in true else False if folded in false else None

    return _each(texts, truth, pa.bool_())


def _dates(texts: pa.Array, style: moments.DateFormat) -> pa.Array:
    if style.order == "declared":
        return _each(texts, lambda text: moments.parse_date(text, style), pa.date32())
    parts = pc.extract_regex(texts, DAY_AND_TIME)
    time = pc.struct_field(parts, "time")
    days = _each(pc.struct_field(parts, "day"), lambda text: moments.parse_date(text, style), pa.date32())
    # Excel and Access write dates with a midnight behind them; any other time is no date.
    midnight = _each(time, lambda text: text == "" or (moments.parse_time(text) or (1,))[0] == 0, pa.bool_())
    return pc.if_else(pc.fill_null(midnight, False), days, pa.scalar(None, pa.date32()))


def _timestamps(texts: pa.Array, style: moments.DateFormat, column: Column, dataset: FilesDataset) -> pa.Array:
    if style.order == "declared" and any(sign in style.pattern for sign in ("%H", "%I", "%T", "%X", "%c")):
        stamp = lambda text: _instant(moments.parse_declared(text, style.pattern), 0, column, dataset)  # noqa: E731
        return _each(texts, stamp, pa.int64()).cast(arrow_type(column))
    parts = pc.extract_regex(texts, DAY_AND_TIME)
    days = _each(pc.struct_field(parts, "day"), lambda text: _day_us(text, style), pa.int64())
    times = pc.struct_field(parts, "time")
    if not _is_zoned(times) and not is_aware(column):
        micros = _each(times, lambda text: 0 if text == "" else (moments.parse_time(text) or (None,))[0], pa.int64())
        return pc.add(days, micros).cast(arrow_type(column))
    pairs = zip(days.to_pylist(), times.to_pylist(), strict=True)
    made = [None if day is None else _instant(moments.parse_time(time or "0:00"), day, column, dataset) for day, time in pairs]
    return pa.array(made, pa.int64()).cast(arrow_type(column))


def _is_zoned(times: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(times, r"(Z|UTC|GMT|[+-]\d{2}:?\d{0,2})$")).as_py())


def _day_us(text: str, style: moments.DateFormat) -> int | None:
    day = moments.parse_date(text, style)
    return None if day is None else (day.toordinal() - _EPOCH) * moments.DAY_US


def _instant(parsed: tuple[int, Any] | None, day_us: int, column: Column, dataset: FilesDataset) -> int | None:
    """Return UTC microseconds for a time with an offset, or for one in the declared zone when instants are promised."""
    if parsed is None:
        return None
    value, offset = day_us + parsed[0], parsed[1]
    if offset is not None:
        return int(value - offset.total_seconds() * 1_000_000)
    if dataset.timezone is None:
        return None
    return _in_zone(value, dataset.timezone, aware=is_aware(column))


def _in_zone(value: int, zone: str, *, aware: bool) -> int:
    if not aware:
        return value
    wall = datetime(1970, 1, 1) + timedelta(microseconds=value)  # noqa: DTZ001 - the zone is attached below
    return (wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _time_of_day(text: str) -> int | None:
    parsed = moments.parse_time(text)
    return parsed[0] if parsed and parsed[1] is None else None


def _nested(text: str, kind: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return text if isinstance(value, list if kind == "array" else dict) else None

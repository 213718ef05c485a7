"""The first rows of something that came as JSON or XML, in the types that its source describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import simplejson as json

from polyceph.connectors.types import NESTED, arrow_type, decimal_digits, is_aware
from polyceph.sdk import Column, Note, Sample, SourceColumn


def sampled(columns: Sequence[SourceColumn], rows: Iterable[Mapping[str, Any]], *, notes: tuple[Note, ...] = ()) -> Sample:
    """Return the rows as a sample; a column whose values are not what its type says comes as text and loses the type."""
    kept = list(rows)
    made = [_column(column, [row.get(column.name) for row in kept]) for column in columns]
    table = pa.Table.from_arrays([values for _, values in made], names=[column.name for column, _ in made])
    return Sample(tuple(column for column, _ in made), table, notes)


def _column(column: SourceColumn, values: list[Any]) -> tuple[SourceColumn, pa.Array]:
    if column.logical_type is not None:
        typed = Column(column.name, column.logical_type, column.physical_type)
        try:
            return column, pa.array([_typed(value, typed) for value in values], arrow_type(typed))
        except (ValueError, TypeError, InvalidOperation, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError):
            column = replace(column, logical_type=None, physical_type=None)
    return column, pa.array([_text(value) for value in values], pa.string())


def _typed(value: Any, column: Column) -> Any:
    kind = column.logical_type
    if value is None or (value == "" and kind != "string"):
        return None
    if kind in NESTED or kind == "string":
        return _text(value)
    if kind in ("date", "time", "timestamp"):
        return _moment(value, column)
    if kind == "number":
        return _exact(value, column)
    if kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}[str(value).casefold()]
    return int(str(value))


def _exact(value: Any, column: Column) -> Any:
    digits = decimal_digits(column)
    if digits is None:
        return float(value)
    exact = Decimal(str(value))
    made = exact.quantize(Decimal(1).scaleb(-digits[1]), context=Context(prec=76))
    if made != exact:
        raise ValueError("more digits than the type has")
    return made


def _moment(value: Any, column: Column) -> Any:
    text = str(value).replace("Z", "+00:00")
    if column.logical_type == "date":
        return date.fromisoformat(text[:10])
    if column.logical_type == "time":
        return time.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if not is_aware(column):
        return moment.replace(tzinfo=None) if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(json.dumps(value, ensure_ascii=False, use_decimal=True, default=str))

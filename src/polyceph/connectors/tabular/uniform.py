"""Columns of typed cells that are all of one kind, as they mostly are, turned into Arrow at once; `natives` takes cells one by one.

Whatever is not plain here is left to `natives`, which decides alike and says what is wrong: this only makes the same answer quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polyceph.connectors.types import arrow_type, decimal_digits
from polyceph.sdk import Column

_EXACT = 2.0**53
"""Up to here every whole number is a 64-bit float of its own."""
_LARGEST_SCALED = 1e15
_MIDNIGHT = time()
_COMPUTED = 1e-12
"""How far, relative to its size, a computed 0.30000000000000004 may lie from the 0.30 it stands for."""


def uniform(values: Sequence[Any], column: Column) -> tuple[pa.Array, pa.Array] | None:
    """Return texts and typed cells of a column, None unless all filled cells are of one plain kind. An empty cell is an empty text."""
    kinds = set(map(type, values))
    if kinds <= {str}:
        return pa.array(values, pa.string()), pa.nulls(len(values), arrow_type(column))
    if str in kinds:
        kinds.remove(str)
        if any(type(value) is str and value for value in values):
            return None
        values = [None if type(value) is str else value for value in values]
    if kinds == {date, datetime} and column.logical_type == "timestamp":
        kinds.remove(date)  # a moment at midnight is read as a day
        values = [datetime.combine(value, _MIDNIGHT) if type(value) is date else value for value in values]
    if len(kinds) != 1:
        return None
    convert = _CONVERT.get((column.logical_type, kinds.pop()))
    made = convert(values, column) if convert else None
    return None if made is None else (pa.nulls(len(values), pa.string()), made)


def _integers(values: Sequence[Any], _: Column) -> pa.Array | None:
    found = pa.array(values, pa.float64())
    is_whole = pc.and_(pc.equal(pc.floor(found), found), pc.less(pc.abs(found), _EXACT))
    return pc.cast(found, pa.int64()) if pc.all(is_whole, min_count=0).as_py() else None


def _numbers(values: Sequence[Any], column: Column) -> pa.Array | None:
    digits = decimal_digits(column)
    found = pa.array(values, pa.float64())
    if digits is None:
        return found
    precision, scale = digits
    scaled = found.to_numpy(zero_copy_only=False) * 10.0**scale
    filled = scaled[~np.isnan(scaled)] if found.null_count else scaled
    near = np.rint(filled)
    size = np.abs(filled)
    if not np.all((size < min(_LARGEST_SCALED, 10.0**precision)) & (np.abs(filled - near) <= size * _COMPUTED)):
        return None
    whole = pa.array(np.rint(np.where(np.isnan(scaled), 0, scaled)).astype(np.int64), mask=np.asarray(found.is_null()))
    # An exact division by a power of ten: the same digits, read with another scale.
    step = pa.scalar(1, pa.decimal128(1, 0)) if scale == 0 else pa.scalar(Decimal(1).scaleb(-scale), pa.decimal128(scale + 1, scale))
    return pc.cast(pc.multiply(pc.cast(whole, pa.decimal128(19, 0)), step), pa.decimal128(precision, scale))


def _days(values: Sequence[Any], _: Column) -> pa.Array:
    return pa.array(values, pa.date32())


def _moments(values: Sequence[Any], column: Column) -> pa.Array:
    return pc.cast(pa.array(values, pa.timestamp("us")), arrow_type(column))


_CONVERT: dict[tuple[str, type], Callable[[Sequence[Any], Column], pa.Array | None]] = {
    ("integer", float): _integers,
    ("number", float): _numbers,
    ("date", date): _days,
    ("timestamp", datetime): _moments,
}

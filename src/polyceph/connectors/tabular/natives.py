"""Values that come with a type (cells of a workbook, JSON values) as the contract's type, or a problem that says why not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import simplejson as json

from polyceph.connectors.tabular.shapes import given, told
from polyceph.connectors.types import NESTED, decimal_digits, is_aware
from polyceph.sdk import Column, Problem

_EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's day 0, wall-clock
_SERIALS = (20_000, 80_000)
"""Day numbers taken for dates: 1954 to 2119."""


def shown(value: Any) -> str:
    """Return a typed value as the text a person sees: 6540 without .0, dates in ISO form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, use_decimal=True) if isinstance(value, dict | list) else str(value)


_ALL_DIGITS = Context(prec=76)
"""Python's own context has 28 digits, a column up to 38."""


def native(value: Any, column: Column) -> Any:
    """Return the value as the column's Python type, or a `Problem` without a place."""
    kind = column.logical_type
    if kind == "string":
        return shown(value)
    if kind in NESTED:
        return shown(value) if isinstance(value, list if kind == "array" else dict) else _wrong(value, column, f"a JSON {kind}")
    convert = {"integer": _integer, "number": _number, "boolean": _boolean, "date": _date, "timestamp": _timestamp, "time": _time}[kind]
    return convert(value, column)


def _wrong(value: Any, column: Column, expected: str) -> Problem:
    text = shown(value)[:100]
    return Problem(f"column {column.name}: {told(text, column)} is not {expected}", value=given(text, column))


def _integer(value: Any, column: Column) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _wrong(value, column, "a whole number")
    if isinstance(value, float) and not value.is_integer():
        return _wrong(value, column, "a whole number")
    return int(value) if -(2**63) <= value < 2**63 else _wrong(value, column, "a whole number of 64 bits")


def _number(value: Any, column: Column) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _wrong(value, column, "a number")
    digits = decimal_digits(column)
    if digits is None:
        try:
            return float(value)
        except OverflowError:
            return _wrong(value, column, "a number that fits 64 bits")
    try:
        # repr gives the shortest text of a float, which is what the person typed.
        exact = Decimal(repr(value) if isinstance(value, float) else value)
        made = exact.quantize(Decimal(1).scaleb(-digits[1]), context=_ALL_DIGITS)
    except InvalidOperation:
        return _wrong(value, column, f"a number that fits {column.physical_type}")
    # A computed 0.30000000000000004 is 0.30; a typed 0.305 is not.
    is_near = abs(made - exact) <= abs(exact) * Decimal("1e-12") if isinstance(value, float) else made == exact
    fits = is_near and len(made.as_tuple().digits) <= digits[0]
    return made if fits else _wrong(value, column, f"a number that fits {column.physical_type}")


def _boolean(value: Any, column: Column) -> Any:
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else _wrong(value, column, "yes or no")


def _date(value: Any, column: Column) -> Any:
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else _wrong(value, column, "a date: it has a time")
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and _SERIALS[0] <= value <= _SERIALS[1] and value == int(value):
        return (_EPOCH_1900 + timedelta(days=int(value))).date()
    return _wrong(value, column, "a date")


def _timestamp(value: Any, column: Column) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and _SERIALS[0] <= value <= _SERIALS[1]:
        value = _EPOCH_1900 + timedelta(seconds=round(value * 86_400, 3))
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return _wrong(value, column, "a date and time")
    return value.replace(tzinfo=UTC) if is_aware(column) else value


def _time(value: Any, column: Column) -> Any:
    if isinstance(value, time):
        return value
    if isinstance(value, timedelta) and timedelta() <= value < timedelta(days=1):
        return (_EPOCH_1900 + value).time()
    if isinstance(value, float) and 0 <= value < 1:
        return (_EPOCH_1900 + timedelta(seconds=round(value * 86_400))).time()
    return _wrong(value, column, "a time of day")

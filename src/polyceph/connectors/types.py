"""A contract's column types in Arrow and in DuckDB, as connectors deliver them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import pyarrow as pa

from polyceph.sdk import Column, Invalid

Type = TypeVar("Type")

_DECIMAL = re.compile(r"(?:decimal|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)
_AWARE = re.compile(r"timestamptz|timestamp\s*(\(\d\))?\s*with time zone|timestamp_tz", re.IGNORECASE)
_DUCKDB = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "time": "TIME"}
_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "time": pa.time64("us"),
}
NESTED = ("array", "object")
"""Logical types that arrive as JSON text."""


def decimal_digits(column: Column) -> tuple[int, int] | None:
    """Return precision and scale when the contract's physicalType asks for a decimal, else None."""
    found = _DECIMAL.fullmatch((column.physical_type or "").strip())
    return (int(found[1]), int(found[2] or 0)) if found and column.logical_type == "number" else None


def is_aware(column: Column) -> bool:
    """Tell whether a timestamp column keeps instants (TIMESTAMP WITH TIME ZONE) instead of wall-clock times."""
    return _AWARE.fullmatch((column.physical_type or "").strip()) is not None


def duckdb_type(column: Column) -> str:
    """Return DuckDB's type of a column: BIGINT, DOUBLE or DECIMAL(p,s), VARCHAR, TIMESTAMP or TIMESTAMPTZ and so on."""
    digits = decimal_digits(column)
    if digits:
        return f"DECIMAL({digits[0]},{digits[1]})"
    if column.logical_type == "timestamp":
        return "TIMESTAMPTZ" if is_aware(column) else "TIMESTAMP"
    return "JSON" if column.logical_type in NESTED else _known(column, _DUCKDB)


def arrow_type(column: Column) -> pa.DataType:
    """Return Arrow's type of a column; timestamps in microseconds, nested values as JSON text."""
    digits = decimal_digits(column)
    if digits:
        return pa.decimal128(*digits)
    if column.logical_type == "timestamp":
        return pa.timestamp("us", tz="UTC" if is_aware(column) else None)
    return pa.string() if column.logical_type in NESTED else _known(column, _ARROW)


def _known(column: Column, types: Mapping[str, Type]) -> Type:
    if column.logical_type not in types:
        good = ", ".join((*types, "timestamp", *NESTED))
        raise Invalid(f"column {column.name} has the unknown type {column.logical_type!r}; types are {good}")
    return types[column.logical_type]

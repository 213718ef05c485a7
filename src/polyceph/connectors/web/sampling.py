"""The first rows of something that comes as JSON, and what their values tell of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import simplejson as json

from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, Invalid, Note, Sample, SourceColumn

_KINDS: dict[type, tuple[str, str | None]] = {
    bool: ("boolean", "boolean"),
    int: ("integer", "integer"),
    float: ("number", "number"),
    Decimal: ("number", "number"),
    str: ("string", None),
    dict: ("object", "object"),
    list: ("array", "array"),
}
"""The type of a JSON value, and the logical type that it tells for certain; a text may be a date or a number."""
_EXACT = 2**63


def sampled(rows: Sequence[Any], where: str, notes: tuple[Note, ...] = (), columns: tuple[SourceColumn, ...] = ()) -> Sample:
    """Return rows as a sample; `columns` are those that the source describes, in place of what the values tell.

    Raises:
        Invalid: a row is no JSON object.
    """
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise Invalid(f"{where}: row {number} is no object but {type(row).__name__}", hint="check the path to the rows")
    names = dict.fromkeys(name for row in rows for name in row)
    given = columns or tuple(_column(name, [row.get(name) for row in rows]) for name in names)
    arrays = [_array(column, [row.get(column.name) for row in rows]) for column in given]
    made = tuple(column for column, _ in arrays)
    table = pa.table([array for _, array in arrays], names=[column.name for column in made])
    return Sample(made, table, notes)


def _column(name: str, values: list[Any]) -> SourceColumn:
    kinds = {_KINDS[type(value)] for value in values if value is not None and type(value) in _KINDS}
    if kinds == {("integer", "integer"), ("number", "number")}:
        kinds = {("number", "number")}
    kind, logical = kinds.pop() if len(kinds) == 1 else (" or ".join(sorted(one for one, _ in kinds)) or "null", None)
    return SourceColumn(name, kind, logical)


def _array(column: SourceColumn, values: list[Any]) -> tuple[SourceColumn, pa.Array]:
    """Return the values in the column's type; as texts, and the column without a type, where one of them does not fit."""
    kinds = {"integer": int, "number": int | float | Decimal, "boolean": bool}
    kind = kinds.get(column.logical_type or "")
    fits = kind is not None and all(
        value is None or (isinstance(value, kind) and isinstance(value, bool) == (kind is bool)) for value in values
    )
    if fits and all(not isinstance(value, int) or -_EXACT <= value < _EXACT for value in values):
        promised = Column(column.name, str(column.logical_type), None)
        number = [float(value) if value is not None and column.logical_type == "number" else value for value in values]
        return column, pa.array(number, arrow_type(promised))
    return column, pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, use_decimal=True)

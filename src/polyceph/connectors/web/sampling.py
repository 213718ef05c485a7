"""The first rows of something that comes as JSON, and what their values tell of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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


def sampled(rows: Sequence[Any], where: str, notes: tuple[Note, ...] = (), columns: Mapping[str, SourceColumn] | None = None) -> Sample:
    """Return rows as a sample; `columns` are those that the source describes, the values tell of the others.

    Raises:
        Invalid: a row is no JSON object.
    """
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise Invalid(f"{where}: row {number} is no object but {type(row).__name__}", hint="check the path to the rows")
    known = columns or {}
    names = dict.fromkeys(name for row in rows for name in row) or dict.fromkeys(known)
    given = [known.get(name) or _column(name, [row.get(name) for row in rows]) for name in names]
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
    texts = pa.array([_text(value) for value in values], pa.string())
    if column.logical_type is None:
        return column, texts
    try:
        return column, texts.cast(arrow_type(Column(column.name, column.logical_type, column.physical_type)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return replace(column, logical_type=None, physical_type=None), texts


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, use_decimal=True)

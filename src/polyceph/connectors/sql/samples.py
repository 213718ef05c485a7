"""The first rows of a table as Arrow, typed where the source told the type."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, SourceColumn


def table_of(columns: Sequence[SourceColumn], rows: Sequence[Sequence[object]]) -> pa.Table:
    """Return rows of texts as a table; a column stays text when its values do not read as its type (an infinite date)."""
    arrays = [_typed(column, pa.array([_text(row[at]) for row in rows], pa.string())) for at, column in enumerate(columns)]
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def _typed(column: SourceColumn, texts: pa.Array) -> pa.Array:
    if column.logical_type is None:
        return texts
    try:
        return texts.cast(arrow_type(Column(column.name, column.logical_type, column.physical_type)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return texts


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""The first rows of something that comes as JSON, where its values have to tell the columns and their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from polyceph.connectors.web.samples import sampled
from polyceph.sdk import Invalid, Note, Sample, SourceColumn

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


def json_sample(
    rows: Sequence[Any], where: str, *, notes: tuple[Note, ...] = (), columns: Mapping[str, SourceColumn] | None = None
) -> Sample:
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
    return sampled(given, rows, notes=notes)


def _column(name: str, values: list[Any]) -> SourceColumn:
    kinds = {_KINDS[type(value)] for value in values if value is not None and type(value) in _KINDS}
    if kinds == {("integer", "integer"), ("number", "number")}:
        kinds = {("number", "number")}
    kind, logical = kinds.pop() if len(kinds) == 1 else (" or ".join(sorted(one for one, _ in kinds)) or "null", None)
    return SourceColumn(name, kind, logical)

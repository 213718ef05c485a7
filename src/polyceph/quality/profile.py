"""What a sample of a source tells about its columns: types, keys, patterns, personal data. A draft for a person, never a promise."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.core.model.profile import ColumnProfile, TableProfile
from polyceph.core.source_ports import Sample, SourceColumn
from polyceph.quality.personal import guess

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(?:[.,](\d{1,12}))?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
_MOMENT = re.compile(r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4})[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?")
_TRUTHS = frozenset({"true", "false", "oui", "non", "ja", "nee", "nein", "yes", "no", "vrai", "faux", "waar", "onwaar"})
_DAY_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y")
_KEY_NAME = re.compile(r"(?:^|_| )(?:id|code|key|cle|sleutel|num|numero|nummer|nr|no|identifiant|matricule)(?:$|_| )", re.IGNORECASE)
_DIGITS = 18
"""Digits of a drafted decimal, unless the sample has more: what DuckDB keeps in 64 bits."""


@dataclass(frozen=True)
class _Looks:
    """The type that all values of a column have, and the pattern where it says more."""

    logical_type: str
    physical_type: str | None = None
    pattern: str | None = None


def profile(sample: Sample) -> TableProfile:
    """Return what a sample tells of each of its columns; the values themselves are not kept."""
    rows = pa.RecordBatchReader.from_stream(sample.rows).read_all()
    columns = [_column(column, rows.column(column.name).combine_chunks()) for column in sample.columns]
    if columns and not any(column.primary_key for column in columns):
        columns = _with_guessed_key(columns, rows.num_rows)
    return TableProfile(tuple(columns), rows.num_rows, sample.description)


def _column(column: SourceColumn, values: pa.Array) -> ColumnProfile:
    texts = _texts(values)
    looks = _Looks(column.logical_type, column.physical_type) if column.logical_type else _looks(texts, values.type)
    personal = guess(column.name, texts)
    return ColumnProfile(
        source_name=column.name,
        source_type=column.source_type,
        logical_type=looks.logical_type,
        physical_type=looks.physical_type,
        required=column.required or column.primary_key,
        primary_key=column.primary_key,
        pattern=looks.pattern or (_pattern(texts) if looks.logical_type == "string" else None),
        personal_data=personal.personal_data,
        why_personal=personal.why,
        missing=len(values) - len(texts),
        distinct=len(set(texts)),
        description=column.description,
    )


def _texts(values: pa.Array) -> list[str]:
    """Return the values as texts, those that are missing or blank left out."""
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        found = [None if value is None else str(value) for value in values.to_pylist()]
    else:
        found = pc.cast(values, pa.string()).to_pylist()
    return [text.strip() for text in found if text is not None and text.strip()]


def _looks(texts: Sequence[str], kind: pa.DataType) -> _Looks:
    """Return what the values of a column without a type of its source all are; a text when they are not all of one kind."""
    typed = _typed(kind)
    if typed is not None:
        return typed
    for test in (_as_integer, _as_number, _as_moment, _as_day, _as_truth):
        found = test(texts) if texts else None
        if found is not None:
            return found
    return _Looks("string")


def _typed(kind: pa.DataType) -> _Looks | None:
    tests: tuple[tuple[Callable[[pa.DataType], bool], _Looks], ...] = (
        (pa.types.is_boolean, _Looks("boolean")),
        (pa.types.is_integer, _Looks("integer")),
        (pa.types.is_floating, _Looks("number")),
        (pa.types.is_date, _Looks("date")),
        (pa.types.is_time, _Looks("time")),
        (pa.types.is_struct, _Looks("object")),
        (pa.types.is_map, _Looks("object")),
        (pa.types.is_nested, _Looks("array")),
    )
    if pa.types.is_decimal(kind):
        return _Looks("number", f"decimal({kind.precision},{kind.scale})")
    if pa.types.is_timestamp(kind):
        return _Looks("timestamp", "timestamptz" if kind.tz else None)
    return next((looks for test, looks in tests if test(kind)), None)


def _as_integer(texts: Sequence[str]) -> _Looks | None:
    return _Looks("integer") if all(map(_INTEGER.fullmatch, texts)) else None


def _as_number(texts: Sequence[str]) -> _Looks | None:
    found = [_NUMBER.fullmatch(text) for text in texts]
    if not all(found) or len({sign for text in texts for sign in ".," if sign in text}) > 1:
        return None
    scale = max(len(one[2] or "") for one in found if one)
    whole = max(len(one[1]) for one in found if one)
    return _Looks("number", f"decimal({max(_DIGITS, whole + scale)},{scale})")


def _as_moment(texts: Sequence[str]) -> _Looks | None:
    found = [_MOMENT.fullmatch(text) for text in texts]
    if not all(found):
        return None
    zoned = sum(one[1] is not None for one in found if one)
    # A column where some values have an offset and others have none is no column of instants.
    return None if 0 < zoned < len(texts) else _Looks("timestamp", "timestamptz" if zoned else None)


def _as_day(texts: Sequence[str]) -> _Looks | None:
    if not all(map(_DAY.fullmatch, texts)):
        return None
    return next((_Looks("date") for pattern in _DAY_FORMATS if all(_is_day(text, pattern) for text in texts)), None)


def _is_day(text: str, pattern: str) -> bool:
    try:
        return isinstance(datetime.strptime(text, pattern).date(), date)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False


def _as_truth(texts: Sequence[str]) -> _Looks | None:
    return _Looks("boolean") if len(set(texts)) <= len(_TRUTHS) and all(text.casefold() in _TRUTHS for text in texts) else None


def _pattern(texts: Sequence[str]) -> str | None:
    """Return a pattern of digits and letters of one length, as codes have; None where the values are no codes."""
    shapes = {re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", text))) for text in texts}
    if len(shapes) != 1 or len(texts) < 2:
        return None
    shape = shapes.pop()
    if "0" not in shape:
        return None
    parts = {"0": r"\d", "A": "[A-Z]", "a": "[a-z]"}
    runs = [(run[0][0], len(run[0])) for run in re.finditer(r"(.)\1*", shape)]
    return (
        "^"
        + "".join(
            f"{parts.get(sign, re.escape(sign))}{{{count}}}" if count > 1 else parts.get(sign, re.escape(sign)) for sign, count in runs
        )
        + "$"
    )


def _with_guessed_key(columns: list[ColumnProfile], rows: int) -> list[ColumnProfile]:
    """Mark the first column that is called like a key, is never missing and never repeats."""
    for number, column in enumerate(columns):
        is_key = rows > 1 and column.missing == 0 and column.distinct == rows and column.logical_type in ("integer", "string")
        if is_key and _KEY_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.source_name)):
            guessed = replace(column, primary_key=True, is_key_guessed=True, required=True)
            return [*columns[:number], guessed, *columns[number + 1 :]]
    return columns

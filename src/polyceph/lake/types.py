"""Which DuckDB type a contract's column promises, and how a delivered column becomes it: as it is, without loss, or checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

import duckdb

from polyceph.core.model.contract import Column, Contract
from polyceph.errors import Invalid, Problem
from polyceph.lake.engine import literal, quote

LOAD, ORIGIN, ROW, CHANGE = "_load", "_origin", "_row", "_change"
INTERNAL_COLUMNS: Mapping[str, str] = {LOAD: "VARCHAR", ORIGIN: "VARCHAR", ROW: "BIGINT", CHANGE: "VARCHAR"}
"""What every raw table holds besides the contract's columns: the delivery's key, its origin, the row number in the origin, and, where
loads compare rows with what is there, whether the row was added, changed or removed."""

_LOGICAL = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
    "array": "JSON",
    "object": "JSON",
}
_DIGITS = re.compile(r"(?:decimal|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)
_AWARE = re.compile(r"timestamptz|timestamp\s*(?:\(\d\))?\s*with time zone|timestamp_tz", re.IGNORECASE)
_INTEGERS = ("UTINYINT", "TINYINT", "USMALLINT", "SMALLINT", "UINTEGER", "INTEGER", "UBIGINT", "BIGINT", "UHUGEINT", "HUGEINT")
_RANK = {"UTINYINT": 8, "TINYINT": 8, "USMALLINT": 16, "SMALLINT": 16, "UINTEGER": 32, "INTEGER": 32, "UBIGINT": 64, "BIGINT": 64}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class Cast(Enum):
    """How a delivered column becomes the promised type."""

    NONE = auto()
    LOSSLESS = auto()
    CHECKED = auto()


@dataclass(frozen=True)
class ColumnPlan:
    """One promised column: its name, the delivered column it comes from, both types and the cast between them."""

    name: str
    source: str
    source_type: str
    target_type: str
    cast: Cast

    def taken(self) -> str:
        """Return the SQL that takes the column from the delivery, cast unless the cast needs a check first."""
        return f"{self._plain()} AS {quote(self.name)}"

    def converted(self) -> str:
        """Return the SQL that casts a staged column to its promised type."""
        column = quote(self.name)
        return f"CAST({column} AS {self.target_type}) AS {column}" if self.cast is Cast.CHECKED else column

    def sure(self) -> str:
        """Return the SQL that takes the column in its promised type; the statement fails where a value cannot be cast without loss."""
        if self.cast is not Cast.CHECKED:
            return self.taken()
        column = quote(self.source)
        # A cast that needs the value: DuckDB would work error() out when it plans the statement. Of AND it may take either side first.
        is_broken = f"CASE WHEN {self._broken(column)} THEN CAST(concat('broken: ', {column}) AS BOOLEAN) ELSE false END"
        return f"CASE WHEN {is_broken} THEN NULL ELSE TRY_CAST({column} AS {self.target_type}) END AS {quote(self.name)}"

    def broken(self) -> str:
        """Return the SQL condition that is true where the staged value cannot become the promised type without loss."""
        return self._broken(quote(self.name))

    def _broken(self, column: str) -> str:
        became = f"TRY_CAST({column} AS {self.target_type})"
        return f"({column} IS NOT NULL AND ({became} IS NULL OR {_loss(column, became, self.source_type, self.target_type)}))"

    def _plain(self) -> str:
        column = quote(self.source)
        return f"CAST({column} AS {self.target_type})" if self.cast is Cast.LOSSLESS else column


def promised_type(column: Column) -> str:
    """Return the DuckDB type of a contract's column; the physical type decides digits and time zone, the logical type all else.

    `number` is DOUBLE unless the physical type is `decimal(p,s)` or `numeric(p,s)` (promise that for money). `timestamp` is wall-clock
    time unless the physical type is `timestamptz` or `timestamp with time zone`. `array` and `object` are JSON.

    Raises:
        Invalid: the logical type is unknown.
    """
    physical = (column.physical_type or "").strip()
    digits = _DIGITS.fullmatch(physical)
    if digits and column.logical_type == "number":
        return f"DECIMAL({int(digits[1])},{int(digits[2] or 0)})"
    if column.logical_type == "timestamp" and _AWARE.fullmatch(physical):
        return "TIMESTAMP WITH TIME ZONE"
    if column.logical_type not in _LOGICAL:
        raise Invalid(f"column {column.name} has the unknown type {column.logical_type!r}; types are {', '.join(_LOGICAL)}")
    return _LOGICAL[column.logical_type]


def promised_columns(contract: Contract) -> dict[str, str]:
    """Return name and type of every column of the contract's raw table, in order."""
    return {column.name: promised_type(column) for column in contract.columns} | dict(INTERNAL_COLUMNS)


def plan_columns(contract: Contract, delivered: Mapping[str, str]) -> tuple[list[ColumnPlan], list[Problem]]:
    """Match delivered columns (name to type) with the contract's, by name, else by source name; return the plan and what does not fit."""
    plans: list[ColumnPlan] = []
    problems: list[Problem] = []
    for column in contract.columns:
        source = next((name for name in (column.name, column.source_name) if name in delivered), None)
        if source is None:
            problems.append(_missing(column, contract, delivered))
            continue
        target = promised_type(column)
        cast = _cast(delivered[source], target)
        if cast is None:
            message = f"the delivered type {delivered[source]} cannot become the promised {target}"
            problems.append(Problem(message, file=contract.place.file, place=f"column {column.name}"))
            continue
        plans.append(ColumnPlan(column.name, source, delivered[source], target, cast))
    known = {plan.source for plan in plans} | {p.place.removeprefix("column ") for p in problems if p.place} | set(INTERNAL_COLUMNS)
    problems.extend(_unexpected(name, contract) for name in delivered if name not in known)
    return plans, problems


def describe(connection: duckdb.DuckDBPyConnection, select: str) -> dict[str, str]:
    """Return name and type of the columns of a SELECT."""
    return {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE {select}").fetchall()}


def _missing(column: Column, contract: Contract, delivered: Mapping[str, str]) -> Problem:
    place = column.place or contract.place
    return Problem(
        f"the delivery has no column {column.source_name or column.name}",
        file=place.file,
        line=place.line,
        place=f"column {column.name}",
        allowed=tuple(name for name in delivered if name not in INTERNAL_COLUMNS),
        hint="if the source dropped or renamed it, change the contract",
    )


def _unexpected(name: str, contract: Contract) -> Problem:
    hint = f"add it to the contract {contract.place.file}, or leave it out of the delivery"
    return Problem(f"the delivery has a column {name} that the contract does not promise", place=f"column {name}", hint=hint)


def _cast(source: str, target: str) -> Cast | None:
    if source == target:
        return Cast.NONE
    if _is_lossless(source, target):
        return Cast.LOSSLESS
    if not _is_scalar(source) and target != "JSON":
        return None
    return Cast.CHECKED if _is_castable(source, target) else None


def _is_lossless(source: str, target: str) -> bool:
    if target == "VARCHAR":
        return _is_scalar(source)
    if source in _RANK and target in _RANK:
        fits = _RANK[source] < _RANK[target]
        return fits and (source.startswith("U") or not target.startswith("U"))
    if source in _RANK and target == "DOUBLE":
        return _RANK[source] <= 32
    numbers = (_DECIMAL.fullmatch(source), _DECIMAL.fullmatch(target))
    if numbers[0] and numbers[1]:
        (p, s), (to_p, to_s) = ((int(m[1]), int(m[2])) for m in numbers if m)
        return to_s >= s and to_p - to_s >= p - s
    return (source, target) in _LOSSLESS_PAIRS or (bool(numbers[0]) and target == "DOUBLE") or (source == "NULL" or source == '"NULL"')


_LOSSLESS_PAIRS = {
    ("FLOAT", "DOUBLE"),
    ("DATE", "TIMESTAMP"),
    ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
    ("TIMESTAMP_S", "TIMESTAMP"),
    ("TIMESTAMP_MS", "TIMESTAMP"),
    ("BIGINT", "HUGEINT"),
    ("INTEGER", "HUGEINT"),
}
"""Casts that keep every value; time zones are UTC on both sides."""


def _is_scalar(source: str) -> bool:
    return not source.endswith("]") and not source.startswith(("STRUCT", "MAP", "UNION", "BLOB"))


def _loss(column: str, became: str, source: str, target: str) -> str:
    if source == "VARCHAR":
        return _text_loss(column, became, target)
    if source in ("DOUBLE", "FLOAT"):  # a computed 0.30000000000000004 is 0.30
        return f"abs({became}::DOUBLE - {column}::DOUBLE) > 1e-9 * greatest(1.0, abs({column}::DOUBLE))"
    return f"TRY_CAST({became} AS {source}) IS DISTINCT FROM {column}"


_FRACTION = r"(\.\d{0,6}0*)?"
_TIME = rf"\d{{1,2}}:\d{{2}}(:\d{{2}}{_FRACTION})?"
_DAY = r"[+-]?\d+[-/\\ ]\d{1,2}[-/\\ ]\d{1,2}( \(BC\))?"
_TEXTS = {
    "DATE": rf"{_DAY}([ T]+0?0:00(:00(\.0*)?)?)?|[+-]?infinity",
    "TIME": _TIME,
    "TIMESTAMP": rf"{_DAY}([ T]+{_TIME})?( ?(Z|[+-]00(:?00)?|UTC))?|[+-]?infinity",
    "TIMESTAMP WITH TIME ZONE": rf"{_DAY}([ T]+{_TIME})?( ?(Z|[+-]\d{{2}}(:?\d{{2}}){{0,2}}|[A-Za-z_]+(/[A-Za-z_/+-]+)?))?|[+-]?infinity",
}
"""Texts that DuckDB's cast takes whole; of others it drops the time of day, the time zone, or digits behind a microsecond."""


def _text_loss(column: str, became: str, target: str) -> str:
    text = f"trim({column}, E' \\t\\r\\n')"
    if target in _TEXTS:
        return f"NOT regexp_full_match({text}, {literal(_TEXTS[target])})"
    decimal = _DECIMAL.fullmatch(target)
    if not decimal and target not in _INTEGERS:
        return "false"
    # '3.7' casts to 4 and '1.239' to 1.24.
    kept = f"[.][0-9]{{0,{decimal[2]}}}0*" if decimal else "[.]0*"
    plain = f"regexp_full_match({text}, '[+-]?[0-9]*({kept})?')"
    # Fifteen digits are exact in a float.
    power = f"({text} ILIKE '%e%' AND {became}::DOUBLE = TRY_CAST({column} AS DOUBLE) AND abs({became}::DOUBLE) < 1e15)"
    return f"NOT ({plain} OR {power})"


@lru_cache(maxsize=1024)
def _is_castable(source: str, target: str) -> bool:
    return _ask(f"SELECT typeof(TRY_CAST(CAST(NULL AS {source}) AS {target}))") is not None


def _ask(query: str) -> str | None:
    with duckdb.connect() as connection:
        try:
            row = connection.execute(query).fetchone()
        except duckdb.Error:
            return None
    return str(row[0]) if row else None


def rows_phrase(rows: Sequence[int | None]) -> str:
    """Return `row 3` or `rows 3, 7, 9` for a place, nothing when the connector gave no row numbers."""
    numbers = [str(row) for row in rows if row is not None]
    return f"{'row' if len(numbers) == 1 else 'rows'} {', '.join(numbers)}" if numbers else ""

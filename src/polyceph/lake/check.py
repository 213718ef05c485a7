"""Whether staged rows keep the contract: required, unique, types. Finds which rows do not; decides nothing about the load."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from polyceph.core.model.contract import Column, Contract
from polyceph.errors import Problem
from polyceph.lake.engine import quote
from polyceph.lake.rules import conditions
from polyceph.lake.types import ROW, Cast, ColumnPlan, rows_phrase

SHOWN_ROWS = 5
"""How many bad rows a problem names; it always gives the full count."""


_BITS_PER_ROW = 32
_WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True)
class StagedRows:
    """Rows in finished files: the SQL of a table expression with a column `_row`, their number, each file's column statistics."""

    table: str
    rows: int
    statistics: tuple[Mapping[str, Mapping[str, str]], ...]


def broken_types(connection: duckdb.DuckDBPyConnection, staged: str, plans: Sequence[ColumnPlan], contract: Contract) -> list[Problem]:
    """Return a problem for each column whose staged values cannot become the promised type; one pass over the checked columns.

    `staged` is the SQL of a table expression with a column `_row`.
    """
    checked = [plan for plan in plans if plan.cast is Cast.CHECKED]
    if not checked:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {plan.broken()})" for plan in checked)
    row = connection.execute(f"SELECT {counts} FROM {staged}").fetchone() or ()
    problems = []
    for plan, count in zip(checked, row, strict=True):
        if count:
            rows = _rows(connection, f"FROM {staged} WHERE {plan.broken()}")
            values = "1 value" if count == 1 else f"{count} values"
            message = f"{values} cannot become {plan.target_type} without loss (delivered as {plan.source_type})"
            problems.append(_problem(message, plan.name, rows, contract))
    return problems


def missing_values(connection: duckdb.DuckDBPyConnection, staged: StagedRows, contract: Contract) -> list[Problem]:
    """Return a problem for each required column with empty values; the files' own statistics tell, for free."""
    problems = []
    for column in contract.columns:
        count = sum(int(s.get(column.name, {}).get("null_count") or 0) for s in staged.statistics)
        if is_required(column) and count:
            rows = _rows(connection, f"FROM {staged.table} WHERE {quote(column.name)} IS NULL")
            problems.append(_problem(f"the column is required and {_values(count)} missing", column.name, rows, contract))
    return problems


def absent_values(connection: duckdb.DuckDBPyConnection, rows: str, contract: Contract) -> list[Problem]:
    """Return the same as `missing_values` for a table expression without statistics; one pass."""
    required = [column.name for column in contract.columns if is_required(column)]
    if not required:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {quote(name)} IS NULL)" for name in required)
    row = connection.execute(f"SELECT {counts} FROM {rows}").fetchone() or ()
    found = []
    for name, count in zip(required, row, strict=True):
        if count:
            where = _rows(connection, f"FROM {rows} WHERE {quote(name)} IS NULL")
            found.append(_problem(f"the column is required and {_values(count)} missing", name, where, contract))
    return found


def broken_rules(connection: duckdb.DuckDBPyConnection, rows: str, contract: Contract) -> list[Problem]:
    """Return a problem for each limit of the contract that values of a table expression break; one pass."""
    rules = list(conditions(contract, is_typed=True))
    if not rules:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, _, condition in rules)
    row = connection.execute(f"SELECT {counts} FROM {rows}").fetchone() or ()
    found = []
    for (name, rule, condition), count in zip(rules, row, strict=True):
        if count:
            values = "1 value breaks" if count == 1 else f"{count} values break"
            found.append(_problem(f"{values} the rule {rule}", name, _rows(connection, f"FROM {rows} WHERE {condition}"), contract))
    return found


def repeated_values(connection: duckdb.DuckDBPyConnection, staged: StagedRows, contract: Contract) -> list[Problem]:
    """Return a problem for each unique column, and for the primary key, whose value occurs twice within the delivery; one pass."""
    keys = unique_keys(contract)
    if not keys:
        return []
    whole = frozenset(c.name for c in contract.columns if c.logical_type == "integer")
    counts = ", ".join(_repeated(key, staged, whole) for key in keys)
    row = connection.execute(f"SELECT {counts} FROM {staged.table}").fetchone() or ()
    problems = []
    for key, count in zip(keys, row, strict=True):
        if count:
            present = " AND ".join(f"{quote(name)} IS NOT NULL" for name in key)
            inner = f"SELECT {quote(ROW)}, count(*) OVER (PARTITION BY {', '.join(map(quote, key))}) AS seen FROM {staged.table}"
            rows = _rows(connection, f"FROM ({inner} WHERE {present}) WHERE seen > 1")
            problems.append(_problem(f"the column is unique and {_values(count)} repeated", ", ".join(key), rows, contract))
    return problems


def unique_keys(contract: Contract) -> list[tuple[str, ...]]:
    """Return the columns that are unique on their own, and the primary key."""
    keys = [(column.name,) for column in contract.columns if column.unique]
    primary = tuple(column.name for column in contract.columns if column.primary_key)
    return list(dict.fromkeys([*keys, primary] if primary else keys))


def is_required(column: Column) -> bool:
    """Tell whether a column may not be empty."""
    return column.required or column.primary_key


def _repeated(names: tuple[str, ...], staged: StagedRows, whole: frozenset[str]) -> str:
    span = _span(names[0], staged) if len(names) == 1 and names[0] in whole else None  # texts of digits have such statistics too
    return repetitions(names, span, staged.rows)


def repetitions(names: tuple[str, ...], span: tuple[int, int] | None, rows: int) -> str:
    """Return the SQL that counts repetitions: whole numbers that lie close together by a bit each (5 times faster), else by hashing.

    `span` is the smallest and the largest value of a single column of whole numbers, None for any other key.
    """
    key = key_expression(names)
    if span is None or span[1] - span[0] > _BITS_PER_ROW * rows:
        return f"count({key}) - count(DISTINCT {key})"
    return f"count({key}) - coalesce(bit_count(bitstring_agg({key}, {span[0]}, {span[1]})), 0)"


def _span(name: str, staged: StagedRows) -> tuple[int, int] | None:
    found = [statistics.get(name, {}) for statistics in staged.statistics]
    values = [value for statistics in found for value in (statistics.get("min"), statistics.get("max"))]
    if not all(value is not None and _WHOLE.fullmatch(value) for value in values):
        return None
    numbers = [int(value) for value in values if value is not None]
    return (min(numbers), max(numbers)) if numbers else None


def key_expression(names: tuple[str, ...]) -> str:
    """Return the SQL of a key of one or more columns; NULL as soon as one of them is."""
    if len(names) == 1:
        return quote(names[0])
    present = " AND ".join(f"{quote(name)} IS NOT NULL" for name in names)
    return f"CASE WHEN {present} THEN row({', '.join(map(quote, names))}) END"


def _rows(connection: duckdb.DuckDBPyConnection, tail: str) -> list[int | None]:
    row = connection.execute(f"SELECT min({quote(ROW)}, {SHOWN_ROWS}) {tail}").fetchone()
    return list(row[0] or []) if row else []


def _values(count: int) -> str:
    return "1 value is" if count == 1 else f"{count} values are"


def _problem(message: str, column: str, rows: Sequence[int | None], contract: Contract) -> Problem:
    where = ", ".join(part for part in (f"column {column}", rows_phrase(rows)) if part)
    promise = next((c.place for c in contract.columns if c.name == column and c.place), contract.place)
    return Problem(message, place=where, hint=f"promised in {promise}")

"""Whether a table of the lake keeps its contract: its columns, their types, required and unique values. One pass, nothing is changed."""

# ruff: noqa: S608 -- identifiers go through `quote`

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

import duckdb

from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.errors import Problem
from polyceph.lake.check import is_required, repetitions, unique_keys
from polyceph.lake.engine import quote
from polyceph.lake.rules import conditions
from polyceph.lake.types import INTERNAL_COLUMNS, Cast, describe, plan_columns, promised_type

_WHOLE = ("INTEGER", "BIGINT")


def broken_promises(connection: duckdb.DuckDBPyConnection, table: DatasetId, contract: Contract) -> list[Problem]:
    """Return what a table (silver, gold, or the gold behind an output) does not keep of a contract; empty when it keeps all.

    A column that the contract does not name is a broken promise too: nobody has said whether it may be seen.
    `connection` has the lake attached under its domain's name.
    """
    source = ".".join(quote(part) for part in (table.domain, table.zone.value, table.name))
    columns = describe(connection, f"SELECT * FROM {source}")
    problems = [_absent(column, columns, contract) for column in contract.columns if column.name not in columns]
    named = {column.name for column in contract.columns}
    problems += [_unnamed(name, contract) for name in columns if name not in named and name not in INTERNAL_COLUMNS]
    plans, _ = plan_columns(contract, columns)
    fitting = {plan.name for plan in plans if plan.cast in (Cast.NONE, Cast.LOSSLESS)}
    problems += [_other_type(c, columns[c.name], contract) for c in contract.columns if c.name in columns and c.name not in fitting]
    problems += _values(connection, source, contract, columns)
    return problems + _unruly(connection, source, contract, fitting)


def _values(connection: duckdb.DuckDBPyConnection, source: str, contract: Contract, there: Mapping[str, str]) -> list[Problem]:
    required = [c.name for c in contract.columns if is_required(c) and c.name in there]
    keys = [key for key in unique_keys(contract) if there.keys() >= set(key)]
    counts = [f"count(*) FILTER (WHERE {quote(name)} IS NULL)" for name in required]
    spans, rows = _spans(connection, source, [key[0] for key in keys if len(key) == 1 and there[key[0]] in _WHOLE])
    counts += [repetitions(key, spans.get(key[0]) if len(key) == 1 else None, rows) for key in keys]
    if not counts:
        return []
    row = connection.execute(f"SELECT {', '.join(counts)} FROM {source}").fetchone() or ()
    missing = [
        _problem(f"{count} required values of {name} are missing", name, contract)
        for name, count in zip(required, row, strict=False)
        if count
    ]
    repeated = zip(keys, row[len(required) :], strict=True)
    return missing + [_problem(f"{count} values of {', '.join(key)} are repeated", key[0], contract) for key, count in repeated if count]


def _unruly(connection: duckdb.DuckDBPyConnection, source: str, contract: Contract, there: Collection[str]) -> list[Problem]:
    """Return the limits of the contract that values break; of columns that are not of their promised type nothing can be said."""
    rules = [one for one in conditions(contract, is_typed=True) if one[0] in there]
    if not rules:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, _, condition in rules)
    row = connection.execute(f"SELECT {counts} FROM {source}").fetchone() or ()
    found = zip(rules, row, strict=True)
    return [_problem(f"{count} values of {name} break the rule {rule}", name, contract) for (name, rule, _), count in found if count]


def _spans(connection: duckdb.DuckDBPyConnection, source: str, names: Sequence[str]) -> tuple[dict[str, tuple[int, int]], int]:
    """Return the smallest and largest value of columns of whole numbers, and the number of rows."""
    if not names:
        return {}, 0
    ends = ", ".join(f"min({quote(name)}), max({quote(name)})" for name in names)
    row = connection.execute(f"SELECT count(*), {ends} FROM {source}").fetchone() or (0,)
    pairs = zip(names, row[1::2], row[2::2], strict=False)
    return {name: (low, high) for name, low, high in pairs if low is not None}, row[0]


def _absent(column: Column, columns: Mapping[str, str], contract: Contract) -> Problem:
    near = get_close_matches(column.name, columns, n=1)
    hint = f"did the model call it {near[0]}?" if near else "add it to the model, or take it out of the contract"
    return _problem(f"column {column.name} is promised and not there", column.name, contract, hint=hint)


def _unnamed(name: str, contract: Contract) -> Problem:
    hint = f"add it to {contract.place.file}, or leave it out of the model"
    return Problem(f"column {name} is there and not promised", file=contract.place.file, value=name, hint=hint)


def _other_type(column: Column, found: str, contract: Contract) -> Problem:
    hint = "cast it in the model, or promise the other type"
    return _problem(f"column {column.name} is {found}, promised is {promised_type(column)}", column.name, contract, hint=hint)


def _problem(message: str, column: str, contract: Contract, *, hint: str | None = None) -> Problem:
    promise = next((c.place for c in contract.columns if c.name == column and c.place), contract.place)
    return Problem(message, file=promise.file, line=promise.line, column=promise.column, hint=hint)

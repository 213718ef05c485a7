"""Rows that a load sets aside because a value does not fit: found in the staged rows, kept as text beside the lake's register of loads."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are `literal`s

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb

from polyceph.core.model.contract import Contract
from polyceph.core.source_ports import ArrowStream, LoadMode
from polyceph.lake.changes import REMOVED
from polyceph.lake.check import is_required, key_expression, unique_keys
from polyceph.lake.engine import literal, quote
from polyceph.lake.rules import conditions
from polyceph.lake.stream import registered
from polyceph.lake.types import CHANGE, ROW, Cast, ColumnPlan

_TABLE = "_polyceph_rejects"
_NUMBER = "file_row_number"
_COLUMNS = '"row" BIGINT, place VARCHAR, "column" VARCHAR, value VARCHAR, rule VARCHAR'


def collect(connection: duckdb.DuckDBPyConnection, delivered: ArrowStream | None) -> int:
    """Begin a load's collection with what its connector has set aside already; return how many rows that concerns."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} ({_NUMBER} BIGINT, {_COLUMNS})")
    if delivered is None:
        return 0
    with registered(connection, delivered) as select:
        connection.execute(f'INSERT INTO {_TABLE} SELECT NULL, "row", place, "column", value, rule FROM ({select})')
    return _count(connection, f'SELECT count(DISTINCT "row") FROM {_TABLE}')


def sort_out(
    connection: duckdb.DuckDBPyConnection, file: str, plans: Sequence[ColumnPlan], contract: Contract, mode: LoadMode
) -> tuple[int, int]:
    """Add the rows of a staged Parquet file that cannot be loaded; return how many there are, and how many rows in all.

    A row cannot be loaded when a value cannot become its promised type or breaks a rule of the contract, a required one is missing, or
    its key came before; a list of changes may tell several of one key.
    """
    rows = f"read_parquet({literal(file)}, {_NUMBER} => true)"
    repeated = () if mode is LoadMode.MERGE else _repeated(rows, contract)
    for select in (*_broken(rows, plans), *_missing(rows, contract), *_unruly(rows, contract), *repeated):
        connection.execute(f"INSERT INTO {_TABLE} {select}")
    rejected = _count(connection, f"SELECT count(DISTINCT {_NUMBER}) FROM {_TABLE}")
    return rejected, _count(connection, f"SELECT count(*) FROM {rows}")


def remaining(file: str) -> str:
    """Return the table expression of the rows of a staged file that were not sorted out."""
    rows = f"read_parquet({literal(file)}, {_NUMBER} => true)"
    kept = (
        f"SELECT * EXCLUDE ({_NUMBER}) FROM {rows} ANTI JOIN (SELECT {_NUMBER} FROM {_TABLE} WHERE {_NUMBER} IS NOT NULL) USING ({_NUMBER})"
    )
    return f"({kept})"


def keep(connection: duckdb.DuckDBPyConnection, domain: str, dataset: str, key: str, origin: str) -> None:
    """Write what was collected into the lake, in the transaction of the load."""
    given = f'"row", place, "column", value, rule, now() FROM {_TABLE}'
    connection.execute(f"INSERT INTO {quote(domain)}._polyceph.reject SELECT ?, ?, ?, {given}", [dataset, key, origin])


def rows(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows were collected."""
    return _count(connection, f"SELECT count(DISTINCT coalesce({_NUMBER}::VARCHAR, 'r' || \"row\")) FROM {_TABLE}")


def _broken(rows: str, plans: Sequence[ColumnPlan]) -> Iterator[str]:
    for plan in plans:
        if plan.cast is Cast.CHECKED:
            rule = literal(f"cannot become {plan.target_type} without loss")
            yield _reject(rows, plan.name, f"CAST({quote(plan.name)} AS VARCHAR)", rule, plan.broken())


def _missing(rows: str, contract: Contract) -> Iterator[str]:
    is_there = f"{quote(CHANGE)} IS DISTINCT FROM {literal(REMOVED)}"
    for column in contract.columns:
        if is_required(column):
            yield _reject(rows, column.name, "NULL", "'the column is required'", f"{quote(column.name)} IS NULL AND {is_there}")


def _unruly(rows: str, contract: Contract) -> Iterator[str]:
    for name, rule, condition in conditions(contract, is_typed=False):
        yield _reject(rows, name, f"CAST({quote(name)} AS VARCHAR)", literal(str(rule)), condition)


def _repeated(rows: str, contract: Contract) -> Iterator[str]:
    for names in unique_keys(contract):
        key = key_expression(names)
        numbered = f"SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {_NUMBER}) AS nth FROM {rows} WHERE {key} IS NOT NULL"
        value = f"CAST({key} AS VARCHAR)"
        yield _reject(f"({numbered})", ", ".join(names), value, "'the key came before'", "nth > 1")


def _reject(rows: str, column: str, value: str, rule: str, condition: str) -> str:
    return f"SELECT {_NUMBER}, {quote(ROW)}, NULL, {literal(column)}, {value}, {rule} FROM {rows} WHERE {condition}"


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0

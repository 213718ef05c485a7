"""The raw table of a contract: made on the first load, grown by new nullable columns, refused to change in any other way."""

from __future__ import annotations

import duckdb

from polyceph.core.model.contract import Contract
from polyceph.errors import Invalid, Problem
from polyceph.lake.check import is_required
from polyceph.lake.engine import quote
from polyceph.lake.facts import TableEntry
from polyceph.lake.types import INTERNAL_COLUMNS, promised_columns


def table_changes(table: str, contract: Contract, entry: TableEntry | None) -> list[str]:
    """Return the statements that bring the raw table `table` (quoted, with its lake) in step with its contract; none when it is.

    Raises:
        Invalid: the contract changed in a way that rows already loaded do not keep: a column gone, another type, a new or existing
            column that became required.
    """
    required = {column.name for column in contract.columns if is_required(column)}
    promised = promised_columns(contract)
    if entry is None:
        columns = ", ".join(f"{quote(name)} {kind}{' NOT NULL' if name in required else ''}" for name, kind in promised.items())
        return [f"CREATE TABLE {table} ({columns})"]
    problems = _differences(contract, entry, required)
    if problems:
        raise Invalid(
            f"the contract of {contract.dataset} ({contract.version}) no longer fits the rows already loaded",
            problems=problems,
            hint="only new optional columns can be added; for anything else declare a new dataset",
        )
    added = [f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}" for name, kind in promised.items() if name not in entry.columns]
    loosened = [name for name, (_, _, nullable) in entry.columns.items() if not nullable and name not in required]
    return added + [f"ALTER TABLE {table} ALTER COLUMN {quote(name)} DROP NOT NULL" for name in loosened]


def _differences(contract: Contract, entry: TableEntry, required: set[str]) -> list[Problem]:
    promised = promised_columns(contract)
    problems = [
        Problem("the column is loaded and no longer promised", file=contract.place.file, place=f"column {name}")
        for name in entry.columns
        if name not in promised
    ]
    for name, kind in promised.items():
        if name in INTERNAL_COLUMNS:
            continue
        message = _difference(kind, entry.columns.get(name), is_required=name in required)
        if message:
            problems.append(Problem(message, file=contract.place.file, place=f"column {name}"))
    return problems


def _difference(promised: str, loaded: tuple[int, str, bool] | None, *, is_required: bool) -> str:
    if loaded is None:
        return "the column is new and required; rows already loaded lack it" if is_required else ""
    _, kind, nullable = loaded
    if not _same(kind, promised):
        return f"the column is loaded as {kind} and now promised as {promised}"
    return "the column is now required; rows already loaded may lack it" if is_required and nullable else ""


def _same(loaded: str, promised: str) -> bool:
    if loaded == promised:
        return True
    with duckdb.connect() as connection:
        try:
            row = connection.execute(f"SELECT typeof(CAST(NULL AS {loaded})) = typeof(CAST(NULL AS {promised}))").fetchone()
        except duckdb.Error:
            return False
    return row == (True,)

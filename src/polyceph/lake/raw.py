"""The raw table of a contract: made on the first load, then changed only where rows already loaded keep what they hold.

New nullable columns; columns that become texts, which hold every value; columns promised no more, which stay for those rows.
"""

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
        Invalid: the contract changed in a way that rows already loaded do not keep: another type than text, a new or existing column
            that became required.
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
            hint="columns can become texts, optional or gone, and new ones are optional; for anything else declare a new dataset",
        )
    added = [f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}" for name, kind in promised.items() if name not in entry.columns]
    loosened = [name for name, (_, _, nullable) in entry.columns.items() if not nullable and name not in required]
    turned = [one for name, kind in promised.items() if name in entry.columns for one in _as_text(table, name, kind, entry)]
    return turned + added + [f"ALTER TABLE {table} ALTER COLUMN {quote(name)} DROP NOT NULL" for name in loosened]


def _differences(contract: Contract, entry: TableEntry, required: set[str]) -> list[Problem]:
    promised = promised_columns(contract)
    problems = []
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
    if not _same(kind, promised) and not _becomes_text(kind, promised):
        return f"the column is loaded as {kind} and now promised as {promised}"
    return "the column is now required; rows already loaded may lack it" if is_required and nullable else ""


def _becomes_text(loaded: str, promised: str) -> bool:
    """Tell whether a column becomes a text: a number, date or yes and no keeps all it says there."""
    return promised == "VARCHAR" and loaded != promised and not loaded.endswith("]") and not loaded.startswith(("STRUCT", "MAP", "BLOB"))


def _as_text(table: str, name: str, promised: str, entry: TableEntry) -> list[str]:
    _, kind, nullable = entry.columns[name]
    if not _becomes_text(kind, promised) or _same(kind, promised):
        return []
    old, new = quote(f"{name} as {kind}"), quote(name)
    turned = [
        f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}",
        f"ALTER TABLE {table} ADD COLUMN {new} VARCHAR",
        f"UPDATE {table} SET {new} = CAST({old} AS VARCHAR)",  # noqa: S608  quoted
        f"ALTER TABLE {table} DROP COLUMN {old}",
    ]
    return turned if nullable else [*turned, f"ALTER TABLE {table} ALTER COLUMN {new} SET NOT NULL"]


def _same(loaded: str, promised: str) -> bool:
    if loaded == promised:
        return True
    with duckdb.connect() as connection:
        try:
            row = connection.execute(f"SELECT typeof(CAST(NULL AS {loaded})) = typeof(CAST(NULL AS {promised}))").fetchone()
        except duckdb.Error:
            return False
    return row == (True,)

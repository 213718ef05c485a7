"""The SELECT that reads one version of a DuckLake or Delta table, or what changed between two: columns and conditions pushed down."""

# ruff: noqa: S608 -- identifiers go through `name_sql`, texts through `text_sql`, values are parameters

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from polyceph.connectors.lake_engine import ALIAS, name_sql, no_table, place, shown, text_sql
from polyceph.connectors.lake_options import LakeDataset, LakeSource
from polyceph.connectors.types import NESTED
from polyceph.connectors.validation import meant, nearest
from polyceph.sdk import Column, Invalid, Problem

_CHANGE, _ROW = "_change", "_row"


@dataclass(frozen=True)
class Table:
    """A table as its lake has it: its version now, its oldest one that can still be read, and its columns with their types."""

    name: str
    version: int
    oldest: int
    columns: Mapping[str, str]
    relation: str
    """What stands behind FROM for the version now."""


def tables(connection: duckdb.DuckDBPyConnection, source: LakeSource, base: Path) -> list[str]:
    """Return the names of the tables."""
    if source.kind == "ducklake":
        rows = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY 1", [ALIAS]
        ).fetchall()
        return [str(row[0]) for row in rows]
    root = place(source, base)
    found = connection.execute("SELECT file FROM glob(?)", [f"{root}/**/_delta_log/*"]).fetchall()
    return sorted({str(row[0]).removeprefix(f"{root}/").split("/_delta_log/")[0] for row in found})


def table_of(connection: duckdb.DuckDBPyConnection, source: LakeSource, base: Path, name: str) -> Table:
    """Return a table; raise `NotFound` with the names there are when it is not there."""
    return _ducklake(connection, source, base, name) if source.kind == "ducklake" else _delta(connection, source, base, name)


def _ducklake(connection: duckdb.DuckDBPyConnection, source: LakeSource, base: Path, name: str) -> Table:
    schema, _, table = name.rpartition(".")
    known = tables(connection, source, base)
    if f"{schema or 'main'}.{table}" not in known:
        raise no_table(name, known, shown(source))
    row = connection.execute("SELECT max(snapshot_id), min(snapshot_id) FROM ducklake_snapshots(?)", [ALIAS]).fetchone()
    newest, oldest = (int(row[0]), int(row[1])) if row else (0, 0)
    relation = f"{name_sql(ALIAS, schema or 'main', table)} AT (VERSION => {newest})"
    return Table(f"{schema or 'main'}.{table}", newest, oldest, _columns(connection, relation), relation)


def _delta(connection: duckdb.DuckDBPyConnection, source: LakeSource, base: Path, name: str) -> Table:
    if name.startswith("/") or ".." in name.split("/") or "://" in name:
        raise Invalid(f"table {name!r} leaves {shown(source)}", hint="give a folder below url")
    path = f"{place(source, base)}/{name}"
    pattern = r"(\d{20})\.(?:json|checkpoint\..*parquet)$"
    row = connection.execute(f"SELECT max(regexp_extract(file, {text_sql(pattern)}, 1)) FROM glob(?)", [f"{path}/_delta_log/*"]).fetchone()
    if row is None or not row[0]:
        raise no_table(name, tables(connection, source, base), shown(source))
    version = int(row[0])
    relation = f"delta_scan({text_sql(path)}, version => {version})"
    return Table(name, version, version, _columns(connection, relation), relation)


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def matched(promised: tuple[Column, ...], known: Mapping[str, str], dataset: LakeDataset, where: str) -> list[tuple[Column, str]]:
    """Return each promised column with the table's; raise `Invalid` with one problem for each that the table does not have."""
    found: list[tuple[Column, str]] = []
    problems = []
    for column in promised:
        name = next((one for one in (column.source_name, column.name) if one in known), None)
        if name is None:
            wanted = column.source_name or column.name
            hint = meant(wanted, known)
            problems.append(Problem(f"column {wanted!r} is not in {where}", value=wanted, allowed=nearest(wanted, known), hint=hint))
        else:
            found.append((column, name))
    stray = [one.column for one in dataset.where if one.column not in known]
    problems += [Problem(f"where names {name!r}, which is not in {where}", value=name, allowed=nearest(name, known)) for name in stray]
    if problems:
        raise Invalid(f"{where} does not have the columns that are asked of it", problems=problems)
    return found


def whole(table: Table, columns: list[tuple[Column, str]], dataset: LakeDataset) -> tuple[str, tuple[Any, ...]]:
    """Return the SELECT of all rows of the version now that meet the conditions, with its parameters."""
    conditions, values = _conditions(dataset)
    fields = ", ".join(_field(column, name, table) for column, name in columns)
    return f"SELECT {fields} FROM {table.relation}{f' WHERE {conditions}' if conditions else ''}", values


def changes(table: Table, since: int, columns: list[tuple[Column, str]], dataset: LakeDataset) -> tuple[str, tuple[Any, ...]]:
    """Return the SELECT of what changed behind version `since`: in order, gone rows before new ones of the same version.

    Both sides of an update come: what a row was is gone, what it is now is there, so a changed key leaves nothing behind.
    """
    conditions, values = _conditions(dataset)
    schema, _, name = table.name.rpartition(".")
    call = f"ducklake_table_changes({text_sql(ALIAS)}, {text_sql(schema)}, {text_sql(name)}, {since + 1}, {table.version})"
    fields = ", ".join(_field(column, source, table) for column, source in columns)
    is_gone = "change_type IN ('delete', 'update_preimage')"
    extra = (
        f"CASE WHEN {is_gone} THEN 'removed' END AS {name_sql(_CHANGE)}, "
        f"row_number() OVER (ORDER BY snapshot_id, CASE WHEN {is_gone} THEN 0 ELSE 1 END, rowid) AS {name_sql(_ROW)}"
    )
    return f"SELECT {fields}, {extra} FROM {call}{f' WHERE {conditions}' if conditions else ''} ORDER BY {name_sql(_ROW)}", values


def has_changed(connection: duckdb.DuckDBPyConnection, table: Table, since: int) -> bool:
    """Tell whether rows of the table changed behind a version: other tables of its lake make versions too."""
    schema, _, name = table.name.rpartition(".")
    call = f"ducklake_table_changes(?, ?, ?, {since + 1}, {table.version})"
    return connection.execute(f"SELECT 1 FROM {call} LIMIT 1", [ALIAS, schema, name]).fetchone() is not None


def _conditions(dataset: LakeDataset) -> tuple[str, tuple[Any, ...]]:
    parts = [f"{name_sql(one.column)} {one.op} ?" for one in dataset.where]  # the operators are a closed list
    return " AND ".join(parts), tuple(one.value for one in dataset.where)


def _field(column: Column, name: str, table: Table) -> str:
    taken, kind = name_sql(name), table.columns[name]
    if column.logical_type in NESTED and kind != "VARCHAR":
        taken = f"CAST(to_json({taken}) AS VARCHAR)"
    elif kind in ("HUGEINT", "UHUGEINT"):
        taken = f"CAST({taken} AS DECIMAL(38,0))"
    elif kind in ("UUID", "JSON") or kind.startswith("ENUM"):
        taken = f"CAST({taken} AS VARCHAR)"
    return f"{taken} AS {name_sql(column.name)}"

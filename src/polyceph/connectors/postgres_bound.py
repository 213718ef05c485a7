"""How far an incremental load of PostgreSQL reads: the newest committed value, once the transactions that may still write below it end."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import LiteralString

from psycopg import sql

from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.postgres_server import Connection, from_sql, where_sql
from polyceph.connectors.sql.ranges import Kind, Moment, Range, lag_of, range_of
from polyceph.connectors.sql.relation import Relation
from polyceph.sdk import Conflict, Invalid, Note

_KINDS: dict[str, Kind] = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
}
_POLL_S = 0.1


def server_type(kind: Kind) -> LiteralString:
    """Return the type to which both bounds are cast."""
    return "bigint" if kind == "integer" else kind


def find_range(connection: Connection, relation: Relation, dataset: PostgresDataset, *, since: str | None) -> Range | None:
    """Return the range to read now, None when there is nothing new.

    The upper bound is the largest committed cursor value not younger than `lag`. Transactions that hold a write lock on the table at
    that moment may still commit smaller values: they are waited for, so the read that follows sees them.

    Raises:
        Invalid: the cursor column is of a type that does not grow, `lag` does not fit it, or the stored cursor is of another type.
        Conflict: a writing transaction does not end within `wait_s`.
    """
    column = str(dataset.cursor)
    kind = _kind(relation, column)
    writers = _writers(connection, relation)
    newest = _newest(connection, relation, dataset, kind)
    found = range_of(dataset, kind, since=since, newest=newest, relation=relation)
    if found is None:
        return None
    _wait_for(connection, writers, relation, dataset.wait_s)
    return replace(found, notes=found.notes + _notes(connection, relation, dataset))


def _kind(relation: Relation, column: str) -> Kind:
    type_name = relation.columns[column]
    if type_name not in _KINDS:
        raise Invalid(f"cursor {column} of {relation.shown} is {type_name}", hint=f"a cursor is one of: {', '.join(_KINDS)}")
    return _KINDS[type_name]


def _newest(connection: Connection, relation: Relation, dataset: PostgresDataset, kind: Kind) -> Moment | None:
    column, lag = sql.Identifier(str(dataset.cursor)), lag_of(dataset, kind)
    newest = sql.SQL("SELECT max({column}) FROM {source}").format(column=column, source=from_sql(relation))
    if kind == "integer":
        row = connection.execute(newest + where_sql(dataset)).fetchone()
        top = row[0] if row else None
        return None if top is None else int(str(top)) - int(lag.days)
    limit = sql.SQL(" AND isfinite({column}) AND {column} <= {now} - {lag}").format(
        column=column, now=_now(dataset, kind), lag=sql.Literal(lag.days if kind == "date" else lag)
    )
    row = connection.execute(newest + where_sql(dataset) + limit).fetchone()
    found = row[0] if row else None
    return found if isinstance(found, date) else None


def _now(dataset: PostgresDataset, kind: Kind) -> sql.Composable:
    if kind == "timestamptz":
        return sql.SQL("now()")
    wall = sql.SQL("(now() AT TIME ZONE {})").format(sql.Literal(dataset.timezone)) if dataset.timezone else sql.SQL("localtimestamp")
    return sql.SQL("{}::date").format(wall) if kind == "date" else wall


def _writers(connection: Connection, relation: Relation) -> set[str]:
    if not relation.oid:
        return set()
    rows = connection.execute(
        "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = %s AND granted"
        " AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') AND pid <> pg_backend_pid()",
        (relation.oid,),
    ).fetchall()
    return {str(row[0]) for row in rows}


def _wait_for(connection: Connection, writers: set[str], relation: Relation, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while writers & _writers(connection, relation):
        if time.monotonic() > deadline:
            raise Conflict(
                f"a transaction has been writing to {relation.shown} for more than {wait_s:g} s; what it commits could be lost",
                hint="load again when it has ended, raise wait_s, or end it",
            )
        time.sleep(_POLL_S)


def _notes(connection: Connection, relation: Relation, dataset: PostgresDataset) -> tuple[Note, ...]:
    column = str(dataset.cursor)
    empty = sql.SQL("SELECT 1 FROM {}{} AND {} IS NULL LIMIT 1").format(from_sql(relation), where_sql(dataset), sql.Identifier(column))
    if connection.execute(empty).fetchone() is None:
        return ()
    return (Note("cursor", f"{relation.shown} has rows without {column}: an incremental load never reads them", column),)

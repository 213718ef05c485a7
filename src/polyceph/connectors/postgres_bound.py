"""How far an incremental load reads: the range (since, until] of its cursor column, fixed before the rows are read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, LiteralString

from psycopg import sql

from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.postgres_server import Connection, Relation
from polyceph.sdk import Conflict, Invalid, Note

Moment = datetime | date | int
Kind = Literal["timestamptz", "timestamp", "date", "integer"]

_KINDS: dict[str, Kind] = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
}
_POLL_S = 0.1


@dataclass(frozen=True)
class Bound:
    """The range (since, until] of a cursor column as text that PostgreSQL and DuckDB read alike; since None is everything."""

    column: str
    kind: Kind
    since: str | None
    until: str
    notes: tuple[Note, ...] = ()

    @property
    def server_type(self) -> LiteralString:
        """The type to which both bounds are cast."""
        return "bigint" if self.kind == "integer" else self.kind


def find_bound(connection: Connection, relation: Relation, dataset: PostgresDataset, *, since: str | None) -> Bound | None:
    """Return the range to read now, None when there is nothing new.

    The upper bound is the largest committed cursor value not younger than `lag`. Transactions that hold a write lock on the table at
    that moment may still commit smaller values: they are waited for, so the read that follows sees them.

    Raises:
        Invalid: the cursor column is of a type that does not grow, `lag` does not fit it, or the stored cursor is of another type.
        Conflict: a writing transaction does not end within `wait_s`.
    """
    column = str(dataset.cursor)
    kind = _kind(relation, column)
    last = _parsed(since, kind, relation) if since is not None else None
    writers = _writers(connection, relation)
    newest = _newest(connection, relation, dataset, kind)
    if newest is None or (last is not None and not _is_later(newest, last)):
        return None
    _wait_for(connection, writers, relation, dataset.wait_s)
    return Bound(column, kind, _text(last) if last is not None else None, _text(newest), _notes(connection, relation, column))


def _kind(relation: Relation, column: str) -> Kind:
    type_name = relation.columns[column]
    if type_name not in _KINDS:
        raise Invalid(f"cursor {column} of {relation.shown} is {type_name}", hint=f"a cursor is one of: {', '.join(_KINDS)}")
    return _KINDS[type_name]


def _newest(connection: Connection, relation: Relation, dataset: PostgresDataset, kind: str) -> Moment | None:
    column = sql.Identifier(str(dataset.cursor))
    limit, value = _limit(dataset, kind)
    newest = sql.SQL("SELECT max({column}) FROM {source}").format(column=column, source=relation.as_sql())
    if kind == "integer":
        row = connection.execute(newest).fetchone()
        top = row[0] if row else None
        return None if top is None else int(str(top)) - int(value.days)
    lag = sql.Literal(value.days if kind == "date" else value)
    finite = sql.SQL(" WHERE isfinite({column}) AND {column} <= {limit} - {lag}").format(column=column, limit=limit, lag=lag)
    row = connection.execute(newest + finite).fetchone()
    found = row[0] if row else None
    return found if isinstance(found, date) else None


def _limit(dataset: PostgresDataset, kind: str) -> tuple[sql.SQL, timedelta]:
    """Return the SQL of "now" in the cursor's type and the lag; an integer's lag travels in the days."""
    if kind == "integer" and isinstance(dataset.lag, int | None):
        return sql.SQL(""), timedelta(days=dataset.lag or 0)
    if kind == "integer" or isinstance(dataset.lag, int):
        good = "a number" if kind == "integer" else 'a time such as "5 minutes"'
        raise Invalid(f"cursor {dataset.cursor} is of type {kind}, so lag is {good}, not {dataset.lag!r}")
    lag = dataset.lag_time()
    if kind == "date":
        # A day that is not over gets more rows of the same date, which (since, until] would never see.
        return sql.SQL("current_date"), max(timedelta(days=lag.days), timedelta(days=1))
    return sql.SQL("now()" if kind == "timestamptz" else "localtimestamp"), lag


def _is_later(value: Moment, last: Moment) -> bool:
    return value > last  # type: ignore[operator]  # both come from the same column


def _parsed(text: str, kind: Kind, relation: Relation) -> Moment:
    try:
        value: Moment = int(text) if kind == "integer" else date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)
    except ValueError as error:
        raise _other_type(text, kind, relation) from error
    if isinstance(value, datetime) and (value.tzinfo is None) == (kind == "timestamptz"):
        raise _other_type(text, kind, relation)
    return value


def _other_type(text: str, kind: Kind, relation: Relation) -> Invalid:
    return Invalid(
        f"the last load of {relation.shown} stopped at {text!r}, which is no {kind}: the cursor column has changed its type",
        hint="go back to the former cursor column, or load into a new dataset",
    )


def _text(value: Moment) -> str:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ", timespec="microseconds")
    return str(value)


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


def _notes(connection: Connection, relation: Relation, column: str) -> tuple[Note, ...]:
    empty = sql.SQL("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1").format(relation.as_sql(), sql.Identifier(column))
    if connection.execute(empty).fetchone() is None:
        return ()
    return (Note("cursor", f"{relation.shown} has rows without {column}: an incremental load never reads them", column),)

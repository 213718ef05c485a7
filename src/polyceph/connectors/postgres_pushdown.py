"""The SELECT that DuckDB runs on PostgreSQL: secret, read-only ATTACH, columns renamed and cast to the contract."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import duckdb
from psycopg import sql
from sqlglot import exp

from polyceph.connectors.postgres_bound import Bound
from polyceph.connectors.postgres_options import ServerAddress
from polyceph.connectors.postgres_server import Relation
from polyceph.connectors.types import duckdb_type
from polyceph.sdk import Column, Pushdown, Unavailable

_SESSION = "options='-c default_transaction_read_only=on'"
"""libpq options of the reading session, besides DuckDB's own REPEATABLE READ READ ONLY transaction."""

_SAFE = {
    "smallint": ("BIGINT", "DOUBLE"),
    "integer": ("BIGINT", "DOUBLE"),
    "bigint": ("BIGINT",),
    "real": ("DOUBLE",),
    "double precision": ("DOUBLE",),
    "numeric": ("DOUBLE",),
    "numeric with precision": ("DOUBLE",),
    "date": ("DATE", "TIMESTAMP"),
}


@dataclass(frozen=True)
class Reading:
    """What to read: the relation, contract column → source column, and the range, None for everything."""

    relation: Relation
    columns: tuple[tuple[Column, str], ...]
    bound: Bound | None


def pushdown(address: ServerAddress, reading: Reading) -> Pushdown:
    """Return the pushdown; each `prepare` attaches the server under a name of its own.

    DuckDB reads with all its threads in one exported snapshot of the server (REPEATABLE READ READ ONLY).
    """

    def prepare(connection: Any) -> str:
        alias = f"source_{secrets.token_hex(6)}"
        try:
            _attach(connection, address, alias)
        except duckdb.Error as error:
            raise Unavailable(f"DuckDB cannot enter {address.shown}: {_without_secret(str(error), address)}") from None
        return _select(reading, alias).sql(dialect="duckdb")

    return Pushdown(prepare)


def _attach(connection: Any, address: ServerAddress, alias: str) -> None:
    """Make the secret from a variable, so that the password stands in no statement, and attach."""
    variable = f"{alias}_password"
    name = exp.to_identifier(alias, quoted=True).sql(dialect="duckdb")
    connection.execute(f"SET VARIABLE {variable} = $1", [address.password.get_secret_value()])
    try:
        connection.execute(
            f"CREATE TEMPORARY SECRET {name} (TYPE postgres, HOST {_literal(address.host)}, PORT {address.port},"
            f" DATABASE {_literal(address.database)}, USER {_literal(address.user)}, PASSWORD getvariable({_literal(variable)}))"
        )
    finally:
        connection.execute(f"RESET VARIABLE {variable}")
    session = f"{_SESSION} connect_timeout={address.connect_timeout_s} application_name=polyceph"
    session += f" sslmode={address.sslmode}" if address.sslmode else ""
    connection.execute(f"ATTACH {_literal(session)} AS {name} (TYPE postgres, SECRET {name}, READ_ONLY)")


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")


def _without_secret(text: str, address: ServerAddress) -> str:
    return text.replace(address.password.get_secret_value(), "***").strip().splitlines()[0]


def _select(reading: Reading, alias: str) -> exp.Select:
    relation, bound = reading.relation, reading.bound
    fields = [_field(column, source, relation.columns[source]) for column, source in reading.columns]
    if relation.table and (bound is None or bound.since is None):
        # The scanner splits the table by pages over the threads; that is the fast way to read all of it.
        found = exp.select(*fields).from_(exp.table_(relation.table, db=relation.schema, catalog=alias, quoted=True))
        return found.where(_until(bound)) if bound else found
    # One statement on the server: it can use the index on the cursor, which a scan by pages cannot.
    statement = exp.Literal.string(_on_server(reading))
    return exp.select(*fields).from_(exp.Table(this=exp.func("postgres_query", exp.Literal.string(alias), statement)))


def _field(column: Column, source: str, source_type: str) -> exp.Expr:
    value: exp.Expr = exp.column(source, quoted=True)
    target = duckdb_type(column)
    if (target, source_type) in (("TIMESTAMP", "timestamp with time zone"), ("TIMESTAMPTZ", "timestamp without time zone")):
        # A bare cast would take the time zone of whoever runs it.
        value = exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC"))
    elif _is_safe(source_type, target):
        value = exp.cast(value, exp.DataType.build(target, dialect="duckdb"))
    return exp.alias_(value, column.name, quoted=True)


def _is_safe(source_type: str, target: str) -> bool:
    """Tell whether no value can fail to be cast; the lake casts all else, checks it and names the rows that fail."""
    return target in ("VARCHAR", "JSON") or target in _SAFE.get(source_type, ())


def _until(bound: Bound) -> exp.Expr:
    value = exp.cast(exp.Literal.string(bound.until), exp.DataType.build(bound.server_type, dialect="postgres"))
    return exp.LTE(this=exp.column(bound.column, quoted=True), expression=value)


def _on_server(reading: Reading) -> str:
    names = dict.fromkeys(source for _, source in reading.columns)
    statement = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, names)), reading.relation.as_sql())
    bound = reading.bound
    if bound is not None:
        column, kind = sql.Identifier(bound.column), sql.SQL(bound.server_type)
        statement += sql.SQL(" WHERE {} <= {}::{}").format(column, sql.Literal(bound.until), kind)
        if bound.since is not None:
            statement += sql.SQL(" AND {} > {}::{}").format(column, sql.Literal(bound.since), kind)
    return statement.as_string(None)

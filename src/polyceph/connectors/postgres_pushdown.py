"""The SELECT that DuckDB runs on PostgreSQL: secret, read-only ATTACH, columns renamed and cast to the contract."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import duckdb
from psycopg import sql
from sqlglot import exp

from polyceph.connectors.postgres_bound import server_type
from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.postgres_server import from_sql, where_sql
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Range
from polyceph.connectors.sql.relation import Matched, Relation
from polyceph.connectors.sql.walls import instant
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
    "date": ("DATE", "TIMESTAMP"),
}


@dataclass(frozen=True)
class Reading:
    """What to read: the relation, contract column → source column, the range (None for everything), the dataset's options.

    `spoilt` are columns of decimals among which there is a NaN: they are read as text.
    """

    relation: Relation
    columns: Matched
    found: Range | None
    dataset: PostgresDataset
    spoilt: frozenset[str] = frozenset()


def pushdown(address: ServerAddress, reading: Reading) -> Pushdown:
    """Return the pushdown; each `prepare` attaches the server under a name of its own.

    DuckDB reads with all its threads in one exported snapshot of the server (REPEATABLE READ READ ONLY). It makes 0 of a NaN among
    decimals: where a zero was read, the server is asked about that column in the same snapshot.
    """
    aliases: list[str] = []

    def prepare(connection: Any) -> str:
        alias = f"source_{secrets.token_hex(6)}"
        try:
            _attach(connection, address, alias)
        except duckdb.Error as error:
            raise Unavailable(f"DuckDB cannot enter {address.shown}: {address.without_password(str(error))}") from None
        aliases.append(alias)
        return _select(reading, alias).sql(dialect="duckdb")

    def doubt(connection: Any, has_zero: Callable[[str], bool]) -> Pushdown | None:
        names = {source for column, source in reading.columns if source in decimals and has_zero(column.name)}
        spoilt = frozenset(name for name in sorted(names) if _has_nan(connection, aliases[-1], reading, name))
        return pushdown(address, replace(reading, spoilt=reading.spoilt | spoilt)) if spoilt else None

    decimals = _decimals(reading)
    return Pushdown(prepare, doubt if decimals else None)


def _decimals(reading: Reading) -> frozenset[str]:
    """Return the columns that DuckDB reads as decimals: of a NaN among them it makes 0."""
    types = reading.relation.columns
    return frozenset(source for _, source in reading.columns if types[source].startswith("numeric(")) - reading.spoilt


def _has_nan(connection: Any, alias: str, reading: Reading, name: str) -> bool:
    """Tell whether a column holds a NaN in what was read; asked in the transaction of the read, which sees the same moment."""
    statement = sql.SQL("SELECT 1 AS found FROM {}{} AND {} = 'NaN' LIMIT 1")
    text = statement.format(from_sql(reading.relation), _range(reading), sql.Identifier(name)).as_string(None)
    asked = exp.select("found").from_(_query(alias, text)).sql(dialect="duckdb")
    try:
        return connection.execute(asked).fetchone() is not None
    except duckdb.Error as error:
        raise Unavailable(f"the source broke off: {str(error).splitlines()[0]}", hint="nothing was loaded; run it again") from None


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
    # DuckDB takes every text for UTF-8 and does not ask the server for it.
    session = f"{_SESSION} client_encoding=UTF8 connect_timeout={address.connect_timeout_s} application_name=polyceph"
    session += f" sslmode={address.sslmode}" if address.sslmode else ""
    connection.execute(f"ATTACH {_literal(session)} AS {name} (TYPE postgres, SECRET {name}, READ_ONLY)")


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")


def _select(reading: Reading, alias: str) -> exp.Select:
    relation, found = reading.relation, reading.found
    if _is_scannable(reading):
        # The scanner splits the table by pages over the threads; that is the fast way to read all of it.
        table = exp.table_(relation.table, db=relation.schema, catalog=alias, quoted=True)
        select = exp.select(*(_field(column, source, source, reading) for column, source in reading.columns)).from_(table)
        select = select.where(_until(found)) if found else select
    else:
        # One statement on the server: it can use the index on the cursor, which a scan by pages cannot.
        fields = [_field(column, source, f"c{at}", reading) for at, (column, source) in enumerate(reading.columns)]
        select = exp.select(*fields).from_(_query(alias, _statement(reading)))
    return select


def _is_scannable(reading: Reading) -> bool:
    """Tell whether DuckDB may read the table by itself: all of it, in its own types; it takes "Name" and "name" for the same column."""
    relation, found = reading.relation, reading.found
    is_whole = (found is None or found.start is None) and reading.dataset.filter is None
    is_distinct = len({name.casefold() for name in relation.columns}) == len(relation.columns)
    return bool(relation.table) and is_whole and is_distinct and not any(_on_server(c, source, reading) for c, source in reading.columns)


def _query(alias: str, statement: str) -> exp.Table:
    return exp.Table(this=exp.func("postgres_query", exp.Literal.string(alias), exp.Literal.string(statement)))


def _field(column: Column, source: str, name: str, reading: Reading) -> exp.Expr:
    """Return the value that DuckDB finds under `name`, in the promised type, under the contract's name."""
    source_type = reading.relation.columns[source]
    value: exp.Expr = exp.column(name, quoted=True)
    target, zone = duckdb_type(column), reading.dataset.timezone
    if (target, source_type) == ("TIMESTAMPTZ", "timestamp without time zone") and zone:
        value = instant(value, zone=zone, ambiguous=reading.dataset.ambiguous)
    elif (target, source_type) in (("TIMESTAMP", "timestamp with time zone"), ("TIMESTAMPTZ", "timestamp without time zone")):
        # A bare cast would take the time zone of whoever runs it.
        value = exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC"))
    elif _is_safe(source_type, target):
        value = exp.cast(value, exp.DataType.build(target, dialect="duckdb"))
    return exp.alias_(value, column.name, quoted=True)


def _is_safe(source_type: str, target: str) -> bool:
    """Tell whether no value can fail to be cast; the lake casts all else, checks it and names the rows that fail."""
    if source_type.startswith("numeric"):
        return target == "DOUBLE"
    return target in ("VARCHAR", "JSON") or target in _SAFE.get(source_type, ())


def _until(found: Range) -> exp.Expr:
    value = exp.cast(exp.Literal.string(found.until), exp.DataType.build(server_type(found.kind), dialect="postgres"))
    return exp.LTE(this=exp.column(found.column, quoted=True), expression=value)


def _on_server(column: Column, source: str, reading: Reading) -> LiteralString:
    """Return the type that the server itself has to give a value, empty when DuckDB reads it as it is.

    Of a numeric without precision DuckDB makes a float, and of a NaN or an infinite one 0.
    """
    kind = reading.relation.columns[source]
    if kind != "numeric" and source not in reading.spoilt:
        return ""
    return "double precision" if duckdb_type(column) == "DOUBLE" else "text"


def _statement(reading: Reading) -> str:
    fields = []
    for at, (column, source) in enumerate(reading.columns):
        kind, name = _on_server(column, source, reading), sql.Identifier(source)
        value = sql.SQL("{}::{}").format(name, sql.SQL(kind)) if kind else name
        fields.append(sql.SQL("{} AS {}").format(value, sql.Identifier(f"c{at}")))
    statement = sql.SQL("SELECT {} FROM {}{}").format(sql.SQL(", ").join(fields), from_sql(reading.relation), _range(reading))
    return statement.as_string(None)


def _range(reading: Reading) -> sql.Composable:
    found, condition = reading.found, where_sql(reading.dataset)
    if found is None:
        return condition
    column, kind = sql.Identifier(found.column), sql.SQL(server_type(found.kind))
    condition += sql.SQL(" AND {} <= {}::{}").format(column, sql.Literal(found.until), kind)
    if found.start is None:
        return condition
    return condition + sql.SQL(" AND {} > {}::{}").format(column, sql.Literal(found.start), kind)

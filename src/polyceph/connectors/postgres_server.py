"""What is asked of a PostgreSQL server before a load: entering it, what it holds, whether it may be read. Read-only sessions."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.sql.names import quoted_part
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.relation import Relation, no_table, refuse_doubled
from polyceph.connectors.sql.statements import single_select
from polyceph.connectors.validation import nearest
from polyceph.sdk import Denied, Invalid, Misconfigured, Unavailable

Connection = psycopg.Connection[tuple[object, ...]]

_TRANSIENT = ("too many", "starting up", "shutting down", "recovery", "remaining connection slots")
_DIGITS = 38
"""The most digits of a decimal in DuckDB and in Arrow."""


def from_sql(relation: Relation) -> sql.Composable:
    """Return what stands behind FROM on the server."""
    if relation.query:
        return sql.SQL("({}\n) AS source").format(_trusted(relation.query))
    return sql.Identifier(relation.schema, relation.table)


def where_sql(dataset: PostgresDataset) -> sql.Composable:
    """Return ` WHERE` and the dataset's filter, to which more may be added by AND."""
    condition = dataset.condition()
    if condition is None:
        return sql.SQL(" WHERE true")
    return sql.SQL(" WHERE {}").format(_trusted(condition.sql(lambda value: sql.Literal(value).as_string(None))))


@contextmanager
def entered(address: ServerAddress) -> Iterator[Connection]:
    """Enter the server in one read-only REPEATABLE READ transaction; server errors come out as the six."""
    try:
        connection = psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=address.database,
            user=address.user,
            password=address.password.get_secret_value(),
            connect_timeout=address.connect_timeout_s,
            application_name="polyceph",
            client_encoding="utf8",  # a name or a value may hold what the database's own encoding does not
            sslmode=address.sslmode,
        )
    except psycopg.OperationalError as error:
        is_silent = isinstance(error, psycopg.errors.ConnectionTimeout)
        raise _refused(address, str(error).strip(), is_silent=is_silent) from error
    try:
        with connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise Denied(
            f"role {address.user} may not read this of {address.shown}: {_first_line(error)}",
            hint=f"ask the owner of the database for GRANT SELECT … TO {address.user}",
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"{address.shown} broke off: {_first_line(error)}") from error
    except psycopg.DataError as error:  # its text quotes the value
        kind = type(error).__name__
        hint = "correct the query so that no row breaks it"
        raise Invalid(f"{address.shown} finds a value that the query cannot take ({kind})", hint=hint) from None
    except psycopg.Error as error:
        raise Invalid(f"{address.shown} refuses the statement: {_first_line(error)}") from error


def _refused(address: ServerAddress, text: str, *, is_silent: bool) -> Unavailable | Misconfigured:
    """Tell a server that does not answer from one that says no; its message may be in any language, so the socket is asked."""
    if is_silent or not _answers(address) or any(word in text for word in _TRANSIENT):
        return Unavailable(
            f"the PostgreSQL server {address.shown} does not answer: {text}", hint="check host, port and network, or try later"
        )
    return Misconfigured(
        f"the PostgreSQL server refuses {address.shown}: {text}", hint="check user, database, sslmode and the variable of password_env"
    )


def _answers(address: ServerAddress) -> bool:
    try:
        if address.host.startswith("/"):
            with socket.socket(socket.AF_UNIX) as local:
                local.settimeout(address.connect_timeout_s)
                local.connect(f"{address.host}/.s.PGSQL.{address.port}")
                return True
        with socket.create_connection((address.host, address.port), timeout=address.connect_timeout_s):
            return True
    except OSError:
        return False


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def describe(connection: Connection, dataset: PostgresDataset) -> Relation:
    """Return the relation a dataset names, with its columns.

    Raises:
        NotFound: no such table; the message lists the nearest.
        Invalid: the query is not one SELECT, or the server does not accept it.
    """
    return _describe_query(connection, dataset.query) if dataset.query is not None else _describe_table(connection, dataset)


def _describe_table(connection: Connection, dataset: PostgresDataset) -> Relation:
    schema, table = dataset.table_parts()
    rows = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL), c.oid::bigint, a.atttypmod FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY a.attnum",
        (schema, table),
    ).fetchall()
    if not rows:
        raise no_table(f"{schema}.{table}", _tables(connection))
    columns = {str(name): _type_name(str(kind), modifier) for name, kind, _, modifier in rows}
    return Relation(columns, f"{schema}.{table}", schema=schema, table=table, oid=int(str(rows[0][2])))


def tables_like(connection: Connection, dataset: PostgresDataset, columns: list[str]) -> tuple[str, ...]:
    """Return the tables of the dataset's schema that have all these columns, the one whose name is nearest first."""
    schema, table = dataset.table_parts()
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY(%s)"
        " WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY c.relname HAVING count(*) = %s",
        (columns, schema, len(columns)),
    ).fetchall()
    near = nearest(table, [str(row[0]) for row in rows])
    return tuple(f"{quoted_part(schema)}.{quoted_part(name)}" for name in near)


def _type_name(kind: str, modifier: object) -> str:
    """Tell a numeric that DuckDB reads as a decimal from one that it would make a float of: no precision, or more than 38 digits."""
    if kind != "numeric" or not isinstance(modifier, int) or modifier < 0:
        return kind
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    return f"numeric({precision},{scale})" if scale <= precision <= _DIGITS else kind


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    ).fetchall()
    return [str(row[0]) for row in rows]


def _describe_query(connection: Connection, query: str) -> Relation:
    relation = Relation({}, "query", query=single_select(query, dialect="postgres"))
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(from_sql(relation)))
    described = cursor.description or []
    refuse_doubled([column.name for column in described])
    columns = {c.name: _query_type(connection, c) for c in described}
    return Relation(columns, "query", query=relation.query)


def _query_type(connection: Connection, column: psycopg.Column) -> str:
    row = connection.execute("SELECT format_type(%s, NULL)", (column.type_code,)).fetchone()
    kind = str(row[0]) if row else ""
    if kind != "numeric" or column.precision is None or column.scale is None:
        return kind
    return f"numeric({column.precision},{column.scale})" if 0 <= column.scale <= column.precision <= _DIGITS else kind


def check_readable(connection: Connection, relation: Relation, names: tuple[str, ...], dataset: PostgresDataset) -> None:
    """Ask the server for no row of these columns, so that a missing right or a wrong filter shows before the load."""
    fields = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(sql.SQL("SELECT {} FROM {}{} LIMIT 0").format(fields, from_sql(relation), where_sql(dataset)))


def _trusted(query: str) -> sql.SQL:
    """Wrap a checked query for composition: psycopg types its SQL as literals only, and this text comes from a declaration."""
    return sql.SQL(query)

"""What is asked of a PostgreSQL server before a load: entering it, what it holds, which columns match. Read-only sessions."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from polyceph.connectors.postgres_options import PostgresDataset, ServerAddress
from polyceph.connectors.validation import meant, nearest
from polyceph.sdk import Column, Denied, Invalid, Misconfigured, NotFound, Problem, Unavailable

Connection = psycopg.Connection[tuple[object, ...]]

_TRANSIENT = ("too many", "starting up", "shutting down", "recovery", "remaining connection slots")
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Lock, exp.Command)


@dataclass(frozen=True)
class Relation:
    """What a dataset reads: `columns` are the source's columns with PostgreSQL's type names, in order."""

    columns: dict[str, str]
    shown: str
    schema: str = ""
    table: str = ""
    query: str = ""
    oid: int = 0

    def as_sql(self) -> sql.Composable:
        """Return what stands behind FROM on the server."""
        if self.query:
            return sql.SQL("({}\n) AS source").format(_trusted(self.query))
        return sql.Identifier(self.schema, self.table)


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
            sslmode=address.sslmode,
        )
    except psycopg.OperationalError as error:
        raise _refused(address, str(error).strip()) from error
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


def _refused(address: ServerAddress, text: str) -> Unavailable | Misconfigured:
    """Tell a server that does not answer from one that says no; its message may be in any language, so the socket is asked."""
    if not _answers(address) or any(word in text for word in _TRANSIENT):
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
        raise _no_table(connection, f"{schema}.{table}")
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
    return tuple(f"{schema}.{name}" for name in nearest(table, [str(row[0]) for row in rows]))


def _type_name(kind: str, modifier: object) -> str:
    return "numeric with precision" if kind == "numeric" and isinstance(modifier, int) and modifier >= 0 else kind


def _no_table(connection: Connection, wanted: str) -> NotFound:
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    ).fetchall()
    known = [str(row[0]) for row in rows]
    problem = Problem(f"table {wanted} does not exist", value=wanted, allowed=nearest(wanted, known), hint=meant(wanted, known))
    return NotFound(f"table {wanted} does not exist in the database", problems=[problem])


def _describe_query(connection: Connection, query: str) -> Relation:
    relation = Relation({}, "query", query=single_select(query))
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(relation.as_sql()))
    described = cursor.description or []
    names = [column.name for column in described]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise Invalid(f"the query returns column {', '.join(doubled)} more than once", hint="give each column its own name with AS")
    columns = {c.name: _query_type(connection, c) for c in described}
    return Relation(columns, "query", query=relation.query)


def _query_type(connection: Connection, column: psycopg.Column) -> str:
    row = connection.execute("SELECT format_type(%s, NULL)", (column.type_code,)).fetchone()
    kind = str(row[0]) if row else ""
    return "numeric with precision" if kind == "numeric" and column.precision is not None else kind


def single_select(query: str) -> str:
    """Return the query without its closing semicolon; raise `Invalid` unless it is one SELECT that changes and locks nothing.

    The check is for good messages; what protects the source is the read-only session.
    """
    try:
        statements = [s for s in parse(query, dialect="postgres") if s is not None]
    except SqlglotError as error:
        raise Invalid(f"the query cannot be read as SQL: {str(error).splitlines()[0]}") from error
    if len(statements) != 1:
        raise Invalid(f"the query holds {len(statements)} statements", hint="write one SELECT")
    writing = next(statements[0].find_all(*_WRITES), None)
    if not isinstance(statements[0], exp.Query) or writing is not None:
        name = (writing or statements[0]).key.upper()
        raise Invalid(f"the query is not a plain SELECT but holds {name}", hint="write one SELECT that changes and locks nothing")
    return query.strip().rstrip(";").rstrip()


def match_columns(promised: tuple[Column, ...], relation: Relation, dataset: PostgresDataset) -> tuple[tuple[Column, str], ...]:
    """Return each promised column with its source column; raise `Invalid` with one problem for each that the source does not have."""
    stray = sorted(set(dataset.columns) - {c.name for c in promised})
    problems = [
        Problem(f"columns names {name!r}, which the contract does not promise", value=name, hint=meant(name, [c.name for c in promised]))
        for name in stray
    ]
    matched: list[tuple[Column, str]] = []
    for column in promised:
        wanted = dataset.columns.get(column.name) or column.source_name or column.name
        matched.append((column, wanted))
        if wanted not in relation.columns:
            problems.append(_no_column(wanted, column.name, relation))
    if dataset.cursor is not None and dataset.cursor not in relation.columns:
        problems.append(_no_column(dataset.cursor, "cursor", relation))
    if problems:
        raise Invalid(f"{relation.shown} does not have the columns that are asked of it", problems=problems)
    return tuple(matched)


def check_readable(connection: Connection, relation: Relation, names: tuple[str, ...]) -> None:
    """Ask the server for no row of these columns, so that a missing right shows before the load."""
    fields = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(fields, relation.as_sql()))


def _no_column(wanted: str, purpose: str, relation: Relation) -> Problem:
    known = tuple(relation.columns)
    text = f"column {wanted!r} (for {purpose}) is not in {relation.shown}"
    return Problem(text, value=wanted, allowed=nearest(wanted, known), hint=meant(wanted, known))


def _trusted(query: str) -> sql.SQL:
    """Wrap a checked query for composition: psycopg types its SQL as literals only, and this text comes from a declaration."""
    return sql.SQL(query)

"""A read-only session of MySQL through DuckDB's extension: entering it, asking, and its errors as the six."""

from __future__ import annotations

import importlib.util
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from polyceph.connectors.mysql_options import Transport
from polyceph.connectors.sql.dialect import Row, Statement
from polyceph.connectors.sql.options import ServerAddress
from polyceph.sdk import Denied, Invalid, Misconfigured, Unavailable

_BROKEN = ("lost connection", "gone away", "shutdown in progress", "can't connect", "too many connections", "server has closed")
_DENIED = ("command denied", "denied to user", "access denied; you need")
_WHEEL = "duckdb_extension_mysql_scanner"
_MEMORY = "256MiB"


class MySqlSession:
    """A DuckDB of its own with the server attached read-only."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, alias: str, address: ServerAddress) -> None:
        self._connection = connection
        self._alias = alias
        self._address = address

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        return list(self._run(exp.select("*").from_(query(self._alias, statement))))

    def describe(self, query_text: str) -> list[tuple[str, str]]:
        """Return name and DuckDB's type of the columns of a SELECT; MySQL prepares it and does not run it."""
        select = exp.select("*").from_(query(self._alias, Statement(query_text)))
        return [(str(row[0]), str(row[1])) for row in self._run(select, before="DESCRIBE ")]

    def _run(self, select: exp.Select, *, before: str = "") -> list[Row]:
        try:
            return list(self._connection.execute(before + select.sql(dialect="duckdb")).fetchall())
        except duckdb.Error as error:
            raise explained(error, self._address) from None


@contextmanager
def entered(address: ServerAddress, transport: Transport) -> Iterator[MySqlSession]:
    """Enter the server.

    Raises:
        Misconfigured: the extension's wheel is not installed, or the server refuses the account, the password or the database.
        Unavailable: the server does not answer.
    """
    if not _answers(address):
        raise Unavailable(f"the MySQL server {address.shown} does not answer", hint="check host, port and network, or try later")
    with duckdb.connect(config={"autoinstall_known_extensions": "false", "memory_limit": _MEMORY, "threads": "1"}) as connection:
        connection.load_extension(_extension())
        try:
            alias = attach(connection, address, transport)
        except duckdb.Error as error:
            raise explained(error, address) from None
        yield MySqlSession(connection, alias, address)


def attach(connection: Any, address: ServerAddress, transport: Transport) -> str:
    """Attach the server read-only under a new name, which is returned; the password stands in no statement."""
    alias = f"source_{secrets.token_hex(6)}"
    variable, name = f"{alias}_password", exp.to_identifier(alias, quoted=True).sql(dialect="duckdb")
    # MySQL's TIMESTAMP comes in the session's time zone.
    connection.execute("SET GLOBAL mysql_session_time_zone = '+00:00'")
    connection.execute("SET GLOBAL mysql_tinyint1_as_boolean = false")  # 7 would come as true
    connection.execute(f"SET VARIABLE {variable} = $1", [address.password.get_secret_value()])
    try:
        authority = f", SSL_CA {_literal(transport.ca)}" if transport.ca else ""
        connection.execute(
            f"CREATE TEMPORARY SECRET {name} (TYPE mysql, HOST {_literal(address.host)}, PORT {address.port},"
            f" DATABASE {_literal(address.database)}, USER {_literal(address.user)}, PASSWORD getvariable({_literal(variable)}),"
            f" SSL_MODE {_literal(transport.mode)}{authority})"
        )
    finally:
        connection.execute(f"RESET VARIABLE {variable}")
    # DuckDB asks the server to compress unless told otherwise, which takes four times as long as everything else.
    how = "required" if transport.is_compressed else "disabled"
    connection.execute(f"ATTACH 'compression={how}' AS {name} (TYPE mysql, SECRET {name}, READ_ONLY)")
    return alias


def query(alias: str, statement: Statement) -> exp.Table:
    """Return the table expression of a statement that MySQL runs; its values travel as parameters."""
    arguments: list[exp.Expr] = [exp.Literal.string(alias), exp.Literal.string(statement.text)]
    if statement.values:
        values = exp.Anonymous(this="row", expressions=[exp.convert(value) for value in statement.values])
        arguments.append(exp.PropertyEQ(this=exp.to_identifier("params"), expression=values))
    return exp.Table(this=exp.Anonymous(this="mysql_query", expressions=arguments))


def explained(error: duckdb.Error, address: ServerAddress) -> Exception:
    """Return an error of DuckDB's extension as one of the six, without the statement in it."""
    text = address.without_password(str(error))
    said = text.rpartition('": ')[2] or text
    low = said.casefold()
    if "tls/ssl" in low or "certificate" in low:
        return Misconfigured(f"the MySQL server {address.shown} offers no such encryption: {said}", hint="check ssl and ssl_ca")
    if any(word in low for word in _BROKEN):
        return Unavailable(f"the MySQL server {address.shown} broke off: {said}", hint="check the server, or try later")
    if "Failed to connect" in text:
        return Misconfigured(
            f"the MySQL server refuses {address.shown}: {said}", hint="check user, database and the variable of password_env"
        )
    if any(word in low for word in _DENIED):
        hint = f"ask the owner of the database for GRANT SELECT … TO {address.user}"
        return Denied(f"account {address.user} may not read this of {address.shown}: {said}", hint=hint)
    if isinstance(error, duckdb.ConversionException):  # its text quotes the value
        return Invalid(f"{address.shown} gives a value that cannot be read", hint="correct the query so that no row breaks it")
    return Invalid(f"{address.shown} refuses the statement: {said}")


def _answers(address: ServerAddress) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=address.connect_timeout_s) as greeted:
            # The server speaks first. DuckDB's extension waits for that without end, and cannot be interrupted.
            return bool(greeted.recv(1))
    except OSError:
        return False


def _extension() -> str:
    spec = importlib.util.find_spec(_WHEEL)
    found = sorted(Path(spec.origin).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")) if spec and spec.origin else []
    if not found:
        raise Misconfigured("DuckDB's extension for MySQL is not installed", hint='install polyceph with its extra: "polyceph[mysql]"')
    return str(found[0])


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")

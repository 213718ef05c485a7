"""Denodo's VQL over the PostgreSQL protocol, through psycopg in the simple form that Denodo documents for Python.

Documentation followed: Denodo's manuals on the stored procedures GET_VIEWS and GET_VIEW_COLUMNS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import psycopg
import pyarrow as pa

from polyceph.connectors.sql.dialect import Row, Session, Statement
from polyceph.connectors.sql.driven import FLOAT, PLAIN, WHOLE, DriverDialect, Form
from polyceph.connectors.sql.driver import refuse_unreachable, refused
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.sdk import Denied, Invalid, Note, Unavailable

Connection = psycopg.Connection[tuple[object, ...]]

_VALUE = "\x00"
"""Stands for a value until the statement is sent: a name may hold psycopg's own placeholder."""
_TEXT = Form("CAST({0} AS VARCHAR)", pa.string())
_NAMES = {16: "boolean", 20: "long", 21: "int", 23: "int", 700: "float", 701: "double", 1082: "localdate", 25: "text", 1043: "text"}
_NAMES |= {1114: "timestamp", 1184: "timestamptz", 1083: "time", 1700: "decimal"}


@dataclass(frozen=True)
class DenodoDialect(DriverDialect):
    """VQL: standard SQL with names in double quotes. Its decimals have no declared digits, so they leave as text."""

    sslmode: str | None
    title: ClassVar[str] = "Denodo"
    late_rows: ClassVar[str] = (
        "Denodo does not tell of transactions in its sources: late rows are only read with overlap, or avoided with lag"
    )
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("int", "long"), WHOLE),
        **dict.fromkeys(("float", "double"), FLOAT),
        "boolean": Form("{0}", pa.bool_()),
        "text": PLAIN,
        "decimal": Form(_TEXT.sql, pa.string(), "number"),
        "localdate": Form(_TEXT.sql, pa.string(), "date"),
        "time": Form(_TEXT.sql, pa.string(), "time"),
        "timestamp": _TEXT,
        "timestamptz": _TEXT,
        "date": _TEXT,
    }
    other: ClassVar[Form] = _TEXT
    decimals: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[Mapping[str, Kind]] = {
        **dict.fromkeys(("int", "long"), "integer"),
        "localdate": "date",
        "timestamp": "timestamp",
        "timestamptz": "timestamptz",
    }
    walls: ClassVar[tuple[str, ...]] = ("timestamp",)

    def place(self, number: int) -> str:  # noqa: ARG002 -- psycopg's have no numbers
        """Return the placeholder of a value; psycopg writes it as a quoted literal, for a server that may not prepare."""
        return _VALUE

    def first(self, fields: str, rest: str, rows: int) -> str:
        """Return a SELECT of at most so many rows."""
        return f"SELECT {fields} {rest} LIMIT {rows:d}"

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a view's columns; the procedure takes a pattern, so its answer is compared again."""
        return Statement(
            "SELECT column_name, column_vdp_type, 'YES', 'NO', '' FROM GET_VIEW_COLUMNS()"
            " WHERE input_database_name = \x00 AND input_view_name = \x00 AND view_name = \x00",
            (*parts, parts[-1]),
        )

    def tables(self) -> Statement:
        """Ask for the views of all virtual databases that the user sees."""
        return Statement("SELECT database_name, name, NULL, description FROM GET_VIEWS() ORDER BY database_name, name")

    def now_statement(self) -> Statement:
        """Ask for the server's time with its zone, as text."""
        return Statement("SELECT CAST(CURRENT_TIMESTAMP AS VARCHAR)")

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type."""
        kind = self.kind(source_type)
        words = {"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP"}
        return place if kind is None or kind == "integer" else f"{words[kind]} {place}"

    def now(self, session: Session) -> datetime:
        """Return the server's time; one without a zone is taken for UTC."""
        [[text]] = session.ask(self.now_statement())
        found = datetime.fromisoformat(str(text))
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def notes(self, session: Session) -> tuple[Note, ...]:  # noqa: ARG002 -- it is always so
        """Say that no load of Denodo is one snapshot."""
        text = "Denodo shows what its sources show while they are read: rows that change meanwhile may come twice or not at all"
        return (Note("snapshot", text),)

    @contextmanager
    def enter(self, address: ServerAddress) -> Iterator[DenodoSession]:
        """Open a session without a transaction."""
        refuse_unreachable(address, self.title)
        try:
            connection = psycopg.connect(
                host=address.host,
                port=address.port,
                dbname=address.database,
                user=address.user,
                password=address.password.get_secret_value(),
                connect_timeout=address.connect_timeout_s,
                sslmode=self.sslmode,
                autocommit=True,
                cursor_factory=psycopg.ClientCursor,
            )
        except psycopg.Error as error:
            raise refused(address, self.title, address.without_password(str(error))) from None
        with connection:
            yield DenodoSession(connection, address)


class DenodoSession:
    """A session of psycopg that binds values itself and sends simple queries."""

    def __init__(self, connection: Connection, address: ServerAddress) -> None:
        self._connection = connection
        self._address = address

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        try:
            return list(self._connection.execute(*_bound(statement)).fetchall())
        except psycopg.Error as error:
            raise explained(error, self._address) from None

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT; none of its rows is read."""
        try:
            cursor = self._connection.execute(f"SELECT * FROM (\n{query}\n) AS source LIMIT 0".encode())  # noqa: S608 -- declared, checked
        except psycopg.Error as error:
            raise explained(error, self._address) from None
        return [(column.name, _NAMES.get(column.type_code, "other")) for column in cursor.description or ()]

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows as the server sends them; it is never asked for a cursor."""
        text, values = _bound(statement)
        taken: list[tuple[object, ...]] = []
        try:
            with self._connection.cursor() as cursor:
                for row in cursor.stream(text, values):
                    taken.append(row)
                    if len(taken) == rows:
                        yield _batch(taken)
                        taken = []
        except psycopg.Error as error:
            raise explained(error, self._address) from None
        if taken:
            yield _batch(taken)


def _bound(statement: Statement) -> tuple[bytes, tuple[object, ...] | None]:
    if not statement.values:
        return statement.text.encode(), None  # without values psycopg leaves percent signs alone
    return statement.text.replace("%", "%%").replace(_VALUE, "%s").encode(), statement.values


def _batch(rows: list[tuple[object, ...]]) -> pa.RecordBatch:
    arrays = [pa.array(list(values)) for values in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{at}" for at in range(len(arrays))])


def explained(error: psycopg.Error, address: ServerAddress) -> Exception:
    """Return an error of the driver as one of the six."""
    said = address.without_password(str(error))
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Denied(f"user {address.user} may not read this of {address.shown}: {said}", hint="ask for the privilege Execute on the view")
    if isinstance(error, psycopg.OperationalError):
        return Unavailable(f"{address.shown} broke off: {said}", hint="check the server, or try later")
    if isinstance(error, psycopg.DataError):  # its text quotes the value
        return Invalid(f"{address.shown} finds a value that the query cannot take", hint="correct the query so that no row breaks it")
    return Invalid(f"{address.shown} refuses the statement: {said}")

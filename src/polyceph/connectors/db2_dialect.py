"""Db2's SQL and the conversation with its driver."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from polyceph.connectors.sql.dialect import Row, Session, Statement
from polyceph.connectors.sql.driven import FLOAT, PLAIN, WHOLE, DriverDialect, Form
from polyceph.connectors.sql.driver import missing_driver, refuse_unreachable, refused, row_batches
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.sdk import Denied, Invalid, Misconfigured, Note, Unavailable

_STATE = re.compile(r"SQLSTATE=(\w{5})")
_CODE = re.compile(r"SQL\d{4,5}N")
_MOMENT = "YYYY-MM-DD HH24:MI:SS.FF12"
_REFUSALS = ("SQL30082N", "SQL30061N")
"""Codes of a server that answers and says no, though their state is one of a broken connection."""


@dataclass(frozen=True)
class Db2Dialect(DriverDialect):
    """Db2's SQL. Times leave as text: TIMESTAMP has up to twelve digits of a second, and midnight may be written 24:00:00."""

    tls: bool
    certificate: str | None = None
    title: ClassVar[str] = "Db2"
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("bigint", "integer", "smallint"), WHOLE),
        **dict.fromkeys(("double", "real"), FLOAT),
        "boolean": Form("{0}", pa.bool_()),
        "date": Form("VARCHAR_FORMAT({0}, 'YYYY-MM-DD')", pa.string(), "date"),
        "time": Form("CHAR({0}, JIS)", pa.string(), "time"),
        "timestamp": Form(f"VARCHAR_FORMAT({{0}}, '{_MOMENT}')", pa.string()),
        **dict.fromkeys(("character", "varchar", "long varchar", "clob", "graphic", "vargraphic", "dbclob"), PLAIN),
        "decfloat": Form("VARCHAR({0})", pa.string(), "number"),
        **dict.fromkeys(("binary", "varbinary"), Form("HEX({0})", pa.string(), "string")),
        "blob": Form("{0}", pa.binary()),
        "xml": Form("XMLSERIALIZE({0} AS CLOB(1G))", pa.string(), "string"),
    }
    other: ClassVar[Form] = Form("VARCHAR({0})", pa.string())
    decimals: ClassVar[tuple[str, ...]] = ("decimal", "numeric")
    kinds: ClassVar[Mapping[str, Kind]] = {
        **dict.fromkeys(("bigint", "integer", "smallint"), "integer"),
        "date": "date",
        "timestamp": "timestamp",
    }
    walls: ClassVar[tuple[str, ...]] = ("timestamp",)

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns."""
        return Statement(
            "SELECT colname, CASE WHEN typename = 'DECIMAL' THEN 'DECIMAL(' || length || ',' || scale || ')' ELSE typename END,"
            " CASE nulls WHEN 'N' THEN 'NO' ELSE 'YES' END, CASE WHEN keyseq IS NULL THEN 'NO' ELSE 'YES' END, remarks"
            " FROM syscat.columns WHERE tabschema = ? AND tabname = ? ORDER BY colno",
            parts,
        )

    def tables(self) -> Statement:
        """Ask for the tables and views that are not Db2's own."""
        return Statement(
            "SELECT RTRIM(tabschema), tabname, CASE WHEN card >= 0 THEN card END, remarks FROM syscat.tables"
            " WHERE type IN ('T', 'V', 'S', 'N', 'A') AND tabschema NOT LIKE 'SYS%' ORDER BY 1, 2"
        )

    def now_statement(self) -> Statement:
        """Ask for the time in UTC as text."""
        return Statement("SELECT VARCHAR_FORMAT(CURRENT TIMESTAMP - CURRENT TIMEZONE, 'YYYY-MM-DD HH24:MI:SS.FF6') FROM sysibm.sysdummy1")

    def text(self, name: str, source_type: str) -> str:
        """Return a cursor value as text, of a second with the six digits that a cursor keeps."""
        return super().text(name, source_type).replace("FF12", "FF6")

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type."""
        kind = self.kind(source_type)
        target = "BIGINT" if kind == "integer" else "DATE" if kind == "date" else "TIMESTAMP(6)"
        return f"CAST({place} AS {target})"

    def notes(self, session: Session) -> tuple[Note, ...]:  # noqa: ARG002 -- it is always so
        """Say that Db2 shows no snapshot."""
        text = "Db2 shows rows as committed when each is read: those that change meanwhile may come twice or not at all"
        return (Note("snapshot", text),)

    @contextmanager
    def enter(self, address: ServerAddress) -> Iterator[Db2Session]:
        """Open a session; nothing is ever committed."""
        try:
            import ibm_db_dbi  # an optional extra
        except ImportError as error:
            raise missing_driver("ibm-db", "db2") from error
        refuse_unreachable(address, self.title)
        try:
            connection = ibm_db_dbi.connect(self.words(address), "", "")
        except (ibm_db_dbi.Error, ibm_db_dbi.Warning) as error:
            raise explained(error, address, is_open=False) from None
        try:
            yield Db2Session(connection, address, (ibm_db_dbi.Error, ibm_db_dbi.Warning))
        finally:
            connection.rollback()
            connection.close()

    def words(self, address: ServerAddress) -> str:
        """Return the connection string; Db2's has no way to write a semicolon in a value.

        Raises:
            Misconfigured: a value holds one.
        """
        words = {"DATABASE": address.database, "HOSTNAME": address.host, "PORT": str(address.port), "PROTOCOL": "TCPIP"}
        words |= {"UID": address.user, "PWD": address.password.get_secret_value(), "CONNECTTIMEOUT": str(address.connect_timeout_s)}
        words |= {"SECURITY": "SSL"} if self.tls else {}
        words |= {"SSLServerCertificate": self.certificate} if self.certificate else {}
        broken = [key for key, value in words.items() if ";" in value or "\x00" in value]
        if broken:
            raise Misconfigured(f"{broken[0]} of the Db2 source holds a semicolon, which its driver cannot take", hint="choose another one")
        return "".join(f"{key}={value};" for key, value in words.items())


class Db2Session:
    """A session of ibm_db_dbi."""

    def __init__(self, connection: Any, address: ServerAddress, errors: tuple[type[Exception], ...]) -> None:
        self._connection = connection
        self._address = address
        self._errors = errors

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement.text, statement.values)
            return [tuple(row) for row in cursor.fetchall()]
        except self._errors as error:
            raise explained(error, self._address, is_open=True) from None

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT: all texts, numbers and times of a query leave the server as text."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(f"SELECT * FROM (\n{query}\n) AS source WHERE 1 = 0")  # noqa: S608 -- a declared SELECT, checked
            return [(str(column[0]), _described(column)) for column in cursor.description or ()]
        except self._errors as error:
            raise explained(error, self._address, is_open=True) from None

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement.text, statement.values)
            yield from row_batches(cursor, len(cursor.description), rows=rows)
        except self._errors as error:
            raise explained(error, self._address, is_open=True) from None


def _described(column: Any) -> str:
    """Return the catalogue's name of a described column's type; the driver tells sets of names alike, such as all whole numbers."""
    kind, precision, scale = column[1], column[4], column[5]
    names = {str(name).casefold() for name in getattr(kind, "values", (kind,))}
    found = [
        (("decimal", "numeric"), f"DECIMAL({precision},{scale})"),
        (("bigint", "int", "integer", "smallint"), "BIGINT"),
        (("float", "double", "real"), "DOUBLE"),
        (("boolean",), "BOOLEAN"),
        (("timestamp",), "TIMESTAMP"),
        (("date",), "DATE"),
        (("time",), "TIME"),
        (("blob", "binary"), "BLOB"),
        (("xml",), "XML"),
        (("string", "char", "varchar", "clob", "dbclob"), "VARCHAR"),
    ]
    return next((name for words, name in found if names & set(words)), "OTHER")


def explained(error: Exception, address: ServerAddress, *, is_open: bool) -> Exception:
    """Return an error of the driver as one of the six."""
    said = address.without_password(str(error))
    state, code = _STATE.search(said), _CODE.search(said)
    number = state[1] if state else ""
    is_broken = number.startswith("08") or (code is not None and code[0] in ("SQL30081N", "SQL1224N"))
    if is_broken and (code is None or code[0] not in _REFUSALS):
        return Unavailable(f"{address.shown} broke off: {said}", hint="check the server, or try later")
    if not is_open:
        return refused(address, Db2Dialect.title, said)
    if number == "42501":
        return Denied(f"user {address.user} may not read this of {address.shown}: {said}", hint=f"ask for GRANT SELECT … TO {address.user}")
    if number.startswith("42"):
        return Invalid(f"{address.shown} refuses the statement: {said}")
    # Other texts may quote a value.
    name = code[0] if code else type(error).__name__
    return Invalid(f"{address.shown} cannot run the statement ({name})", hint="correct the query so that no row breaks it")

"""SQL Server's SQL and the conversation with its driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from polyceph.connectors.sql.dialect import Row, Session, Statement
from polyceph.connectors.sql.driven import FLOAT, PLAIN, WHOLE, DriverDialect, Form, bare
from polyceph.connectors.sql.driver import missing_driver, refuse_unreachable, refused
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.sdk import Denied, Invalid, Misconfigured, Note, Unavailable

_ISO = Form("CONVERT(varchar(40), {0}, 126)", pa.string())
_LONG = Form("CAST({0} AS nvarchar(max))", pa.string(), "string")
_MONEY = Form("CAST({0} AS decimal(19,4))", pa.decimal128(19, 4), "number", "decimal(19,4)")
_ALLOWS_SNAPSHOT = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_BROKEN = ("communication link failure", "timeout", "connection is broken", "forcibly closed", "transport-level", "not connected")
_VALUES = ("conversion failed", "overflow", "out-of-range", "error converting")


@dataclass(frozen=True)
class MsSqlDialect(DriverDialect):
    """SQL Server's SQL. Times leave as text: they have 7 digits of a second, and Arrow's microseconds 6."""

    encrypt: str
    trust: bool
    title: ClassVar[str] = "SQL Server"
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("bigint", "int", "smallint", "tinyint"), WHOLE),
        "bit": Form("{0}", pa.bool_()),
        **dict.fromkeys(("float", "real"), FLOAT),
        **dict.fromkeys(("money", "smallmoney"), _MONEY),
        "date": Form("{0}", pa.date32()),
        "time": Form("CONVERT(varchar(40), {0}, 121)", pa.string(), "time"),
        **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), _ISO),
        "datetimeoffset": Form("CONVERT(varchar(40), SWITCHOFFSET({0}, '+00:00'), 126)", pa.string()),
        **dict.fromkeys(("char", "varchar", "nchar", "nvarchar"), PLAIN),
        "uniqueidentifier": Form("CONVERT(varchar(36), {0})", pa.string(), "string"),
        **dict.fromkeys(("binary", "varbinary", "image", "timestamp", "rowversion"), Form("CONVERT(varchar(max), {0}, 1)", pa.string())),
        **dict.fromkeys(("geography", "geometry", "hierarchyid"), Form("{0}.ToString()", pa.string(), "string")),
    }
    other: ClassVar[Form] = _LONG
    decimals: ClassVar[tuple[str, ...]] = ("decimal", "numeric")
    kinds: ClassVar[Mapping[str, Kind]] = {
        **dict.fromkeys(("bigint", "int", "smallint", "tinyint"), "integer"),
        "date": "date",
        **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), "timestamp"),
        "datetimeoffset": "timestamptz",
    }
    walls: ClassVar[tuple[str, ...]] = ("datetime", "datetime2", "smalldatetime")

    def quote(self, name: str) -> str:
        """Return a quoted identifier."""
        return "[" + name.replace("]", "]]") + "]"

    def first(self, fields: str, rest: str, rows: int) -> str:
        """Return a SELECT of at most so many rows."""
        return f"SELECT TOP ({rows:d}) {fields} {rest}"

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns."""
        return Statement(
            "SELECT c.name, TYPE_NAME(CASE WHEN c.system_type_id = 240 THEN c.user_type_id ELSE c.system_type_id END)"
            " + CASE WHEN TYPE_NAME(c.system_type_id) IN ('decimal', 'numeric')"
            " THEN CONCAT('(', c.precision, ',', c.scale, ')') ELSE '' END, CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END,"
            " CASE WHEN k.column_id IS NULL THEN 'NO' ELSE 'YES' END, CAST(p.value AS nvarchar(4000))"
            " FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id"
            " LEFT JOIN sys.indexes i ON i.object_id = o.object_id AND i.is_primary_key = 1"
            " LEFT JOIN sys.index_columns k ON k.object_id = o.object_id AND k.index_id = i.index_id AND k.column_id = c.column_id"
            " LEFT JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = c.column_id"
            " AND p.name = 'MS_Description' WHERE s.name = ? AND o.name = ? AND o.type IN ('U', 'V') ORDER BY c.column_id",
            parts,
        )

    def tables(self) -> Statement:
        """Ask for the tables and views that the login sees."""
        return Statement(
            "SELECT s.name, o.name, (SELECT SUM(p.rows) FROM sys.partitions p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1)),"
            " CAST(e.value AS nvarchar(4000)) FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id"
            " LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = o.object_id AND e.minor_id = 0"
            " AND e.name = 'MS_Description' WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY s.name, o.name"
        )

    def now_statement(self) -> Statement:
        """Ask for the time in UTC as text."""
        return Statement("SELECT CONVERT(varchar(26), SYSUTCDATETIME(), 126)")

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type: an old datetime compares unequal with its own digits as datetime2."""
        return place if self.kind(source_type) == "integer" else f"CAST({place} AS {bare(source_type)})"

    def bound_value(self, text: str, source_type: str) -> object:
        """Return what is handed to the driver for a bound; datetime takes three digits of a second, smalldatetime none."""
        value = super().bound_value(text, source_type)
        if not isinstance(value, str) or bare(source_type) not in ("datetime", "smalldatetime"):
            return value
        # ISO 8601 with its T does not depend on the login's language.
        return value.replace(" ", "T")[: 23 if bare(source_type) == "datetime" else 19]

    def notes(self, session: Session) -> tuple[Note, ...]:
        """Say when the database allows no snapshot."""
        if _allows_snapshot(session):
            return ()
        text = "the database allows no snapshot isolation: rows that change while they are read may come twice or not at all"
        return (Note("snapshot", text, "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON"),)

    @contextmanager
    def enter(self, address: ServerAddress) -> Iterator[MsSqlSession]:
        """Open a session; nothing is ever committed."""
        try:
            import mssql_python  # an optional extra
        except ImportError as error:
            raise missing_driver("mssql-python", "mssql") from error
        refuse_unreachable(address, self.title)
        try:
            connection = mssql_python.connect(self.words(address), autocommit=False, timeout=address.connect_timeout_s)
        except Exception as error:  # noqa: BLE001 -- the driver raises its own and plain ones
            raise explained(error, address, is_open=False) from None
        try:
            yield MsSqlSession(connection, address)
        finally:
            connection.rollback()
            connection.close()

    def words(self, address: ServerAddress) -> str:
        """Return the connection string; a value in braces may hold anything, closing braces doubled."""
        words = {"Server": f"{address.host},{address.port}", "Database": address.database}
        words |= {"UID": address.user, "PWD": address.password.get_secret_value()}
        given = "".join(f"{key}={{{value.replace('}', '}}')}}};" for key, value in words.items())
        trust = "yes" if self.trust else "no"
        return f"{given}Encrypt={self.encrypt};TrustServerCertificate={trust};ApplicationIntent=ReadOnly;"


class MsSqlSession:
    """A session of mssql-python."""

    def __init__(self, connection: Any, address: ServerAddress) -> None:
        self._connection = connection
        self._address = address
        self._is_set = False

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement.text, *statement.values)
            return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:  # noqa: BLE001 -- the driver raises its own and plain ones
            raise explained(error, self._address, is_open=True) from None

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT, as the server describes it without running it."""
        text = "SELECT name, system_type_name, error_message FROM sys.dm_exec_describe_first_result_set(?, NULL, 0)"
        rows = self.ask(Statement(f"{text} ORDER BY column_ordinal", (query,)))
        if rows and rows[0][2] is not None:
            raise Invalid(f"{self._address.shown} refuses the query: {rows[0][2]}")
        return [(str(name), str(kind)) for name, kind, _ in rows]

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows as the driver's Arrow batches."""
        try:
            if _allows_snapshot(self):
                self._connection.rollback()  # a transaction keeps the isolation it began with
                self._connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
            cursor = self._connection.cursor()
            cursor.execute(statement.text, *statement.values)
            yield from cursor.arrow_reader(batch_size=rows)
        except (Invalid, Denied, Unavailable, Misconfigured, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 -- the driver raises its own and plain ones
            raise explained(error, self._address, is_open=True) from None


def _allows_snapshot(session: Session) -> bool:
    found = session.ask(Statement(_ALLOWS_SNAPSHOT))
    return bool(found) and found[0][0] == 1


def explained(error: Exception, address: ServerAddress, *, is_open: bool) -> Exception:
    """Return an error of the driver as one of the six."""
    said = address.without_password(str(error))
    low = str(error).casefold()
    if "failed to load the driver" in low:
        hint = "install the system's libraries libltdl7 and libgssapi-krb5-2 (Debian)"
        return Misconfigured("the driver for SQL Server cannot be loaded by this system", hint=hint)
    if any(word in low for word in _BROKEN):
        return Unavailable(f"{address.shown} broke off: {said}", hint="check the server, or try later")
    if not is_open:
        return refused(address, MsSqlDialect.title, said)
    if "permission was denied" in low:
        return Denied(
            f"login {address.user} may not read this of {address.shown}: {said}", hint=f"ask for GRANT SELECT … TO {address.user}"
        )
    if any(word in low for word in _VALUES):  # such a text quotes the value
        return Invalid(f"{address.shown} finds a value that the query cannot take", hint="correct the query so that no row breaks it")
    return Invalid(f"{address.shown} refuses the statement: {said}")

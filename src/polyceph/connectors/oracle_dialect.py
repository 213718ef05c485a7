"""Oracle's SQL and the conversation with its driver."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from polyceph.connectors.sql.dialect import Row, Statement
from polyceph.connectors.sql.driven import FLOAT, PLAIN, DriverDialect, Form, bare
from polyceph.connectors.sql.driver import missing_driver, refuse_unreachable, refused
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.connectors.types import duckdb_type
from polyceph.sdk import Column, Denied, Invalid, Unavailable

# A year before Christ keeps its minus, and a year after it gets no blank.
_DAY = "FMSYYYYFM-MM-DD HH24:MI:SS"
_CODE = re.compile(r"(?:ORA|DPY)-\d+")
_BROKEN = frozenset(
    [
        "ORA-03113",
        "ORA-03114",
        "ORA-03135",
        "ORA-12541",
        "ORA-12170",
        "ORA-01033",
        "ORA-01034",
        "ORA-12528",
        "DPY-6005",
        "DPY-6000",
        "DPY-4011",
        "DPY-4024",
        "DPY-6003",
        "DPY-1001",
    ]
)
_DENIED = ("ORA-00942", "ORA-01031", "ORA-41900")
_STATEMENTS = re.compile(r"ORA-009\d\d")


@dataclass(frozen=True)
class OracleDialect(DriverDialect):
    """Oracle's SQL. Times leave as text: DATE has a time of day, TIMESTAMP up to nine digits of a second."""

    protocol: str
    title: ClassVar[str] = "Oracle"
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("binary_float", "binary_double"), FLOAT),
        "date": Form(f"TO_CHAR({{0}}, '{_DAY}')", pa.string()),
        "timestamp": Form(f"TO_CHAR({{0}}, '{_DAY}.FF9')", pa.string()),
        **dict.fromkeys(
            ("timestamp with time zone", "timestamp with local time zone"),
            Form(f"TO_CHAR(SYS_EXTRACT_UTC({{0}}), '{_DAY}.FF9') || '+00:00'", pa.string()),
        ),
        **dict.fromkeys(("char", "nchar", "varchar2", "nvarchar2", "clob", "nclob", "long"), PLAIN),
        "number": Form("TO_CHAR({0}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')", pa.string(), "number"),
        "float": Form("TO_CHAR({0}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')", pa.string(), "number"),
        "raw": Form("RAWTOHEX({0})", pa.string(), "string"),
        "blob": Form("{0}", pa.binary()),
        "xmltype": Form("XMLSERIALIZE(CONTENT {0} AS CLOB)", pa.string(), "string"),
        "json": Form("JSON_SERIALIZE({0} RETURNING CLOB)", pa.string(), "object"),
    }
    other: ClassVar[Form] = Form("TO_CHAR({0})", pa.string())
    decimals: ClassVar[tuple[str, ...]] = ("number",)
    kinds: ClassVar[Mapping[str, Kind]] = {
        "date": "timestamp",
        "timestamp": "timestamp",
        "timestamp with time zone": "timestamptz",
        "timestamp with local time zone": "timestamptz",
    }
    walls: ClassVar[tuple[str, ...]] = ("date", "timestamp")

    def place(self, number: int) -> str:
        """Return the placeholder of a value."""
        return f":{number}"

    def form(self, source_type: str, column: Column | None) -> Form:
        """Return how a type leaves the server; a number that is promised as a float is made one by it."""
        found = super().form(source_type, column)
        is_number = bare(source_type) in ("number", "float") and found.arrow == pa.string()
        if is_number and column is not None and duckdb_type(column) == "DOUBLE":
            return Form("CAST({0} AS BINARY_DOUBLE)", pa.float64())
        return self.forms["number"] if is_number else found

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns."""
        return Statement(
            "SELECT c.column_name, CASE WHEN c.data_type = 'NUMBER' AND c.data_precision IS NOT NULL THEN"
            " 'NUMBER(' || c.data_precision || ',' || c.data_scale || ')' WHEN c.data_type = 'NUMBER' AND c.data_scale = 0"
            " THEN 'NUMBER(38,0)'"
            " ELSE c.data_type END, CASE c.nullable WHEN 'N' THEN 'NO' ELSE 'YES' END,"
            " CASE WHEN EXISTS (SELECT 1 FROM all_constraints k JOIN all_cons_columns kc ON kc.owner = k.owner"
            " AND kc.constraint_name = k.constraint_name WHERE k.constraint_type = 'P' AND k.owner = c.owner"
            " AND k.table_name = c.table_name AND kc.column_name = c.column_name) THEN 'YES' ELSE 'NO' END, m.comments"
            " FROM all_tab_columns c LEFT JOIN all_col_comments m ON m.owner = c.owner AND m.table_name = c.table_name"
            " AND m.column_name = c.column_name WHERE c.owner = :1 AND c.table_name = :2 ORDER BY c.column_id",
            parts,
        )

    def tables(self) -> Statement:
        """Ask for the tables and views that the user sees, without those of Oracle's own users."""
        return Statement(
            "SELECT o.owner, o.object_name, t.num_rows, m.comments FROM all_objects o JOIN all_users u ON u.username = o.owner"
            " LEFT JOIN all_tables t ON t.owner = o.owner AND t.table_name = o.object_name"
            " LEFT JOIN all_tab_comments m ON m.owner = o.owner AND m.table_name = o.object_name"
            " WHERE o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW') AND u.oracle_maintained = 'N' ORDER BY 1, 2"
        )

    def now_statement(self) -> Statement:
        """Ask for the time in UTC as text."""
        return Statement(f"SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), '{_DAY}.FF6') FROM dual")  # noqa: S608 -- of constants

    def text(self, name: str, source_type: str) -> str:
        """Return a cursor value as text, of a second with the six digits that a cursor keeps."""
        return super().text(name, source_type).replace("FF9", "FF6")

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type."""
        name = bare(source_type)
        if name == "date":  # whole seconds
            return f"TO_DATE({place}, 'YYYY-MM-DD HH24:MI:SS')"
        moment = f"TO_TIMESTAMP({place}, 'YYYY-MM-DD HH24:MI:SS.FF6')"
        return place if self.kind(source_type) == "integer" else f"FROM_TZ({moment}, '+00:00')" if "zone" in name else moment

    def bound_value(self, text: str, source_type: str) -> object:
        """Return what is handed to the driver for a bound."""
        value = super().bound_value(text, source_type)
        return value[:19] if isinstance(value, str) and bare(source_type) == "date" else value

    @contextmanager
    def enter(self, address: ServerAddress) -> Iterator[OracleSession]:
        """Open a session in a transaction that only reads and sees one snapshot."""
        try:
            import oracledb  # an optional extra
        except ImportError as error:
            raise missing_driver("oracledb", "oracle") from error
        refuse_unreachable(address, self.title)
        where = {"host": address.host, "port": address.port, "service_name": address.database, "protocol": self.protocol}
        try:
            connection = oracledb.connect(
                user=address.user,
                password=address.password.get_secret_value(),
                tcp_connect_timeout=address.connect_timeout_s,
                program="polyceph",
                ssl_server_dn_match=True,
                **where,
            )
        except oracledb.Error as error:
            raise explained(error, address, is_open=False) from None
        try:
            session = OracleSession(connection, address, oracledb.Error)
            session.begin()
            yield session
        finally:
            connection.close()


class OracleSession:
    """A session of python-oracledb."""

    def __init__(self, connection: Any, address: ServerAddress, error: type[Exception]) -> None:
        self._connection = connection
        self._address = address
        self._error = error

    def begin(self) -> None:
        """Begin the transaction."""
        self._connection.cursor().execute("SET TRANSACTION READ ONLY")

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement.text, list(statement.values))
            return [tuple(value.read() if hasattr(value, "read") else value for value in row) for row in cursor.fetchall()]
        except self._error as error:
            raise explained(error, self._address, is_open=True) from None

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT; none of its rows is read."""
        try:
            cursor = self._connection.cursor()
            cursor.execute(f"SELECT * FROM (\n{query}\n) WHERE 1 = 0")  # noqa: S608 -- a declared SELECT, checked
        except self._error as error:
            raise explained(error, self._address, is_open=True) from None
        return [(str(column[0]), _described(column)) for column in cursor.description or ()]

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows as the driver's data frames, numbers as decimals."""
        try:
            for frame in self._connection.fetch_df_batches(statement.text, list(statement.values), size=rows, fetch_decimals=True):
                yield from pa.table(frame).combine_chunks().to_batches()
        except self._error as error:
            raise explained(error, self._address, is_open=True) from None


def _described(column: Any) -> str:
    """Return the catalogue's name of a described column's type."""
    _, kind, _, _, precision, scale, *_ = column
    name = getattr(kind, "name", str(kind)).removeprefix("DB_TYPE_")
    names = {"VARCHAR": "VARCHAR2", "NVARCHAR": "NVARCHAR2", "TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE"}
    names |= {"TIMESTAMP_LTZ": "TIMESTAMP WITH LOCAL TIME ZONE"}
    if name == "NUMBER" and precision and scale is not None and 0 <= scale <= precision:
        return f"NUMBER({precision},{scale})"
    return names.get(name, name)


def explained(error: Exception, address: ServerAddress, *, is_open: bool) -> Exception:
    """Return an error of the driver as one of the six."""
    said = address.without_password(str(error))
    found = _CODE.search(said)
    code = found[0] if found else type(error).__name__
    if code in _BROKEN:
        return Unavailable(f"{address.shown} broke off: {said}", hint="check the server, or try later")
    if not is_open:
        return refused(address, OracleDialect.title, said)
    if code in _DENIED:
        return Denied(f"user {address.user} may not read this of {address.shown}: {said}", hint=f"ask for GRANT SELECT … TO {address.user}")
    if _STATEMENTS.fullmatch(code):
        return Invalid(f"{address.shown} refuses the statement: {said}")
    # Other texts may quote a value.
    return Invalid(f"{address.shown} cannot run the statement ({code})", hint="correct the query so that no row breaks it")

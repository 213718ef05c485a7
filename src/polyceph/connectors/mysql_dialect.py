"""MySQL's and MariaDB's SQL: what the catalogue tells, and how a value leaves the server as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from polyceph.connectors.mysql_options import Transport
from polyceph.connectors.mysql_session import MySqlSession, entered
from polyceph.connectors.sql.dialect import Row, Session, Statement
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.connectors.sql.reading import Reading
from polyceph.connectors.sql.relation import Relation
from polyceph.connectors.types import duckdb_type
from polyceph.sdk import Column, Note, SourceColumn

ZERO_DATE = "zero_date"
"""The field that tells of a date that DuckDB cannot read."""
_DIGITS = re.compile(r"decimal\((\d+),(\d+)\)")
_WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
_OF_QUERY = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_BYTES = ("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob")
_TEXTS = ("char", "varchar", "text", "tinytext", "mediumtext", "longtext", "enum", "set", "json")
_PLAIN_TEXTS = ("char", "varchar", "text", "tinytext", "mediumtext", "longtext")
_NATIVE = {
    "date": ("DATE", "TIMESTAMP"),
    "datetime": ("TIMESTAMP",),
    "timestamp": ("TIMESTAMP", "TIMESTAMPTZ"),
    "DATE": ("DATE", "TIMESTAMP"),
    "TIMESTAMP": ("TIMESTAMP", "TIMESTAMPTZ"),
}
_LOGICAL = {"date": "date", "time": "time", "datetime": "timestamp", "timestamp": "timestamp", "float": "number", "double": "number"}


def is_wall(source_type: str) -> bool:
    """Tell whether a type holds wall-clock times: DATETIME does, TIMESTAMP is an instant."""
    return type_name(source_type) == "datetime"


def is_bytes(source_type: str) -> bool:
    """Tell whether a text comes as the bytes of its UTF-8: it does in a binary collation, of a query as of a table."""
    return source_type == "BLOB" or (type_name(source_type) in _PLAIN_TEXTS and source_type.endswith(" binary"))


@dataclass(frozen=True)
class MySqlDialect:
    """MySQL's SQL. Of a query DuckDB's type names are known, in capitals; of a table the server's own."""

    transport: Transport
    is_careful: bool = False
    """Whether dates are read as the texts that they are: of a zero date DuckDB's extension makes NULL, another that is none breaks it."""
    title: ClassVar[str] = "MySQL"
    late_rows: ClassVar[str] = "what an open transaction commits later, below the cursor, is only read with overlap, or avoided with lag"

    def enter(self, address: ServerAddress) -> AbstractContextManager[MySqlSession]:
        """Open a session."""
        return entered(address, self.transport)

    def quote(self, name: str) -> str:
        """Return a quoted identifier."""
        return "`" + name.replace("`", "``") + "`"

    def place(self, number: int) -> str:  # noqa: ARG002 -- MySQL's have no numbers
        """Return the placeholder of a value."""
        return "?"

    def source(self, relation: Relation) -> str:
        """Return what stands behind FROM."""
        if relation.query:
            return f"(\n{relation.query}\n) AS source"
        return f"{self.quote(relation.schema)}.{self.quote(relation.table)}"

    def first(self, fields: str, rest: str, rows: int) -> str:
        """Return a SELECT of at most so many rows."""
        return f"SELECT {fields} {rest} LIMIT {rows:d}"

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns."""
        return Statement(
            "SELECT column_name,"
            " CONVERT(CONCAT(column_type, CASE WHEN RIGHT(collation_name, 4) = '_bin' THEN ' binary' ELSE '' END) USING utf8mb4),"
            " is_nullable, CASE column_key WHEN 'PRI' THEN 'YES' ELSE 'NO' END,"
            " column_comment FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            parts,
        )

    def tables(self) -> Statement:
        """Ask for the tables and views that are not the server's own."""
        return Statement(
            "SELECT table_schema, table_name, table_rows, CASE table_type WHEN 'VIEW' THEN '' ELSE table_comment END"
            " FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
            " ORDER BY table_schema, table_name"
        )

    def kind(self, source_type: str) -> Kind | None:
        """Return the kind of cursor that a type makes."""
        name = type_name(source_type)
        if name in _WHOLE or source_type in _OF_QUERY:
            return "integer"
        kinds: dict[str, Kind] = {
            "date": "date",
            "DATE": "date",
            "datetime": "timestamp",
            "timestamp": "timestamptz",
            "TIMESTAMP": "timestamp",
        }
        return kinds.get(name)

    def field(self, name: str, source_type: str, column: Column | None) -> str:
        """Return a column so that DuckDB's extension takes nothing away, such as digits; what it makes of a zero date `zero_date` tells."""
        value, kind = self.quote(name), type_name(source_type)
        if column is None or (kind in _TEXTS and kind not in _PLAIN_TEXTS):
            return f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_general_ci"
        if kind in ("bit", "BOOLEAN"):  # of a query DuckDB calls bit(1) a boolean
            return f"CAST({value} AS UNSIGNED)"
        digits = _DIGITS.match(source_type)
        is_plain = kind in (*_WHOLE, *_PLAIN_TEXTS, *_BYTES, "float", "double", *_OF_QUERY, "FLOAT", "BLOB", "VARCHAR")
        # Of decimals without a fraction, unsigned ones, and all of a query, DuckDB's extension takes one digit for a sign or a point.
        is_exact = digits is not None and int(digits[1]) <= 38 and int(digits[2]) > 0 and "unsigned" not in source_type
        is_float = source_type == "DOUBLE" and column.logical_type == "number" and not column.physical_type
        return value if is_plain or is_exact or is_float or self.is_native(source_type, column) else f"CAST({value} AS CHAR)"

    def is_native(self, source_type: str, column: Column) -> bool:
        """Tell whether a date or moment is read as one, and not as text."""
        return not self.is_careful and duckdb_type(column) in _NATIVE.get(type_name(source_type), ())

    def dates(self, reading: Reading) -> dict[int, str]:
        """Return the places, and the source's columns, whose dates and moments are read as such."""
        types = reading.relation.columns
        return {at: source for at, (column, source) in enumerate(reading.columns) if self.is_native(types[source], column)}

    def zero_date(self, columns: Iterable[str]) -> str:
        """Return the field that is a text where one of these columns holds a date of the year 0, NULL otherwise."""
        found = " OR ".join(f"{self.quote(name)} < '0001-01-01'" for name in dict.fromkeys(columns))
        return f"CASE WHEN {found} THEN 'a date of the year 0' END AS {self.quote(ZERO_DATE)}"

    def text(self, name: str, source_type: str) -> str:  # noqa: ARG002 -- all are cast alike
        """Return a cursor value as text."""
        return f"CAST({name} AS CHAR)"

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type."""
        kind = self.kind(source_type)
        target = "DATE" if kind == "date" else "DATETIME(6)"
        return place if kind == "integer" else f"CAST({place} AS {target})"

    def bound_value(self, text: str, source_type: str) -> object:
        """Return what is handed to the driver for a bound."""
        return int(text) if self.kind(source_type) == "integer" else text.removesuffix("+00:00")

    def now(self, session: Session) -> datetime:
        """Return the server's time."""
        [[text]] = session.ask(Statement("SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)"))
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)

    def is_wall(self, source_type: str) -> bool:
        """Tell whether a type holds wall-clock times."""
        return is_wall(source_type)

    def described(self, row: Row) -> SourceColumn:
        """Return a row of `columns` as a sample tells it."""
        name, source_type, nullable, primary, comment = (str(value or "") for value in row)
        kind, digits = type_name(source_type), _DIGITS.match(source_type)
        logical = "integer" if kind in (*_WHOLE, "bit") else "number" if digits else "object" if kind == "json" else _LOGICAL.get(kind)
        logical = logical or ("string" if kind in _TEXTS else None)
        physical = f"decimal({digits[1]},{digits[2]})" if digits and int(digits[1]) <= 38 else None
        physical = "timestamptz" if kind == "timestamp" else physical
        return SourceColumn(name, source_type, logical, physical, nullable == "NO", primary == "YES", comment)

    def notes(self, session: Session) -> tuple[Note, ...]:  # noqa: ARG002 -- nothing to ask
        """Return nothing: one statement sees one snapshot of InnoDB."""
        return ()


def type_name(source_type: str) -> str:
    """Return the name of a type, without its length, its values and what is said behind them."""
    return re.split(r"[ (]", source_type, maxsplit=1)[0]

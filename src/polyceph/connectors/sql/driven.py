"""A database that a Python driver reads: its types as Arrow's, its rows as a stream of record batches, its SQL by tables of forms."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Protocol

import pyarrow as pa

from polyceph.connectors.sql.database import DatabaseConnector
from polyceph.connectors.sql.dialect import Row, Session, Statement
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.connectors.sql.reading import Reading, rows_of
from polyceph.connectors.sql.relation import Relation
from polyceph.connectors.sql.walls import instants
from polyceph.connectors.types import duckdb_type
from polyceph.sdk import Column, Invalid, Note, Problem, SourceColumn

BATCH_ROWS = 10_000
_DIGITS = re.compile(r"(\w+)\((\d+)(?:,\s*(-?\d+))?\)")
_LOGICAL = {pa.int64(): "integer", pa.float64(): "number", pa.bool_(): "boolean", pa.date32(): "date"}


class DriverSession(Session, Protocol):
    """An open session of a driver: all that is asked of the driver stands behind it."""

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of at most so many; never more than a few in memory."""
        ...


@dataclass(frozen=True)
class Form:
    """How a type leaves the server: its expression around `{0}`, and the Arrow type that the driver's values become."""

    sql: str
    arrow: pa.DataType
    logical: str | None = None
    physical: str | None = None


PLAIN = Form("{0}", pa.string(), "string")
WHOLE = Form("{0}", pa.int64())
FLOAT = Form("{0}", pa.float64())


class DriverDialect(ABC):
    """What the SQL of the databases with a driver has in common; `forms` are by the bare name of a type."""

    title: ClassVar[str]
    late_rows: ClassVar[str] = "what an open transaction commits later, below the cursor, is only read with overlap, or avoided with lag"
    forms: ClassVar[Mapping[str, Form]]
    other: ClassVar[Form]
    """The form of a type that has none: as text."""
    decimals: ClassVar[tuple[str, ...]]
    kinds: ClassVar[Mapping[str, Kind]]
    walls: ClassVar[tuple[str, ...]]

    @abstractmethod
    def enter(self, address: ServerAddress) -> AbstractContextManager[DriverSession]:
        """Open a session."""

    @abstractmethod
    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns."""

    @abstractmethod
    def tables(self) -> Statement:
        """Ask for the tables."""

    @abstractmethod
    def now_statement(self) -> Statement:
        """Ask for the time in UTC as text."""

    @abstractmethod
    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type."""

    def quote(self, name: str) -> str:
        """Return a quoted identifier."""
        return '"' + name.replace('"', '""') + '"'

    def place(self, number: int) -> str:  # noqa: ARG002 -- a question mark has no number
        """Return the placeholder of a value."""
        return "?"

    def source(self, relation: Relation) -> str:
        """Return what stands behind FROM."""
        if relation.query:
            return f"(\n{relation.query}\n) {self.quote('source')}"
        return ".".join(self.quote(part) for part in (relation.schema, relation.table))

    def first(self, fields: str, rest: str, rows: int) -> str:
        """Return a SELECT of at most so many rows."""
        return f"SELECT {fields} {rest} FETCH FIRST {rows:d} ROWS ONLY" if rows else f"SELECT {fields} {rest} AND 1 = 0"

    def form(self, source_type: str, column: Column | None) -> Form:  # noqa: ARG002 -- some databases ask what is promised
        """Return how a type leaves the server."""
        digits = decimal_of(source_type, self.decimals)
        if digits is not None:
            scale_fits = 0 <= digits[1] <= digits[0] <= 38
            return Form("{0}", pa.decimal128(*digits), "number", f"decimal({digits[0]},{digits[1]})") if scale_fits else self.other
        return self.forms.get(bare(source_type), self.other)

    def field(self, name: str, source_type: str, column: Column | None) -> str:
        """Return the expression of a column."""
        return self.form(source_type, column).sql.format(self.quote(name))

    def text(self, name: str, source_type: str) -> str:
        """Return a cursor value as text."""
        return self.form(source_type, None).sql.format(name)

    def kind(self, source_type: str) -> Kind | None:
        """Return the kind of cursor that a type makes."""
        digits = decimal_of(source_type, self.decimals)
        return "integer" if digits is not None and digits[1] == 0 else self.kinds.get(bare(source_type))

    def bound_value(self, text: str, source_type: str) -> object:
        """Return what is handed to the driver for a bound."""
        return int(text) if self.kind(source_type) == "integer" else text.removesuffix("+00:00")

    def now(self, session: Session) -> datetime:
        """Return the server's time."""
        [[text]] = session.ask(self.now_statement())
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)

    def is_wall(self, source_type: str) -> bool:
        """Tell whether a type holds wall-clock times."""
        return bare(source_type) in self.walls

    def described(self, row: Row) -> SourceColumn:
        """Return a row of `columns` as a sample tells it."""
        name, source_type, nullable, primary, comment = (str(value or "") for value in row)
        form, kind = self.form(source_type, None), self.kind(source_type)
        logical = form.logical or _LOGICAL.get(form.arrow)
        logical = "timestamp" if kind in ("timestamp", "timestamptz") else logical
        physical = "timestamptz" if kind == "timestamptz" else form.physical
        return SourceColumn(name, source_type, logical, physical, nullable == "NO", primary == "YES", comment)

    def notes(self, session: Session) -> tuple[Note, ...]:  # noqa: ARG002 -- most have nothing to say
        """Return what has to be said of reading this database now."""
        return ()


class DriverConnector(DatabaseConnector):
    """Reads a database in batches through its driver."""

    @abstractmethod
    def dialect(self) -> DriverDialect:
        """Return the database's SQL."""

    def rows(self, address: ServerAddress, reading: Reading) -> pa.RecordBatchReader:
        """Return the rows as a stream; the session is opened at the first batch and closed behind the last."""
        dialect = self.dialect()
        schema = pa.schema([(column.name, _arrow(dialect, reading, column, source)) for column, source in reading.columns])
        return pa.RecordBatchReader.from_batches(schema, _batches(dialect, address, reading, schema))


def bare(source_type: str) -> str:
    """Return the name of a type without its lengths: `timestamp(6) with time zone` is `timestamp with time zone`."""
    return re.sub(r"\s*\([^)]*\)", "", source_type).strip().casefold()


def decimal_of(source_type: str, names: tuple[str, ...]) -> tuple[int, int] | None:
    """Return precision and scale of a decimal type."""
    found = _DIGITS.fullmatch(source_type.strip())
    return (int(found[2]), int(found[3] or 0)) if found and found[1].casefold() in names else None


def _is_instant(dialect: DriverDialect, reading: Reading, column: Column, source: str) -> bool:
    is_wanted = duckdb_type(column) == "TIMESTAMPTZ" and reading.dataset.timezone is not None
    return is_wanted and dialect.is_wall(reading.relation.columns[source])


def _arrow(dialect: DriverDialect, reading: Reading, column: Column, source: str) -> pa.DataType:
    if _is_instant(dialect, reading, column, source):
        return pa.string()
    return dialect.form(reading.relation.columns[source], column).arrow


def _batches(dialect: DriverDialect, address: ServerAddress, reading: Reading, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with dialect.enter(address) as session:
        for batch in session.batches(rows_of(dialect, reading), rows=BATCH_ROWS):
            arrays = [_array(batch.column(at), schema.field(at), dialect, reading) for at in range(len(schema))]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: pa.Array, field: pa.Field, dialect: DriverDialect, reading: Reading) -> pa.Array:
    column, source = next((c, s) for c, s in reading.columns if c.name == field.name)
    if _is_instant(dialect, reading, column, source):
        return instants(values.cast(pa.string()), zone=str(reading.dataset.timezone), ambiguous=reading.dataset.ambiguous)
    try:
        if pa.types.is_integer(values.type) and pa.types.is_decimal(field.type):  # Arrow asks for room for any 64-bit number
            values = values.cast(pa.decimal128(38, field.type.scale))
        return values.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = Problem(f"a value of type {values.type} cannot become {field.type}", place=f"column {column.name}")
        raise Invalid(f"{reading.relation.shown} gives a value of another type than its catalogue says", problems=[problem]) from error

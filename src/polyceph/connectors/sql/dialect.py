"""What differs from one database's SQL to the next, and the conversation with it: the seam behind which its driver stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.ranges import Kind
from polyceph.connectors.sql.relation import Relation
from polyceph.sdk import Column, Note, SourceColumn

Row = Sequence[object]


@dataclass(frozen=True)
class Statement:
    """SQL and the values that its placeholders stand for, in their order."""

    text: str
    values: tuple[object, ...] = ()


@dataclass
class Draft:
    """A statement that is being written: each value becomes a placeholder."""

    place: Callable[[int], str]
    values: list[object] = field(default_factory=list)

    def value(self, value: object) -> str:
        """Keep a value, and return the placeholder that stands for it."""
        self.values.append(value)
        return self.place(len(self.values))

    def done(self, text: str) -> Statement:
        """Return the statement."""
        return Statement(text, tuple(self.values))


class Session(Protocol):
    """An open session that only reads."""

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        ...

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT without running it."""
        ...


class Dialect(Protocol):
    """One database's SQL. Its statements give texts where a driver may round or shift a value."""

    title: ClassVar[str]
    late_rows: ClassVar[str]
    """What the note of an incremental load without lag and overlap says."""

    def enter(self, address: ServerAddress) -> AbstractContextManager[Session]:
        """Open a session; errors of the driver come out as the six."""
        ...

    def quote(self, name: str) -> str:
        """Return a quoted identifier."""
        ...

    def place(self, number: int) -> str:
        """Return the placeholder of the value with this number, from 1."""
        ...

    def source(self, relation: Relation) -> str:
        """Return what stands behind FROM."""
        ...

    def first(self, fields: str, rest: str, rows: int) -> str:
        """Return a SELECT of at most so many rows."""
        ...

    def columns(self, parts: tuple[str, ...]) -> Statement:
        """Ask for a table's columns: name, type, may be null (YES or NO), in the primary key (YES or NO), comment."""
        ...

    def tables(self) -> Statement:
        """Ask for the tables: one row each with its parts, then rows as estimated or NULL, then its comment."""
        ...

    def kind(self, source_type: str) -> Kind | None:
        """Return the kind of cursor that a type makes, None when it makes none."""
        ...

    def field(self, name: str, source_type: str, column: Column | None) -> str:
        """Return the expression of a column, for a promised column or, without one, as text."""
        ...

    def text(self, name: str, source_type: str) -> str:
        """Return the expression of a cursor value as text that Python reads."""
        ...

    def bound(self, place: str, source_type: str) -> str:
        """Return the expression of a bound in the cursor's own type."""
        ...

    def bound_value(self, text: str, source_type: str) -> object:
        """Return what is handed to the driver for a bound that was kept as text."""
        ...

    def now(self, session: Session) -> datetime:
        """Return the server's time, aware."""
        ...

    def is_wall(self, source_type: str) -> bool:
        """Tell whether a type holds wall-clock times."""
        ...

    def described(self, row: Row) -> SourceColumn:
        """Return a row of `columns` as a sample tells it."""
        ...

    def notes(self, session: Session) -> tuple[Note, ...]:
        """Return what has to be said of reading this database now."""
        ...

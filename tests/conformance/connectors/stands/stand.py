"""What a stand is: one connector before a real source that a test fills, changes, slows and cuts off. One file each beside this one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from polyceph import plugins
from polyceph.sdk import Column, Connector, Explorer
from polyceph.settings import PostgresAddress
from stands.behaviours import Behaviour
from stands.proxy import free_port

ALL_TYPES = ("integer", "decimal", "number", "boolean", "date", "time", "timestamp", "instant", "string", "array", "object")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Form:
    """How values and tables are written, where a source has a choice."""

    belgian_dates: bool = False
    decimal_comma: bool = False
    recoded: bool = False
    reshaped: bool = False


@dataclass(frozen=True)
class Table:
    """A table as a source holds it: columns as a contract would promise them, rows as Python values in their order."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Row] = ()
    form: Form = field(default_factory=Form)

    def with_rows(self, rows: Sequence[Row]) -> Table:
        return replace(self, rows=rows)

    def names(self) -> list[str]:
        return [column.source_name or column.name for column in self.columns]


class Numbers(Sequence[Row]):
    """So many rows of id, label and amount, made when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self.row(number) for number in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        return self.row(at)

    @staticmethod
    def row(number: int) -> Row:
        return (number + 1, f"row number {number + 1} of many", number * 7)


@dataclass
class Tools:
    """What stands share: the session's PostgreSQL, a folder, and what is to be closed."""

    postgres: PostgresAddress
    folder: Path
    stack: ExitStack
    fixture: Any


class Stand(ABC):
    """One connector and its source. `not_applicable` says why a behaviour makes no sense, `unproven` why it cannot be shown here."""

    connector: ClassVar[str]
    server: ClassVar[str]
    """What the source is, in words for the reference page."""
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {}
    unproven: ClassVar[Mapping[Behaviour, str]] = {}
    types: ClassVar[tuple[str, ...]] = ALL_TYPES
    """Types that the source itself has; others it holds as text or not at all."""
    large_rows: ClassVar[int] = 200_000
    killed_rows: ClassVar[int] = 60_000
    odd_table: ClassVar[str] = 'Élèves d\'été "A"'
    odd_columns: ClassVar[tuple[str, ...]] = ("Nom de l'élève", 'a"b', "prix €", "GROß_Été")
    reserved_table: ClassVar[str] = "order"
    can_hold_nul: ClassVar[bool] = False
    is_typed: ClassVar[bool] = False
    """Whether the source gives values a type, so that a date in another form is a text in the place of a date."""
    has_places: ClassVar[bool] = False
    """Whether a rejected value is told with its place in the source."""
    cursor_column: ClassVar[Column] = Column("changed", "integer", required=True)

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @classmethod
    def reason(cls, behaviour: Behaviour) -> str | None:
        """Return why a behaviour is not run, None when it is."""
        return cls.not_applicable.get(behaviour) or cls.unproven.get(behaviour)

    @abstractmethod
    def start(self) -> Self:
        """Start the source; what is to be stopped goes into the tools' stack."""

    @abstractmethod
    def publish(self, table: Table) -> None:
        """Make the table what is given, whatever it was before."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take the table away."""

    @abstractmethod
    def source(self, **changes: object) -> dict[str, object]:
        """Return the options of the source."""

    @abstractmethod
    def dataset(self, table: Table) -> dict[str, object]:
        """Return the options of a dataset that reads the whole table."""

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows to a table that was published."""
        self.publish(table.with_rows([*table.rows, *rows]))

    def move(self, table: Table, name: str) -> None:
        """Give a table another name."""
        self.remove(table.name)
        self.publish(replace(table, name=name))

    def cursor_value(self, number: int) -> Any:
        """Return the value of the cursor's column that is the so-manyth."""
        return number

    def following(self, table: Table, column: str) -> dict[str, object]:
        """Return the options of a dataset that reads what is new by a column, or how the source tells it."""
        return self.dataset(table)

    def at_port(self, port: int) -> dict[str, object]:
        """Return the options of the source as if it listened on another port of this machine."""
        raise NotImplementedError

    def port(self) -> int:
        """Return the port that the source listens on."""
        raise NotImplementedError

    def unreachable(self) -> dict[str, object]:
        """Return the options of a source that is not there."""
        return self.at_port(free_port())

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        """Return options with a secret that is not right, and that secret."""
        raise NotImplementedError

    def connect(self, options: Mapping[str, object] | None = None) -> Connector:
        """Return the connector, built from options as a domain declares them."""
        kind = plugins.load(plugins.CONNECTORS, self.connector)
        found: Explorer = kind(kind.source_options.model_validate(dict(options or self.source())), base=self.tools.folder)
        return found


def set_secret(name: str, value: str) -> str:
    """Put a secret where connectors, and the processes that tests start, find it; return its name."""
    os.environ[name] = value
    return name

"""Options that every SQL database shares: the server and who enters it, and what of it makes a dataset. Nothing here talks to a server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.statements import Condition
from polyceph.sdk import Misconfigured, Options, SecretName, SecretStr, secret

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".\s]+))\s*')
_TIME = re.compile(r"\s*(\d+)\s*(second|minute|hour|day)s?\s*")


@dataclass(frozen=True)
class ServerAddress:
    """Where to enter, resolved. `password` stays a SecretStr until the driver call."""

    host: str
    port: int
    database: str
    user: str
    password: SecretStr = field(repr=False)
    connect_timeout_s: int
    scheme: str = "postgresql"
    sslmode: str | None = None

    @property
    def shown(self) -> str:
        """The address without the password."""
        return f"{self.scheme}://{self.user}@{self.host}:{self.port}/{self.database}"

    def without_password(self, text: str) -> str:
        """Return the first line of a driver's message; should the password stand in it, it does no more."""
        lines = text.replace(self.password.get_secret_value(), "***").strip().splitlines()
        return lines[0].strip() if lines else "no reason given"


class ServerSource(Options):
    """One database of a server and the account that reads it."""

    scheme: ClassVar[str] = "postgresql"

    host: str | FromEnvironment = Field(description="host name or IP address, or {env: NAME}")
    port: int | FromEnvironment = Field(description="port, or {env: NAME}")
    database: str | FromEnvironment = Field(description="database, or {env: NAME}")
    user: str | FromEnvironment = Field(description="account that may read the tables, or {env: NAME}")
    password_env: SecretName = Field(description="name of the environment variable that holds the password")
    connect_timeout_s: int = Field(default=10, ge=1, description="seconds to wait for the server")

    def address(self) -> ServerAddress:
        """Return the address with all environment values filled in; raise `Misconfigured` when one is missing."""
        port = resolved(self.port)
        if not str(port).isdecimal():
            raise Misconfigured(f"port {port!r} of the {self.scheme} source is not a number")
        return ServerAddress(
            host=resolved(self.host),
            port=int(port),
            database=resolved(self.database),
            user=resolved(self.user),
            password=secret(self.password_env),
            connect_timeout_s=self.connect_timeout_s,
            scheme=self.scheme,
        )


class TableDataset(Options):
    """What of a database makes the dataset."""

    table_form: ClassVar[tuple[str, ...]] = ("schema", "table")
    sql_dialect: ClassVar[str] = "postgres"

    table: str | None = Field(default=None, description="schema.table (or view); quote a part that holds a dot or a space")
    query: str | None = Field(default=None, description="one SELECT, run read-only on the server")
    filter: str | None = Field(
        default=None, description="condition in the server's SQL that its rows must meet, such as `year >= :first AND region = 'W'`"
    )
    parameters: dict[str, int | float | str | bool] = Field(
        default_factory=dict, description="values of the filter's :names; they reach the server as values, never as SQL"
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="contract column: source column, where the contract's physicalName does not say it"
    )
    mode: Literal["snapshot", "incremental"] | None = Field(default=None, description="incremental when a cursor is given, else snapshot")
    cursor: str | None = Field(default=None, description="source column that only grows: a timestamp, a date or an integer")
    lag: str | int | None = Field(
        default=None, description='how far behind now an incremental load stays: "5 minutes", or a number for an integer cursor'
    )
    overlap: str | int | None = Field(
        default=None,
        description='how far before its cursor an incremental load reads again, for rows that came late: "1 day", or a number;'
        " rows that are there already are left out, by the contract's primary key",
    )
    timezone: str | None = Field(
        default=None,
        description="time zone of times without one, such as Europe/Brussels, where the contract promises timestamptz; UTC when left out",
    )
    ambiguous: Literal["refuse", "earlier", "later"] = Field(
        default="refuse", description="what a wall-clock time means that comes twice when clocks go back; without a choice it does not fit"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            return ZoneInfo(name).key if name else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time zone {name!r} is unknown; write e.g. Europe/Brussels") from error

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("give exactly one of table and query")
        if self.table is not None:
            self.table_parts()
        if self.mode == "incremental" and self.cursor is None:
            raise ValueError("mode incremental needs a cursor column")
        if self.mode == "snapshot" and self.cursor is not None:
            raise ValueError("mode snapshot reads everything: leave out the cursor, or choose mode incremental")
        for name, text in (("lag", self.lag), ("overlap", self.overlap)):
            if text is not None and self.cursor is None:
                raise ValueError(f"{name} needs a cursor column")
            _time(name, text if isinstance(text, str) else None)
        self.condition()
        return self

    def table_parts(self) -> tuple[str, ...]:
        """Return the parts of `table`, quotes taken off; raise ValueError when they are not as many as the database has."""
        text, at, parts = self.table or "", 0, list[str]()
        while found := _PART.match(text, at):
            parts.append(found[1].replace('""', '"') if found[1] else found[2])
            at = found.end()
            if at == len(text) or text[at] != ".":
                break
            at += 1
        if at != len(text) or len(parts) != len(self.table_form):
            form = ".".join(self.table_form)
            raise ValueError(f"table {self.table!r} is not {form}, e.g. public.schools")
        return tuple(parts)

    def condition(self) -> Condition | None:
        """Return the filter; raise ValueError when it is not one condition or its parameters do not match."""
        if self.filter is None:
            if self.parameters:
                raise ValueError("parameters need a filter that uses them")
            return None
        return Condition.of(self.filter, self.parameters, dialect=self.sql_dialect)

    def lag_time(self) -> timedelta:
        """Return the lag as a time; zero when there is none; raise ValueError when it is not a time."""
        return _time("lag", self.lag)

    def overlap_time(self) -> timedelta:
        """Return the overlap as a time; zero when there is none; raise ValueError when it is not a time."""
        return _time("overlap", self.overlap)


def _time(name: str, text: str | int | None) -> timedelta:
    if text is None:
        return timedelta()
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f'{name} {text!r} is not a time; write e.g. "5 minutes", "2 hours", "1 day"')
    return timedelta(**{f"{found[2]}s": int(found[1])})


def resolved(value: str | int | FromEnvironment) -> str:
    """Return a value that may stand in the environment."""
    return value.value() if isinstance(value, FromEnvironment) else str(value)

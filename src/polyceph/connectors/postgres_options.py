"""Options of the connector `postgres` and the address they make. Nothing here talks to a server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.sdk import Misconfigured, Options, SecretName, SecretStr, secret

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".\s]+))\s*')
_LAG = re.compile(r"\s*(\d+)\s*(second|minute|hour|day)s?\s*")


@dataclass(frozen=True)
class ServerAddress:
    """Where to enter, resolved. `password` stays a SecretStr until the driver call."""

    host: str
    port: int
    database: str
    user: str
    password: SecretStr = field(repr=False)
    sslmode: str | None
    connect_timeout_s: int

    @property
    def shown(self) -> str:
        """The address without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


class PostgresSource(Options):
    """One PostgreSQL database and the role that reads it."""

    host: str | FromEnvironment = Field(description="host name, IP address or socket folder, or {env: NAME}")
    port: int | FromEnvironment = Field(default=5432, description="port, or {env: NAME}")
    database: str | FromEnvironment = Field(description="database, or {env: NAME}")
    user: str | FromEnvironment = Field(description="role that may read the tables, or {env: NAME}")
    password_env: SecretName = Field(description="name of the environment variable that holds the password")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="libpq's sslmode; libpq's own default when left out"
    )
    connect_timeout_s: int = Field(default=10, ge=1, description="seconds to wait for the server")

    def address(self) -> ServerAddress:
        """Return the address with all environment values filled in; raise `Misconfigured` when one is missing."""
        port = _resolved(self.port)
        if not str(port).isdecimal():
            raise Misconfigured(f"port {port!r} of the PostgreSQL source is not a number")
        return ServerAddress(
            host=_resolved(self.host),
            port=int(port),
            database=_resolved(self.database),
            user=_resolved(self.user),
            password=secret(self.password_env),
            sslmode=self.sslmode,
            connect_timeout_s=self.connect_timeout_s,
        )


class PostgresDataset(Options):
    """What of the database makes the dataset."""

    table: str | None = Field(default=None, description="schema.table (or view); quote a part that holds a dot")
    query: str | None = Field(default=None, description="one SELECT, run read-only on the server")
    columns: dict[str, str] = Field(
        default_factory=dict, description="contract column: source column, where the contract's physicalName does not say it"
    )
    mode: Literal["snapshot", "incremental"] | None = Field(default=None, description="incremental when a cursor is given, else snapshot")
    cursor: str | None = Field(default=None, description="source column that only grows: a timestamp, a date or an integer")
    lag: str | int | None = Field(
        default=None, description='how far behind now an incremental load stays: "5 minutes", or a number for an integer cursor'
    )
    wait_s: float = Field(default=30, ge=0, description="seconds to wait for transactions that are writing to the table")

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
        if self.lag is not None and self.cursor is None:
            raise ValueError("lag needs a cursor column")
        if isinstance(self.lag, str):
            self.lag_time()
        return self

    def table_parts(self) -> tuple[str, str]:
        """Return schema and table; raise ValueError when `table` is not `schema.table`."""
        first = _PART.match(self.table or "")
        second = _PART.fullmatch(self.table or "", first.end() + 1) if first and (self.table or "")[first.end() :].startswith(".") else None
        if first is None or second is None:
            raise ValueError(f"table {self.table!r} is not schema.table, e.g. public.schools")
        schema, table = ((m[1].replace('""', '"') if m[1] else m[2]) for m in (first, second))
        return schema, table

    def lag_time(self) -> timedelta:
        """Return the lag as a time; zero when there is none; raise ValueError when it is not a time."""
        if self.lag is None:
            return timedelta()
        found = _LAG.fullmatch(self.lag) if isinstance(self.lag, str) else None
        if found is None:
            raise ValueError(f'lag {self.lag!r} is not a time; write e.g. "5 minutes", "2 hours", "1 day"')
        return timedelta(**{f"{found[2]}s": int(found[1])})


def _resolved(value: str | int | FromEnvironment) -> str:
    return value.value() if isinstance(value, FromEnvironment) else str(value)

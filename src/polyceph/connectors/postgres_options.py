"""Options of the connector `postgres` beyond those of every SQL database."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.options import ServerAddress, ServerSource, TableDataset


class PostgresSource(ServerSource):
    """One PostgreSQL database and the role that reads it."""

    host: str | FromEnvironment = Field(description="host name, IP address or socket folder, or {env: NAME}")
    port: int | FromEnvironment = Field(default=5432, description="port, or {env: NAME}")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="libpq's sslmode; libpq's own default when left out"
    )

    def address(self) -> ServerAddress:
        """Return the address with all environment values filled in; raise `Misconfigured` when one is missing."""
        return replace(super().address(), sslmode=self.sslmode)


class PostgresDataset(TableDataset):
    """What of a PostgreSQL database makes the dataset."""

    sql_dialect: ClassVar[str] = "postgres"

    wait_s: float = Field(default=30, ge=0, description="seconds to wait for transactions that are writing to the table")

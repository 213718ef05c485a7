"""The connector `mssql`: a table or a query of a Microsoft SQL Server database, whole or from where the last load stopped."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.mssql_dialect import MsSqlDialect
from polyceph.connectors.sql.driven import DriverConnector
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.connectors.validation import validated
from polyceph.sdk import Options


class MsSqlSource(ServerSource):
    """One SQL Server database and the login that reads it."""

    scheme: ClassVar[str] = "mssql"

    port: int | FromEnvironment = Field(default=1433, description="port, or {env: NAME}")
    encrypt: Literal["yes", "strict"] = Field(default="yes", description="encryption of the connection; strict is TDS 8.0")
    trust_server_certificate: bool = Field(default=False, description="take any certificate of the server: only on a network you trust")


class MsSqlDataset(TableDataset):
    """What of a SQL Server database makes the dataset."""

    sql_dialect: ClassVar[str] = "tsql"

    table: str | None = Field(default=None, description='schema.table (or view), such as dbo.Schools; quote with " a part that holds a dot')


class MsSqlConnector(DriverConnector):
    """Reads SQL Server through Microsoft's driver, in a snapshot where the database allows one (ALLOW_SNAPSHOT_ISOLATION)."""

    source_options: ClassVar[type[Options]] = MsSqlSource
    dataset_options: ClassVar[type[Options]] = MsSqlDataset
    summary: ClassVar[str] = "Tables and queries of a Microsoft SQL Server database, whole or incrementally by a cursor column."
    name: ClassVar[str] = "mssql"

    def dialect(self) -> MsSqlDialect:
        """Return SQL Server's SQL, and how it is entered."""
        source = validated(MsSqlSource, self._options, "source of connector mssql")
        return MsSqlDialect(source.encrypt, source.trust_server_certificate)

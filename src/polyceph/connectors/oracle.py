"""The connector `oracle`: a table or a query of an Oracle database, whole or from where the last load stopped."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.oracle_dialect import OracleDialect
from polyceph.connectors.sql.driven import DriverConnector
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.connectors.validation import validated
from polyceph.sdk import Options


class OracleSource(ServerSource):
    """One service of an Oracle database and the user that reads it."""

    scheme: ClassVar[str] = "oracle"

    port: int | FromEnvironment = Field(default=1521, description="port, or {env: NAME}")
    database: str | FromEnvironment = Field(description="service name, or {env: NAME}")
    protocol: Literal["tcp", "tcps"] = Field(default="tcp", description="tcps is TLS, with the name in the server's certificate checked")


class OracleDataset(TableDataset):
    """What of an Oracle database makes the dataset."""

    sql_dialect: ClassVar[str] = "oracle"

    table: str | None = Field(default=None, description="SCHEMA.TABLE (or view) as the catalogue writes it, mostly in capitals")


class OracleConnector(DriverConnector):
    """Reads Oracle through its thin driver, in one read-only transaction, which sees one snapshot."""

    source_options: ClassVar[type[Options]] = OracleSource
    dataset_options: ClassVar[type[Options]] = OracleDataset
    summary: ClassVar[str] = "Tables and queries of an Oracle database, whole or incrementally by a cursor column."
    name: ClassVar[str] = "oracle"

    def dialect(self) -> OracleDialect:
        """Return Oracle's SQL, and how it is entered."""
        return OracleDialect(validated(OracleSource, self._options, "source of connector oracle").protocol)

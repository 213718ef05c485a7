"""The connector `denodo`: a view or a query of a Denodo server, over its PostgreSQL protocol."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyceph.connectors.denodo_dialect import DenodoDialect
from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.driven import DriverConnector
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.connectors.validation import validated
from polyceph.sdk import Options


class DenodoSource(ServerSource):
    """One virtual database of a Denodo server and the user that reads it."""

    scheme: ClassVar[str] = "denodo"

    port: int | FromEnvironment = Field(default=9996, description="port of the PostgreSQL protocol (ODBC), or {env: NAME}")
    database: str | FromEnvironment = Field(description="virtual database, or {env: NAME}")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="libpq's sslmode; libpq's own default when left out"
    )


class DenodoDataset(TableDataset):
    """What of a virtual database makes the dataset."""

    table_form: ClassVar[tuple[str, ...]] = ("database", "view")
    sql_dialect: ClassVar[str] = "postgres"

    table: str | None = Field(default=None, description="database.view; quote a part that holds a dot or a space")
    query: str | None = Field(default=None, description="one SELECT in VQL without a CONTEXT clause")


class DenodoConnector(DriverConnector):
    """Reads Denodo over the PostgreSQL protocol, row by row as the server sends them.

    Denodo is no PostgreSQL: there is no COPY, no snapshot that connections share and no system column, so DuckDB's extension cannot
    read it. What a load sees is what Denodo's own sources show while it runs; a view in its cache is as old as the cache.
    """

    source_options: ClassVar[type[Options]] = DenodoSource
    dataset_options: ClassVar[type[Options]] = DenodoDataset
    summary: ClassVar[str] = "Views and queries of a Denodo server, whole or incrementally by a cursor column."
    name: ClassVar[str] = "denodo"

    def dialect(self) -> DenodoDialect:
        """Return VQL, and how its server is entered."""
        return DenodoDialect(validated(DenodoSource, self._options, "source of connector denodo").sslmode)

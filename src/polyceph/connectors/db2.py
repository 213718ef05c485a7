"""The connector `db2`: a table or a query of an IBM Db2 database, whole or from where the last load stopped."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from polyceph.connectors.db2_dialect import Db2Dialect
from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.driven import DriverConnector
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.connectors.validation import validated
from polyceph.sdk import Options


class Db2Source(ServerSource):
    """One Db2 database and the user that reads it."""

    scheme: ClassVar[str] = "db2"

    port: int | FromEnvironment = Field(default=50000, description="port, or {env: NAME}")
    tls: bool = Field(default=False, description="encrypt the connection")
    tls_certificate: str | None = Field(
        default=None, description="file of the server's certificate or its authority, from the domain's folder"
    )


class Db2Dataset(TableDataset):
    """What of a Db2 database makes the dataset."""

    sql_dialect: ClassVar[str] = ""

    table: str | None = Field(default=None, description="SCHEMA.TABLE (or view) as the catalogue writes it, mostly in capitals")


class Db2Connector(DriverConnector):
    """Reads Db2 for Linux, UNIX and Windows through IBM's driver, by currently committed rows."""

    source_options: ClassVar[type[Options]] = Db2Source
    dataset_options: ClassVar[type[Options]] = Db2Dataset
    summary: ClassVar[str] = "Tables and queries of an IBM Db2 database, whole or incrementally by a cursor column."
    name: ClassVar[str] = "db2"

    def dialect(self) -> Db2Dialect:
        """Return Db2's SQL, and how it is entered."""
        source = validated(Db2Source, self._options, "source of connector db2")
        certificate = str((self._base / source.tls_certificate).resolve()) if source.tls_certificate else None
        return Db2Dialect(tls=source.tls, certificate=certificate)

"""Options of the connector `mysql` beyond those of every SQL database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.sdk import Misconfigured


@dataclass(frozen=True)
class Transport:
    """How the connection is encrypted, and whether it is compressed; with a CA the server's certificate must come from it."""

    mode: str
    ca: str | None = None
    is_compressed: bool = False


class MySqlSource(ServerSource):
    """One MySQL or MariaDB database and the account that reads it."""

    scheme: ClassVar[str] = "mysql"

    port: int | FromEnvironment = Field(default=3306, description="port, or {env: NAME}")
    ssl: Literal["disabled", "preferred", "required"] = Field(
        default="preferred", description="whether the connection is encrypted; without ssl_ca nobody checks whose certificate it is"
    )
    ssl_ca: str | None = Field(
        default=None,
        description="file of the authority that the server's certificate must come from, from the domain's folder; the host name in it is"
        " not checked",
    )

    compress: bool = Field(
        default=False, description="whether the server compresses what it sends: only worth its while over a line slower than 300 Mbit/s"
    )

    def transport(self, base: Path) -> Transport:
        """Return how to encrypt, and whether to compress; raise `Misconfigured` when the file of the authority is not there."""
        if self.ssl_ca is None:
            return Transport(self.ssl, is_compressed=self.compress)
        path = (base / self.ssl_ca).resolve()
        if not path.is_file():
            raise Misconfigured(f"ssl_ca {self.ssl_ca} of the mysql source is no file", hint=f"put the authority's certificate at {path}")
        return Transport("verify_ca", str(path), self.compress)


class MySqlDataset(TableDataset):
    """What of a MySQL or MariaDB database makes the dataset."""

    table_form: ClassVar[tuple[str, ...]] = ("database", "table")
    sql_dialect: ClassVar[str] = "mysql"

    table: str | None = Field(default=None, description="database.table (or view); quote a part that holds a dot or a space")

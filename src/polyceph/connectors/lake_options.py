"""Options of the connector `lake`: which lake, how to enter it, and what of a table makes a dataset."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.sdk import Column, Options, SecretName

Value = str | int | float | bool


class LakeSource(Options):
    """One lake: a DuckLake by its catalogue, Delta tables below a folder, or Iceberg tables of a catalogue or a folder."""

    kind: Literal["ducklake", "delta", "iceberg"] = Field(description="which format the tables have")
    host: str | FromEnvironment | None = Field(default=None, description="PostgreSQL server with the DuckLake's catalogue; or {env: NAME}")
    port: int | FromEnvironment = Field(default=5432, description="its port; or {env: NAME}")
    database: str | FromEnvironment | None = Field(default=None, description="its database; or {env: NAME}")
    user: str | FromEnvironment | None = Field(default=None, description="role that may read the catalogue; or {env: NAME}")
    password_env: SecretName | None = Field(default=None, description="variable with the password of that role")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="libpq's sslmode; libpq's own default when left out"
    )
    metadata_schema: str | None = Field(default=None, description="schema of the catalogue's tables, where it is not public")
    file: str | FromEnvironment | None = Field(
        default=None, description="catalogue in a file: a DuckDB or SQLite file of a DuckLake, an SQLite file of Iceberg; or {env: NAME}"
    )
    url: str | FromEnvironment | None = Field(
        default=None,
        description="folder or s3:// address of the tables; for a DuckLake only where the catalogue names another; or {env: NAME}",
    )
    key_env: SecretName | None = Field(default=None, description="variable with the access key of the object store")
    secret_env: SecretName | None = Field(default=None, description="variable with its secret key")
    endpoint: str | FromEnvironment | None = Field(default=None, description="address of an S3 service other than AWS; or {env: NAME}")
    region: str | None = Field(default=None, description="region of the S3 service")
    memory_limit_mb: int = Field(default=1024, ge=256, description="memory of the engine that reads")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "ducklake" and (self.host is None) == (self.file is None):
            raise ValueError("a ducklake has its catalogue on a host or in a file: give one of them")
        if self.host is not None and not (self.database and self.user and self.password_env):
            raise ValueError("host needs database, user and password_env")
        if self.kind == "delta" and self.url is None:
            raise ValueError("delta needs url, the folder of the tables")
        if self.kind == "iceberg" and self.file is None and self.url is None:
            raise ValueError("iceberg needs file, its catalogue, or url, the folder of the tables")
        if self.kind != "ducklake" and self.host is not None:
            raise ValueError(f"{self.kind} has no catalogue on a host")
        return self


class LakeFilter(Options):
    """A condition that rows must meet; it is sent to the lake."""

    column: str = Field(description="column of the table")
    op: Literal["=", "!=", "<", "<=", ">", ">="] = Field(default="=", description="how it compares")
    value: Value = Field(description="with which value")


class LakeDataset(Options):
    """What of the lake makes the dataset."""

    table: str = Field(
        min_length=1, description="schema.table; for delta a folder below url; for iceberg namespace.table, a folder or a metadata file"
    )
    where: tuple[LakeFilter, ...] = Field(default=(), description="conditions that all must hold; rows without a value meet none")
    mode: Literal["changes", "snapshot"] | None = Field(
        default=None, description="changes: only what changed since the last load (ducklake with a primary key); else the whole, compared"
    )

    def digest(self, columns: tuple[Column, ...]) -> str:
        """Return what decides which rows come out of one version of the table."""
        promised = [(c.name, c.logical_type, c.physical_type, c.source_name) for c in columns]
        conditions = [(one.column, one.op, one.value) for one in self.where]
        return hashlib.sha256(repr((self.table, conditions, promised)).encode()).hexdigest()[:16]


def text_of(value: Any) -> str:
    """Return a value that may come from the environment."""
    return str(value.value() if isinstance(value, FromEnvironment) else value)

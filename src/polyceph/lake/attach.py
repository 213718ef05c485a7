"""Attaching a lake to a DuckDB connection: secrets as parameters, never a password in a path; nothing is read or written here."""

from __future__ import annotations

from urllib.parse import quote as url_quote
from urllib.parse import quote_plus

import duckdb
from pydantic import SecretStr

from polyceph.core.model.commit import LakeCommit
from polyceph.errors import Misconfigured, Unavailable
from polyceph.lake.engine import literal, quote
from polyceph.lake.stamp import session_option
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress


def attach_lake(connection: duckdb.DuckDBPyConnection, lake: LakeAddress, *, read_only: bool, commit: LakeCommit | None = None) -> None:
    """Attach a lake under its domain's name; with `commit` every snapshot of this connection carries that stamp.

    The data path of the address wins over the one the catalogue remembers: files are kept by relative paths, so a lake may move.

    Raises:
        Unavailable: the catalogue does not answer, or refuses this role.
    """
    secret = f"catalogue_{lake.domain}"
    create_postgres_secret(connection, secret, lake.catalogue)
    create_storage_secret(connection, lake)
    options = f"METADATA_SCHEMA {literal(lake.metadata_schema)}, META_SECRET {literal(secret)}, CREATE_IF_NOT_EXISTS false, "
    options += f"DATA_PATH {literal(folder_path(lake))}, OVERRIDE_DATA_PATH true"
    path = "ducklake:postgres:" + (_connection_options(commit) if commit else "")
    try:
        connection.execute(f"ATTACH {literal(path)} AS {quote(lake.domain)} ({options}{', READ_ONLY' if read_only else ''})")
    except duckdb.Error as error:
        raise Unavailable(
            f"the lake of {lake.domain} cannot be attached from {lake.catalogue.shown()}: {without_secret(error, lake.catalogue)}",
            hint="is PostgreSQL up and the lake provisioned for this role? (polyceph up)",
        ) from None  # the driver's own text may hold the connection string


def create_postgres_secret(connection: duckdb.DuckDBPyConnection, name: str, address: PostgresAddress) -> None:
    """Give DuckDB a PostgreSQL address under a name, in memory only."""
    values = [address.host, address.port, address.database, address.user, address.password.get_secret_value()]
    connection.execute(
        f"CREATE OR REPLACE SECRET {quote(name)} (TYPE postgres, HOST ?, PORT ?, DATABASE ?, USER ?, PASSWORD ?)",
        values,
    )


def create_storage_secret(connection: duckdb.DuckDBPyConnection, lake: LakeAddress) -> None:
    """Give DuckDB the keys of the bucket or container that holds the lake's files, for that path only."""
    storage, name = lake.storage, quote(f"storage_{lake.domain}")
    if lake.data_path.startswith("s3://"):
        values: list[object] = [_shown(storage.key_id), _shown(storage.secret), storage.region, storage.url_style, storage.use_ssl]
        extra = ""
        if storage.endpoint:
            extra, values = ", ENDPOINT ?", [*values, storage.endpoint.split("://")[-1]]
        connection.execute(
            f"CREATE OR REPLACE SECRET {name} (TYPE s3, KEY_ID ?, SECRET ?, REGION ?, URL_STYLE ?, USE_SSL ?{extra}, SCOPE ?)",
            [*values, lake.data_path],
        )
    elif lake.data_path.startswith(("az://", "abfss://", "azure://")):
        connection.execute(
            f"CREATE OR REPLACE SECRET {name} (TYPE azure, CONNECTION_STRING ?, SCOPE ?)",
            [_required(storage, "azure_connection_string"), lake.data_path],
        )


def folder_path(lake: LakeAddress) -> str:
    """Return the lake's data path with the closing slash DuckLake wants."""
    return lake.data_path.rstrip("/") + "/"


def without_secret(error: duckdb.Error, address: PostgresAddress) -> str:
    """Return the first line of a driver's error without the password, however the driver quoted it."""
    text, word = str(error), address.password.get_secret_value()
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    for form in sorted({word, word.replace("'", "''"), escaped, quote_plus(word), url_quote(word, safe="")} - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    return (text.strip().splitlines() or [type(error).__name__])[0][:300]


def _required(storage: ObjectStorage, field: str) -> str:
    value: SecretStr | None = getattr(storage, field)
    if value is None:
        raise Misconfigured(f"the lake's storage has no {field}", hint=f"set POLYCEPH_STORAGE__{field.upper()}")
    return value.get_secret_value()


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _connection_options(commit: LakeCommit) -> str:
    # libpq: inside '…' a quote and a backslash are escaped by a backslash.
    return "options='" + session_option(commit).replace("\\", "\\\\").replace("'", "\\'") + "'"

"""The one factory of DuckDB connections and the one quoting of identifiers and literals; what is attached stands in `attach`."""

from __future__ import annotations

import importlib.util
import secrets
from pathlib import Path

import duckdb

from polyceph.core.model.phonex import phonex_macro
from polyceph.errors import Misconfigured

REQUIRED = ("ducklake", "postgres_scanner")
OPTIONAL = ("httpfs", "azure", "mysql_scanner")


def quote(identifier: str) -> str:
    """Return an identifier quoted for DuckDB and PostgreSQL."""
    if "\x00" in identifier:
        raise Misconfigured("an identifier holds a zero byte")
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text literal for the few DuckDB statements that take no parameters (ATTACH, SET, COPY ... TO)."""
    return "'" + text.replace("'", "''") + "'"


def install_extensions(folder: Path) -> Path:
    """Link the extensions of the installed wheels below `folder` in the layout DuckDB looks for, and return `folder`.

    Nothing is downloaded: a pinned wheel holds the official signed binary. Safe to call from several processes and threads at once.

    Raises:
        Misconfigured: a required wheel is not installed, or not for this version of DuckDB.
    """
    target = folder / f"v{duckdb.__version__}" / _platform()
    target.mkdir(parents=True, exist_ok=True)
    for name in (*REQUIRED, *OPTIONAL):
        binary = _binary(name)
        if binary is not None:
            _link(target / binary.name, binary)
        elif name in REQUIRED:
            wheel = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
            raise Misconfigured(f"DuckDB's extension {name} is not installed", hint=f"install {wheel}")
    return folder


def open_engine(*, extensions: Path, memory_mb: int = 1024, threads: int = 2, temporary: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection in memory that speaks DuckLake and PostgreSQL, in UTC, within its limits, without downloads.

    `extensions` is what `install_extensions` returned; `temporary` is where it may spill.
    """
    connection = duckdb.connect(config=configuration(extensions=extensions, memory_mb=memory_mb, threads=threads, temporary=temporary))
    try:
        prepare(connection)
    except Misconfigured:
        connection.close()
        raise
    return connection


def configuration(
    *, extensions: Path, memory_mb: int = 1024, threads: int = 2, temporary: Path | None = None
) -> dict[str, str | bool | int | float | list[str]]:
    """Return what DuckDB must be started with; for programs that open it themselves, such as dbt."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "extension_directory": str(extensions),
        "autoinstall_known_extensions": "false",
        "memory_limit": f"{memory_mb}MiB",
        "threads": str(threads),
        # A secret on disk would outlive the process.
        "allow_persistent_secrets": "false",
    }
    if temporary is not None:
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is spilled are rows
        config["temp_directory"] = str(temporary)
    return config


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extensions into a connection started with `configuration`, and set what cannot be set before.

    Raises:
        Misconfigured: an extension does not load.
    """
    try:
        for name in REQUIRED:
            connection.load_extension(name)
    except duckdb.Error as error:
        raise Misconfigured(f"DuckDB's extensions do not load: {type(error).__name__}", hint="install the environment again") from error
    connection.execute("SET TimeZone = 'UTC'")
    # With the default of 10, three of 400 commits of eight writers fail; with 100 none did.
    connection.execute("SET ducklake_max_retry_count = 100")
    connection.execute(phonex_macro())


def _platform() -> str:
    connection = duckdb.connect()
    try:
        row = connection.execute("PRAGMA platform").fetchone()
    finally:
        connection.close()
    assert row is not None  # noqa: S101 -- the pragma always answers with one row
    return str(row[0])


def _binary(name: str) -> Path | None:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"))
    return found[0] if found else None


def _link(link: Path, binary: Path) -> None:
    if link.is_symlink() and link.readlink() == binary:
        return
    # A name of its own for each attempt: threads of one process meet here as well as processes.
    fresh = link.with_name(f".{link.name}.{secrets.token_hex(8)}")
    fresh.symlink_to(binary)
    fresh.replace(link)

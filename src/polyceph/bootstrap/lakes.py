"""Lakes and outputs for the process of a domain. Loads DuckDB and Arrow: import it where something runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from polyceph.bootstrap.declared import lake_address
from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import NotFound, Problem
from polyceph.lake.attach import attach_lake
from polyceph.lake.conformity import broken_promises
from polyceph.lake.engine import configuration, install_extensions, prepare, quote
from polyceph.lake.files import to_file
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.maintenance import Keep, MaintenanceReport, maintain
from polyceph.lake.outputs import OutputReport, to_postgres
from polyceph.lake.stamp import stamp_environment
from polyceph.settings import Databases, LakeAddress, Settings

__all__ = ["OutputReport", "stamp_environment"]


def open_lake(runtime: DomainRuntime) -> DomainLake:
    """Return the domain's lake with those it consumes from beside it."""
    catalogue = runtime.process.address("")
    others = sorted({dataset.domain for dataset in runtime.domain.consumes})
    addresses = [lake_address(runtime.settings, runtime.federation, name, catalogue) for name in (runtime.domain.name, *others)]
    return limited_lake(runtime.settings, addresses[0], others=addresses[1:], spills_to=runtime.domain.name)


def limited_lake(settings: Settings, own: LakeAddress, *, others: list[LakeAddress], spills_to: str) -> DomainLake:
    """Return a lake within the limits of the settings; what memory does not hold spills to a folder named `spills_to`."""
    temporary = settings.state() / "temporary" / spills_to
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    limits = EngineLimits(memory_mb=settings.limits.duckdb_memory_mb, threads=settings.limits.duckdb_threads, temporary=temporary)
    return DomainLake(own, extensions=install_extensions(settings.state() / "extensions"), others=others, limits=limits)


def engine_configuration(runtime: DomainRuntime) -> dict[str, Any]:
    """Return what a DuckDB that is opened by somebody else (dbt) must be started with."""
    limits = runtime.settings.limits
    extensions = install_extensions(runtime.state / "extensions")
    return configuration(extensions=extensions, memory_mb=limits.duckdb_memory_mb, threads=limits.duckdb_threads)


def attach_lakes(runtime: DomainRuntime, connection: duckdb.DuckDBPyConnection) -> None:
    """Attach the own lake, and read-only those consumed from, to a DuckDB opened by somebody else.

    Its commits carry the stamp that the environment of the process holds (`stamp_environment`).
    """
    prepare(connection)
    attach_lake(connection, runtime.lake.own, read_only=False)
    for lake in runtime.lake.others:
        attach_lake(connection, lake, read_only=True)


def exists(runtime: DomainRuntime, dataset: DatasetId) -> bool:
    """Tell whether a dataset is in the lake yet."""
    try:
        runtime.lake.facts(dataset)
    except NotFound:
        return False
    return True


def serve_table(runtime: DomainRuntime, dataset: DatasetId, table: str, commit: LakeCommit) -> OutputReport:
    """Serve a dataset as a table of the domain's schema in the output database, described by the output's contract."""
    target = runtime.process.address(Databases().output)
    contract = runtime.domain.contracts.get(DatasetId(runtime.domain.name, Zone.OUTPUT, table))
    return to_postgres(runtime.lake, dataset, target, schema=runtime.domain.name, table=table, commit=commit, contract=contract)


def serve_file(runtime: DomainRuntime, dataset: DatasetId, name: str, commit: LakeCommit) -> OutputReport:
    """Serve a dataset as a file in the domain's outputs folder; the format is the name's extension."""
    path = runtime.state / "outputs" / runtime.domain.name / name
    return to_file(runtime.lake, dataset, path, file_format=path.suffix.removeprefix("."), commit=commit)


def replace_together(runtime: DomainRuntime, files: Mapping[DatasetId, Path], commit: LakeCommit) -> None:
    """Replace the content of several datasets by Parquet files, in one commit: all become visible or none."""
    with runtime.lake.writing(list(files)), runtime.lake.connection(commit) as connection:
        connection.execute("BEGIN")
        for dataset, path in files.items():
            names = ".".join(quote(part) for part in (dataset.domain, str(dataset.zone), dataset.name))
            connection.execute(f"CREATE OR REPLACE TABLE {names} AS SELECT * FROM read_parquet(?)", [str(path)])  # noqa: S608  quoted
        connection.execute("COMMIT")


def contract_problems(runtime: DomainRuntime, table: DatasetId, contract: Contract) -> list[Problem]:
    """Return what a table of the domain's lake does not keep of a contract."""
    with runtime.lake.connection() as connection:
        return broken_promises(connection, table, contract)


def maintain_lake(runtime: DomainRuntime, commit: LakeCommit) -> MaintenanceReport:
    """Clean up after killed loads once their files are older than the grace time, and merge small files."""
    return maintain(runtime.lake, commit, keep=Keep(grace_hours=runtime.settings.limits.orphan_grace_hours))

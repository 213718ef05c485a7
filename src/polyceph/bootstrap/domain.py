"""A domain's own process, ready to work: its declarations, its lake, its connectors. Holds nothing of the platform's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from polyceph import plugins
from polyceph.bootstrap.declared import OUTPUT_DATABASE, domain_declarations, lake_address, lake_limits
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.core.ports import Connector
from polyceph.errors import NotFound
from polyceph.lake.attach import attach_lake
from polyceph.lake.engine import configuration, install_extensions, prepare, quote
from polyceph.lake.lake import DomainLake
from polyceph.lake.outputs import OutputReport, to_file, to_postgres
from polyceph.lake.stamp import stamp_environment
from polyceph.settings import DomainProcess, PostgresAddress, Settings


@dataclass(frozen=True)
class DomainRuntime:
    """All that a domain's own process works with: its declarations, its lake, its way to the output database."""

    federation: Federation
    domain: Domain
    process: DomainProcess
    settings: Settings
    lake: DomainLake

    @property
    def folder(self) -> Path:
        """Return the domain's folder."""
        return self.settings.federation.resolve() / self.domain.folder

    @property
    def state(self) -> Path:
        """Return the platform's state folder on this machine."""
        return self.settings.state()

    def engine_configuration(self) -> dict[str, Any]:
        """Return what a DuckDB that is opened by somebody else (dbt) must be started with."""
        limits = self.settings.limits
        extensions = install_extensions(self.state / "extensions")
        return configuration(extensions=extensions, memory_mb=limits.duckdb_memory_mb, threads=limits.duckdb_threads)

    def attach_lakes(self, connection: Any) -> None:
        """Attach the own lake, and read-only those consumed from, to a DuckDB opened by somebody else.

        Its commits carry the stamp that the environment of the process holds (`stamp_environment`).
        """
        prepare(connection)
        attach_lake(connection, self.lake.own, read_only=False)
        for lake in self.lake.others:
            attach_lake(connection, lake, read_only=True)

    def stamp_environment(self, commit: LakeCommit) -> dict[str, str]:
        """Return the variables by which every lake commit of a child process carries this stamp."""
        return stamp_environment(commit)

    def export(self, dataset: DatasetId, path: Path) -> None:
        """Write a dataset as one Parquet file, for a program that gets no credentials."""
        names = ".".join(quote(part) for part in (dataset.domain, str(dataset.zone), dataset.name))
        with self.lake.stream(f"SELECT * FROM {names}") as rows, pq.ParquetWriter(path, rows.schema) as file:  # noqa: S608  quoted
            for batch in rows:
                file.write_batch(batch)

    def parquet(self, path: Path) -> pa.RecordBatchReader:
        """Return the rows of a Parquet file, batch by batch."""
        return pads.dataset(path, format="parquet").scanner().to_reader()

    def exists(self, dataset: DatasetId) -> bool:
        """Tell whether a dataset is in the lake yet."""
        try:
            self.lake.facts(dataset)
        except NotFound:
            return False
        return True

    def serve_table(self, dataset: DatasetId, table: str, commit: LakeCommit) -> OutputReport:
        """Serve a dataset as a table of the domain's schema in the output database."""
        target = self.process.address(OUTPUT_DATABASE)
        return to_postgres(self.lake, dataset, target, schema=self.domain.name, table=table, commit=commit)

    def serve_file(self, dataset: DatasetId, name: str, commit: LakeCommit) -> OutputReport:
        """Serve a dataset as a file in the domain's outputs folder; the format is the name's extension."""
        path = self.state / "outputs" / self.domain.name / name
        return to_file(self.lake, dataset, path, format=path.suffix.removeprefix("."), commit=commit)

    def output_query(self, sql: str, parameters: list[object]) -> pa.Table:
        """Return the rows of a query on the output database, read as the domain's role."""
        import polars as pl  # loading polars costs 0.2 s and few runs need it
        import psycopg

        address = self.process.address(OUTPUT_DATABASE)
        with psycopg.connect(**connection_arguments(address), options=f"-c search_path={self.domain.name}") as connection:
            return pl.read_database(sql, connection, execute_options={"params": parameters} if parameters else None).to_arrow()


def connection_arguments(address: PostgresAddress) -> dict[str, Any]:
    """Return psycopg's arguments for an address; the password goes to the driver and nowhere else."""
    return {
        "host": address.host,
        "port": address.port,
        "dbname": address.database,
        "user": address.user,
        "password": address.password.get_secret_value(),
    }


def connector_of(runtime: DomainRuntime, source: str) -> Connector:
    """Return a connector for a source of the domain, built from its declared options."""
    if source not in runtime.domain.sources:
        raise NotFound(
            f"source {source!r} of {runtime.domain.name} is not declared",
            hint=f"declare it in {runtime.domain.folder}/domain.yaml; declared are {', '.join(sorted(runtime.domain.sources))}",
        )
    declared = runtime.domain.sources[source]
    found = plugins.load(plugins.CONNECTORS, declared.connector)
    connector: Connector = found(found.source_options(**declared.options), base=runtime.folder)
    return connector


@cache
def current_domain() -> DomainRuntime:
    """Return the runtime of the domain whose process this is, as its environment says.

    One process belongs to one domain: Dagster builds components from YAML alone, so they find it here.
    """
    settings = Settings()
    return domain_runtime(settings, DomainProcess())  # values come from the environment


def domain_runtime(settings: Settings, process: DomainProcess) -> DomainRuntime:
    """Return the runtime of a domain; reads its own declarations and as much of the others' as it consumes.

    Raises:
        Invalid: the declarations of this domain or of the federation are wrong; those of other domains do not matter here.
    """
    federation = domain_declarations(settings, process.name)
    domain = federation.domains[process.name]
    catalogue = process.address("")
    others = sorted({dataset.domain for dataset in domain.consumes})
    lake = DomainLake(
        lake_address(settings, federation, domain.name, catalogue),
        others=[lake_address(settings, federation, name, catalogue) for name in others],
        **lake_limits(settings),
    )
    return DomainRuntime(federation, domain, process, settings, lake)

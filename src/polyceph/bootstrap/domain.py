"""A domain's own process, ready to work: its declarations, its lake, its connectors. Holds nothing of the platform's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph import plugins
from polyceph.bootstrap.declared import OUTPUT_DATABASE, domain_declarations, lake_address, lake_limits
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.core.ports import Connector
from polyceph.errors import NotFound
from polyceph.lake.lake import DomainLake
from polyceph.lake.outputs import OutputReport, to_file, to_postgres
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
    return domain_runtime(settings, DomainProcess())  # type: ignore[call-arg]  # values come from the environment


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

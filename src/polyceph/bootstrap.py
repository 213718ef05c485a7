"""The only place that wires adapters to ports: a checked federation, a domain's own process, the platform's services."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph import plugins
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.core.ports import Connector
from polyceph.errors import Misconfigured, NotFound
from polyceph.lake.lake import DomainLake
from polyceph.lake.outputs import OutputReport, to_file, to_postgres
from polyceph.sdk import Options
from polyceph.settings import DomainProcess, LakeAddress, PostgresAddress, Settings

LAKE_DATABASE = "polyceph_lake"
OUTPUT_DATABASE = "polyceph_output"


class SystemClock:
    """The one source of time in production."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)


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


def connector_options() -> dict[str, tuple[type[Options], type[Options]]]:
    """Return the option models (of a source, of a dataset) of every connector that is installed."""
    classes = {name: plugins.load(plugins.CONNECTORS, name) for name in plugins.names(plugins.CONNECTORS)}
    return {name: (one.source_options, one.dataset_options) for name, one in classes.items()}


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


def lake_address(settings: Settings, federation: Federation, domain: str, catalogue: PostgresAddress) -> LakeAddress:
    """Return where the lake of a domain is, entered as the role in `catalogue`."""
    if settings.environment not in federation.environments:
        raise Misconfigured(
            f"environment {settings.environment!r} is not declared",
            hint=f"set POLYCEPH_ENVIRONMENT to one of {', '.join(sorted(federation.environments))}",
        )
    root = federation.environments[settings.environment].storage
    if "://" not in root:
        root = str((settings.federation.resolve() / root).resolve())
    return LakeAddress(
        domain=domain,
        catalogue=catalogue.at(LAKE_DATABASE),
        metadata_schema=f"lake_{domain}",
        data_path=f"{root.rstrip('/')}/{domain}/",
        storage=settings.storage,
    )


def today(environment: Mapping[str, str] = os.environ) -> date:
    """Return the federation's day: POLYCEPH_TODAY (YYYY-MM-DD) when time is played, otherwise the clock's."""
    played = environment.get("POLYCEPH_TODAY")
    return date.fromisoformat(played) if played else SystemClock().now().date()


@cache
def current_domain() -> DomainRuntime:
    """Return the runtime of the domain whose process this is, as its environment says.

    One process belongs to one domain: Dagster builds components from YAML alone, so they find it here.
    """
    settings = Settings()
    return domain_runtime(settings, DomainProcess())  # type: ignore[call-arg]  # values come from the environment

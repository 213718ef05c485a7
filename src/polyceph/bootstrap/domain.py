"""A domain's own process: who it is and what it declares. Light: DuckDB, Arrow and connectors are loaded by what runs, see `lakes`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from polyceph import plugins
from polyceph.bootstrap.declared import domain_declarations
from polyceph.core.model.domain import Domain, Source
from polyceph.core.model.federation import Federation
from polyceph.core.source_ports import Connector
from polyceph.errors import NotFound
from polyceph.settings import DomainProcess, Settings, load_settings

if TYPE_CHECKING:
    from polyceph.lake.lake import DomainLake


@dataclass(frozen=True)
class DomainRuntime:
    """All that a domain's own process works with: its declarations, its role, its lake. Nothing of the platform's own."""

    federation: Federation
    domain: Domain
    process: DomainProcess
    settings: Settings

    @property
    def folder(self) -> Path:
        """Return the domain's folder."""
        return self.settings.federation.resolve() / self.domain.folder

    @property
    def state(self) -> Path:
        """Return the platform's state folder on this machine."""
        return self.settings.state()

    @cached_property
    def lake(self) -> DomainLake:
        """Return the domain's lake; opened at first use."""
        from polyceph.bootstrap.lakes import open_lake  # DuckDB and Arrow: 100 MB that only a run needs

        return open_lake(self)


def source_of(runtime: DomainRuntime, source: str) -> Source:
    """Return a declared source of the domain; raise `NotFound` with those that are declared."""
    if source not in runtime.domain.sources:
        raise NotFound(
            f"source {source!r} of {runtime.domain.name} is not declared",
            hint=f"declare it in {runtime.domain.folder}/domain.yaml; declared are {', '.join(sorted(runtime.domain.sources))}",
        )
    return runtime.domain.sources[source]


def connector_of(runtime: DomainRuntime, source: str) -> Connector:
    """Return a connector for a source of the domain, built from its declared options."""
    declared = source_of(runtime, source)
    found = plugins.load(plugins.CONNECTORS, declared.connector)
    connector: Connector = found(found.source_options(**declared.options), base=runtime.folder)
    return connector


@cache
def current_domain() -> DomainRuntime:
    """Return the runtime of the domain whose process this is, as its environment says.

    One process belongs to one domain: Dagster builds components from YAML alone, so they find it here.
    """
    return domain_runtime(load_settings(), DomainProcess())


def domain_runtime(settings: Settings, process: DomainProcess) -> DomainRuntime:
    """Return the runtime of a domain, from its own declarations and those of the federation.

    Raises:
        Invalid: they are wrong; mistakes of other domains do not matter here.
    """
    # The platform never believes a cache that a domain's code can write: it says what contracts hold.
    federation = domain_declarations(settings, process.name, cache=settings.state() / "cache" / "domains" / process.name)
    return DomainRuntime(federation, federation.domains[process.name], process, settings)

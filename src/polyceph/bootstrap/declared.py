"""What is declared, checked: the whole federation for the platform, one domain's part for its own process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from polyceph import plugins
from polyceph.core.model.federation import Federation
from polyceph.errors import Misconfigured
from polyceph.lake.engine import install_extensions
from polyceph.sdk import Options
from polyceph.settings import LakeAddress, PostgresAddress, Settings

LAKE_DATABASE = "polyceph_lake"
OUTPUT_DATABASE = "polyceph_output"


class SystemClock:
    """The one source of time in production."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)


def today(environment: Mapping[str, str] = os.environ) -> date:
    """Return the federation's day: POLYCEPH_TODAY (YYYY-MM-DD) when time is played, otherwise the clock's."""
    played = environment.get("POLYCEPH_TODAY")
    return date.fromisoformat(played) if played else SystemClock().now().date()


def connector_options() -> dict[str, tuple[type[Options], type[Options]]]:
    """Return the option models (of a source, of a dataset) of every connector that is installed."""
    classes = {name: plugins.load(plugins.CONNECTORS, name) for name in plugins.names(plugins.CONNECTORS)}
    return {name: (one.source_options, one.dataset_options) for name, one in classes.items()}


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


def lake_limits(settings: Settings) -> dict[str, Any]:
    """Return what every lake of this process is opened with: extensions, memory, threads."""
    return {
        "extensions": install_extensions(settings.state() / "extensions"),
        "memory_mb": settings.limits.duckdb_memory_mb,
        "threads": settings.limits.duckdb_threads,
    }

"""dbt-duckdb's plugin of polyceph: dbt reads and writes the lakes through the platform's one connection factory.

Loaded inside the dbt process by the generated profile, so that neither profile nor log ever holds a secret.
"""

from __future__ import annotations

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from polyceph.bootstrap import lakes
from polyceph.bootstrap.domain import current_domain


class Plugin(BasePlugin):
    """Attaches the domain's lake, and read-only those it consumes, to dbt's DuckDB."""

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:  # noqa: ARG002  dbt's signature
        """Add the configuration without which no extension loads offline."""
        config.update(lakes.engine_configuration(current_domain()))

    def configure_connection(self, conn: Any) -> None:
        """Attach the lakes."""
        lakes.attach_lakes(current_domain(), conn)

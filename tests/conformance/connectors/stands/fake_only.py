"""The stands of connectors whose servers are nowhere to be had: what can be shown without one, and the reason for all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from stands.behaviours import FAKE, Behaviour
from stands.proxy import HOST
from stands.sql_text import NO_DELIMITER
from stands.stand import Stand, Table, set_secret

_SHOWN = (Behaviour.UNREACHABLE,)


class _DriverOnly(Stand):
    """A database that is not there; tests/unit/connectors/sql asks its driver's fake."""

    not_applicable: ClassVar[Mapping[Behaviour, str]] = {Behaviour.RESHAPED: NO_DELIMITER}
    unproven: ClassVar[Mapping[Behaviour, str]] = {b: FAKE for b in Behaviour if b not in (*_SHOWN, Behaviour.RESHAPED)}

    def start(self) -> Self:
        set_secret("CONFORMANCE_NOWHERE", "a-pass-word-of-nobody")
        return self

    def publish(self, table: Table) -> None:
        """Publish nothing: there is no server."""

    def remove(self, name: str) -> None:
        """Remove nothing: there is no server."""

    def source(self, **changes: object) -> dict[str, object]:
        given: dict[str, object] = {"host": HOST, "port": 1, "database": "stand", "user": "reader"}
        return {**given, "password_env": "CONFORMANCE_NOWHERE", "connect_timeout_s": 2, **changes}

    def dataset(self, table: Table) -> dict[str, object]:
        return {"table": f"stand.{table.name}"}

    def at_port(self, port: int) -> dict[str, object]:
        return self.source(port=port)


class MsSqlStand(_DriverOnly):
    """SQL Server."""

    connector: ClassVar[str] = "mssql"
    server: ClassVar[str] = "none: no SQL Server was available"


class OracleStand(_DriverOnly):
    """Oracle."""

    connector: ClassVar[str] = "oracle"
    server: ClassVar[str] = "none: no Oracle server was available"


class Db2Stand(_DriverOnly):
    """Db2."""

    connector: ClassVar[str] = "db2"
    server: ClassVar[str] = "none: no Db2 server was available"

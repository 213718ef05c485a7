"""How the platform's own processes reach code servers: with each server's key, which is looked up by its socket and kept nowhere.

Dagster would send keys too if they stood in the workspace as `additional_metadata`, but then it would write them into the origin of
every run, in a database that all domains read, and show them on its pages. Here an origin is serialised as Dagster's own, key-less.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core import remote_origin
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.remote_origin import CodeLocationOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._grpc.client import DagsterGrpcClient

from polyceph.errors import Misconfigured
from polyceph.orchestrate.code_keys import HEADER, key_of


class GrpcServerCodeLocationOrigin(remote_origin.GrpcServerCodeLocationOrigin):
    """A code server behind its key. Dagster serialises by the name of the class: this is stored as, and read back as, its own."""

    def create_client(self) -> DagsterGrpcClient:
        """Return a client that sends the key."""
        return DagsterGrpcClient(socket=self.socket, host=self.host, metadata=metadata_for(self.socket))

    def create_location(self, instance: DagsterInstance) -> GrpcServerCodeLocation:
        """Return the location, as its server describes it."""
        return GrpcServerCodeLocation(self, instance=instance, grpc_metadata=metadata_for(self.socket))

    def reload_location(self, instance: DagsterInstance) -> GrpcServerCodeLocation:
        """Return the location described anew; a code server loads its code again by a restart only, as with Dagster's own server."""
        return self.create_location(instance)


class KeyedWorkspace(WorkspaceLoadTarget):
    """The code servers that a workspace file names, each behind its key."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def create_origins(self) -> Sequence[CodeLocationOrigin]:
        """Return where the code servers are, as the file says now."""
        found = location_origins_from_yaml_paths([str(self._file)])
        return [_keyed(one) for one in found]


class KeyedRunLauncher(DefaultRunLauncher):
    """Launches and ends runs at code servers behind their keys."""

    def _get_grpc_client_for_termination(self, run_id: str) -> DagsterGrpcClient | None:
        # The address comes from a tag of the run, which a domain may have written: its own key is all that such an address gets.
        found = super()._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]
        if found is None:
            return None
        return DagsterGrpcClient(socket=found.socket, host=found.host, metadata=metadata_for(found.socket))


def metadata_for(socket: str | None) -> list[tuple[str, str]]:
    """Return what a call to the code server at a socket carries."""
    key = key_of(Path(socket)) if socket else None
    return [(HEADER, key)] if key else []


def _keyed(origin: CodeLocationOrigin) -> CodeLocationOrigin:
    if not isinstance(origin, remote_origin.GrpcServerCodeLocationOrigin) or origin.socket is None:
        raise Misconfigured(f"code location {origin.location_name} is not at a socket of this machine", hint="start it with polyceph up")
    given: dict[str, Any] = {"host": origin.host, "socket": origin.socket, "location_name": origin.location_name}
    return GrpcServerCodeLocationOrigin(**given)

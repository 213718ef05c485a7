"""The files from which Dagster starts: its instance on PostgreSQL and the workspace of all code locations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import yaml

from polyceph.errors import Unavailable
from polyceph.settings import PostgresAddress

_CONCURRENT_RUNS = 4
_ARTIFACTS = "POLYCEPH_ARTIFACTS"
ROOT_VARIABLE = "POLYCEPH_COMPUTE_LOGS"
"""Names to each process the folder of the output of runs: a domain's own one below the platform's, or the platform's with them all."""


def write_instance(home: Path) -> None:
    """Write `dagster.yaml` into `home`. It holds no secret: the address comes from the environment of each process."""
    home.mkdir(parents=True, exist_ok=True)
    postgres = {
        "hostname": {"env": "DAGSTER_PG_HOST"},
        "port": {"env": "DAGSTER_PG_PORT"},
        "username": {"env": "DAGSTER_PG_USER"},
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "db_name": {"env": "DAGSTER_PG_DATABASE"},
    }
    config = {
        "storage": {"postgres": {"postgres_db": postgres}},
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"max_concurrent_runs": _CONCURRENT_RUNS, "dequeue_interval_seconds": 1},
        },
        "local_artifact_storage": {
            "module": "dagster.core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": {"env": _ARTIFACTS}},
        },
        "compute_logs": {
            "module": "polyceph.orchestrate.compute_logs",
            "class": "DomainComputeLogs",
            "config": {"base_dir": {"env": ROOT_VARIABLE}},
        },
        "run_launcher": {"module": "polyceph.orchestrate.code_clients", "class": "KeyedRunLauncher"},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def instance_environment(home: Path, address: PostgresAddress, domain: str = "") -> dict[str, str]:
    """Return the variables by which a process finds the instance and its storage: a domain's finds its own folders only."""
    return {
        _ARTIFACTS: str(home / "artifacts" / domain),
        ROOT_VARIABLE: str(home / "logs" / domain),
        "DAGSTER_HOME": str(home),
        "DAGSTER_PG_HOST": address.host,
        "DAGSTER_PG_PORT": str(address.port),
        "DAGSTER_PG_USER": address.user,
        "DAGSTER_PG_PASSWORD": address.password.get_secret_value(),
        "DAGSTER_PG_DATABASE": address.database,
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }


def write_workspace(file: Path, sockets: Mapping[str, Path]) -> None:
    """Write the workspace: one gRPC server on a Unix socket per domain."""
    servers = [{"grpc_server": {"socket": str(path), "location_name": name}} for name, path in sorted(sockets.items())]
    file.write_text(yaml.safe_dump({"load_from": servers}, sort_keys=False))


def code_server_command(python: Path, socket: Path, name: str) -> tuple[str, ...]:
    """Return the command of a domain's code server: answers even when the domain's code does not import."""
    return (
        str(python), "-m", "polyceph.orchestrate.code_server", "--socket", str(socket), "--location", name,
    )  # fmt: skip


def web_command(python: Path, workspace: Path, *, socket: Path) -> tuple[str, ...]:
    """Return the command of the process that serves people, and the platform itself over a socket."""
    return (str(python), "-m", "polyceph.cli.serve", "--workspace", str(workspace), "--socket", str(socket))


def daemon_command(python: Path, workspace: Path) -> tuple[str, ...]:
    """Return the command of the one daemon: schedules, sensors, the run queue."""
    return (str(python), "-m", "polyceph.orchestrate.daemon", "--workspace", str(workspace))


def prepare_storage(home: Path, environment: Mapping[str, str]) -> None:
    """Make or migrate Dagster's tables once per release of Dagster, before several processes would do it at the same time."""
    done, release = home / "storage", version("dagster")
    if done.exists() and done.read_text() == release:
        return
    command = [sys.executable, "-m", "dagster", "instance", "migrate"]
    ended = subprocess.run(command, env=dict(environment), cwd=home, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
        raise Unavailable(f"Dagster's storage cannot be prepared: {' '.join(said)}", hint="is the database polyceph_dagster reachable?")
    done.write_text(release)

"""The one daemon: Dagster's own (schedules, sensors, the run queue), in a process that first takes the lock of its instance.

A second one waits, before it loads Dagster, and takes over when the first ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from polyceph.errors import Misconfigured
from polyceph.orchestrate.daemon_lock import DaemonLock
from polyceph.settings import PostgresAddress

_ADDRESS = ("DAGSTER_PG_HOST", "DAGSTER_PG_PORT", "DAGSTER_PG_USER", "DAGSTER_PG_PASSWORD", "DAGSTER_PG_DATABASE")
_WORKERS = "dagster-daemon-"
"""How Dagster's controller names the threads that work."""


def address_in(environment: Mapping[str, str]) -> PostgresAddress:
    """Return where Dagster's storage is, as `instance.instance_environment` says it.

    Raises:
        Misconfigured: a variable is missing.
    """
    missing = [name for name in _ADDRESS if not environment.get(name)]
    if missing:
        raise Misconfigured(f"{', '.join(missing)} not set", hint="start the daemon with polyceph up")
    host, port, user, password, database = (environment[name] for name in _ADDRESS)
    return PostgresAddress(host=host, port=int(port), user=user, password=SecretStr(password), database=database)


def run(workspace: Path) -> bool:
    """Run Dagster's daemon on the code servers that a workspace file names, until told to stop; tell whether all its work has ended."""
    # Loading Dagster costs 100 MB, which a daemon that waits is not to take.
    from dagster import DagsterInstance
    from dagster._daemon.controller import daemon_controller_from_instance
    from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

    from polyceph.orchestrate.code_clients import KeyedWorkspace

    setup_interrupt_handlers()
    try:
        with (
            capture_interrupts(),
            DagsterInstance.get() as instance,
            daemon_controller_from_instance(instance, KeyedWorkspace(workspace), log_level="warning") as controller,
        ):
            controller.check_daemon_loop()
    except KeyboardInterrupt:
        pass
    return not any(one.name.startswith(_WORKERS) for one in threading.enumerate())


def main(arguments: list[str]) -> None:
    """Take the lock, run, let go of it. SIGTERM while it waits ends it at once."""
    parser = argparse.ArgumentParser(prog="polyceph.orchestrate.daemon", description="Schedules, sensors and the run queue.")
    parser.add_argument("--workspace", type=Path, required=True)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    lock = DaemonLock(address_in(os.environ))
    lock.take()
    if run(asked.workspace):
        lock.release()


if __name__ == "__main__":
    main(sys.argv[1:])

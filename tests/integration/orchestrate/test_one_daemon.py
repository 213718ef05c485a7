"""Two real daemons on one instance: one works, the other waits, takes over when the first ends; no run is executed twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from polyceph.orchestrate import code_keys, instance
from polyceph.orchestrate.daemon_lock import GRACE_S, KEY, LOST
from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres

DEFINITIONS = """
import os
import dagster as dg


@dg.op
def told(context):
    with open(os.environ["TOLD"], "a") as out:
        out.write(f"{context.run_id}\\n")


@dg.job(executor_def=dg.in_process_executor)
def tell():
    told()


@dg.sensor(job=tell, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def often(context):
    number = int(context.cursor or 0)
    context.update_cursor(str(number + 1))
    return dg.RunRequest(run_key=str(number)) if number < 200 else None


defs = dg.Definitions(jobs=[tell], sensors=[often])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[EmbeddedPostgres, PostgresAddress]]:
    """A PostgreSQL server of this module's own: a test kills it."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-daemon-"))
    folder.chmod(0o711)
    postgres = EmbeddedPostgres(folder / "postgres", fsync=False, stop_with_parent=True)
    with postgres as address:
        with psycopg.connect(**address.arguments(), autocommit=True) as session:
            session.execute("CREATE DATABASE dagster_storage")
        yield postgres, address.at("dagster_storage")
    shutil.rmtree(folder, ignore_errors=True)


class Site:
    """An instance with one code location whose sensor asks for a run every two seconds, and daemons to start on it."""

    def __init__(self, folder: Path, address: PostgresAddress) -> None:
        self.folder, self.address, self.told = folder, address, folder / "told"
        self.started: list[subprocess.Popen[bytes]] = []
        home, sockets = folder / "home", folder / "s"
        instance.write_instance(home)
        (folder / "tell_definitions.py").write_text(DEFINITIONS)
        self.environment = {**os.environ, **instance.instance_environment(home, address), "TOLD": str(self.told), "PYTHONPATH": str(folder)}
        instance.prepare_storage(home, self.environment)
        sockets.mkdir()
        code_keys.make_places(sockets, ["tests"])
        socket = code_keys.socket_of(sockets, "tests")
        instance.write_workspace(home / "workspace.yaml", {"tests": socket})
        key = {code_keys.VARIABLE: str(code_keys.key_of(socket))}
        command = (*instance.code_server_command(Path(sys.executable), socket, "tests"), "--module", "tell_definitions")
        self._start(command, folder / "code.log", {**self.environment, **key})
        wait_until(socket.exists, seconds=90)

    def daemon(self, name: str) -> subprocess.Popen[bytes]:
        """Start a daemon whose log is named so."""
        command = instance.daemon_command(Path(sys.executable), self.folder / "home" / "workspace.yaml")
        return self._start(command, self.log(name), self.environment)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def runs(self) -> list[str]:
        return self.told.read_text().split() if self.told.exists() else []

    def more_runs(self, number: int, *, seconds: float = 120) -> None:
        wanted = len(self.runs()) + number
        wait_until(lambda: len(self.runs()) >= wanted, seconds=seconds)

    def _start(self, command: tuple[str, ...], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            self.started.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=self.folder, start_new_session=True))
        return self.started[-1]


@pytest.fixture
def site(server: tuple[EmbeddedPostgres, PostgresAddress]) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-one-"))
    made = Site(folder, server[1])
    yield made
    for process in made.started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the runs it started
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def wait_until(is_so: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def holders(address: PostgresAddress) -> int:
    """Return how many sessions hold the lock; never more than one, for it is exclusive."""
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = %s"
    with psycopg.connect(**address.arguments()) as session:
        row = session.execute(question, [KEY]).fetchone()
    assert row is not None
    return int(row[0])


def test_the_second_waits_and_takes_over_from_a_killed_first_and_no_run_is_executed_twice(site: Site) -> None:
    first = site.daemon("first")
    site.more_runs(2)
    site.daemon("second")
    wait_until(lambda: "this one waits until it ends" in site.log("second").read_text(), seconds=60)
    assert f"process {first.pid} of" in site.log("second").read_text()
    site.more_runs(2)
    assert holders(site.address) == 1
    first.kill()
    first.wait()
    wait_until(lambda: "waiting 9 s until it has surely ended" in site.log("second").read_text(), seconds=30)
    site.more_runs(3)
    assert holders(site.address) == 1
    assert {run: times for run, times in Counter(site.runs()).items() if times > 1} == {}


def test_a_daemon_whose_database_restarts_ends_at_once_and_the_next_begins_only_after_it(
    site: Site, server: tuple[EmbeddedPostgres, PostgresAddress]
) -> None:
    first = site.daemon("first")
    wait_until(lambda: holders(site.address) == 1, seconds=60)
    server[0].stop()
    stopped = time.monotonic()
    assert first.wait(timeout=20) == LOST
    noticed = time.monotonic() - stopped
    server[0].start()
    site.daemon("next")
    wait_until(lambda: "did not let go of its lock" in site.log("next").read_text(), seconds=60)
    site.more_runs(1)
    assert noticed < GRACE_S
    assert {run: times for run, times in Counter(site.runs()).items() if times > 1} == {}


def test_a_daemon_whose_session_is_ended_by_the_server_ends_at_once(site: Site) -> None:
    first = site.daemon("first")
    wait_until(lambda: holders(site.address) == 1, seconds=60)
    with psycopg.connect(**site.address.arguments(), autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'polyceph daemon'")
    began = time.monotonic()
    assert first.wait(timeout=20) == LOST
    assert time.monotonic() - began < GRACE_S


def test_a_daemon_that_is_told_to_stop_lets_go_so_that_the_next_need_not_wait(site: Site) -> None:
    first = site.daemon("first")
    site.more_runs(1)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 0
    site.daemon("next")
    site.more_runs(1)
    assert "surely ended" not in site.log("next").read_text()

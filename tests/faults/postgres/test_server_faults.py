"""The embedded server when it or its parent is killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from polyceph.errors import Misconfigured
from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    made.chmod(0o711)
    yield made / "postgres"
    EmbeddedPostgres(made / "postgres").stop()
    shutil.rmtree(made)


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def execute(address: PostgresAddress, statement: str) -> None:
    with psycopg.connect(address.url(), autocommit=True) as connection:
        connection.execute(statement.encode())


def counted(address: PostgresAddress, table: str) -> int:
    with psycopg.connect(address.url()) as connection:
        row = connection.execute(b"SELECT count(*) FROM " + table.encode()).fetchone()
    assert row
    return int(row[0])


def is_gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_nothing_committed_is_lost_when_the_server_is_killed_again_and_again(folder: Path) -> None:
    server = EmbeddedPostgres(folder, fsync=False)
    execute(server.start(), "CREATE TABLE kept (n int)")
    for round_ in range(3):
        address = server.start()
        execute(address, "INSERT INTO kept SELECT n FROM generate_series(1, 1000) AS n")
        os.kill(postmaster(folder), signal.SIGKILL)
        # At once: its sessions may still hold the shared memory.
        assert counted(EmbeddedPostgres(folder, fsync=False).start(), "kept") == 1000 * (round_ + 1)


def test_a_start_ends_the_busy_session_of_a_killed_server(folder: Path) -> None:
    address = EmbeddedPostgres(folder, fsync=False).start()
    busy = "DO $$ BEGIN PERFORM sum(a.n * b.n) FROM generate_series(1, 100000) a(n), generate_series(1, 100000) b(n); END $$"
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(lambda: suppressed(lambda: execute(address, busy)))
        deadline = time.monotonic() + 10
        while not is_busy(address) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(postmaster(folder), signal.SIGKILL)

        assert counted(EmbeddedPostgres(folder, fsync=False).start(), "pg_class") > 0
        session.result(timeout=10)


def suppressed(act: Callable[[], None]) -> None:
    with suppress(psycopg.Error):
        act()


def is_busy(address: PostgresAddress) -> bool:
    return counted(address, "pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'") > 0


def test_a_stale_lock_file_whose_number_belongs_to_somebody_else_does_not_stop_a_start(folder: Path) -> None:
    server = EmbeddedPostgres(folder, fsync=False)
    with server as address:
        execute(address, "CREATE TABLE kept (n int)")
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    account = (folder / "data").stat().st_uid
    sleeper = subprocess.Popen(["/bin/sleep", "60"], **({"user": account} if os.geteuid() == 0 else {}))
    try:
        (folder / "data" / "postmaster.pid").write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
        assert not server.is_running()
        with server as address:
            assert counted(address, "kept") == 0
        assert sleeper.poll() is None, "a process that is not the server's must be left alone"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_interrupted_initdb_is_begun_anew(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert counted(address, "pg_database") == 3


def test_starts_at_the_same_moment_make_one_server(folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(lambda _: EmbeddedPostgres(folder, fsync=False).start(), range(4)))
    assert len(set(addresses)) == 1
    mine = [p for p in psutil.process_iter(["cmdline"]) if str(folder / "data") in (p.info["cmdline"] or [])]
    assert len(mine) == 1


PARENT = """
import sys, time
from pathlib import Path
from polyceph.store.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1]), fsync=False, stop_with_parent=sys.argv[2] == "yes").start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("asked", ["yes", "no"])
def test_a_server_ends_with_its_killed_parent_only_when_asked(folder: Path, asked: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder), asked], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stdout.readline() == "ready\n"
    server = postmaster(folder)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert is_gone_within(server, 10.0 if asked == "yes" else 1.0) is (asked == "yes")
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert counted(address, "pg_database") == 3


@needs_root
def test_an_ordinary_account_runs_its_own_server(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def live() -> None:
        with EmbeddedPostgres(folder / "own", fsync=False) as address:
            execute(address, "CREATE TABLE kept (n int)")
            os.kill(postmaster(folder / "own"), signal.SIGKILL)
            assert counted(EmbeddedPostgres(folder / "own", fsync=False).start(), "kept") == 0
            assert psutil.Process(postmaster(folder / "own")).uids().real == nobody.pw_uid
            EmbeddedPostgres(folder / "own").stop()

    as_account(nobody, live)
    assert (folder / "own" / "data").stat().st_uid == nobody.pw_uid
    with EmbeddedPostgres(folder / "own", fsync=False) as address:
        assert counted(address, "kept") == 0, "root runs it as the account that owns the data"


@needs_root
def test_an_account_cannot_start_the_server_of_another(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with EmbeddedPostgres(folder, fsync=False):
        pass
    os.chown(folder / "data", 1, 1)

    def refused() -> None:
        with pytest.raises(Misconfigured, match="belongs to user 1"):
            EmbeddedPostgres(folder).start()

    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    os.chown(folder / "lock", nobody.pw_uid, nobody.pw_gid)
    os.chown(folder / "server.json", nobody.pw_uid, nobody.pw_gid)
    as_account(nobody, refused)


def as_account(account: pwd.struct_passwd, act: Callable[[], None]) -> None:
    """Run `act` in a child of this process that has become the account; the interpreter itself may lie where it cannot go."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must end here whatever happened, and say why
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0

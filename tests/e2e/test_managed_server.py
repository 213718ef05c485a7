"""A managed PostgreSQL server instead of the embedded one: the same code, over TLS, and the server is not ours to stop."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from polyceph.bootstrap.platform import Platform, join_platform
from polyceph.core.model.event import Actor, ActorKind, EventFilter
from polyceph.orchestrate.services import launcher_of
from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation
from polyceph.settings import PostgresAddress, Settings, StoreSettings
from polyceph.store.programs import account_for

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]


@pytest.fixture(scope="module")
def managed() -> Iterator[PostgresAddress]:
    """A server of the operating system that lets nobody in without TLS; its certificate is its own authority."""
    home = Path(tempfile.mkdtemp(prefix="polyceph-managed-"))
    home.chmod(0o711)
    account, data = account_for(home / "data"), home / "data"
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=home, **account.options())  # type: ignore[call-overload]

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = secrets.token_urlsafe()
    (home / "password").write_text(password)
    data.mkdir(mode=0o700)
    if not account.is_current:
        shutil.chown(data, account.uid, account.gid)
    run(str(programs / "initdb"), "-D", str(data), "-U", "boss", "-A", "scram-sha-256", "--no-sync", "--pwfile", str(home / "password"))
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(data / "server.key"), "-out", str(data / "server.crt")]
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *names, *files)
    shutil.copy(data / "server.crt", home / "authority.crt")
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c ssl=on -c fsync=off -c max_connections=300"
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    yield PostgresAddress(
        host="127.0.0.1",
        port=port,
        database="postgres",
        user="boss",
        password=SecretStr(password),
        sslmode="verify-full",
        sslrootcert=str(home / "authority.crt"),
    )
    run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def federation(managed: PostgresAddress, folder: Path, polyceph: Command) -> Iterator[Path]:
    """A federation of two scaffolded domains that runs on the managed server; museum may read one dataset of library."""
    made = folder / "managed"
    write_federation(made, "managed", ("fr", "en"))
    write_domain(made, "library", "Library")
    write_domain(made, "museum", "Museum")
    file = made / "domains" / "museum" / "domain.yaml"
    file.write_text(file.read_text().replace("consumes: []", "consumes: [library.gold.visits_by_town]"))
    started = polyceph("--federation", str(made), "up", "--detach", POLYCEPH_STORE__DSN=managed.url())
    assert started.returncode == 0, started.stderr
    yield made
    polyceph("--federation", str(made), "down", POLYCEPH_STORE__DSN=managed.url())


@pytest.fixture(scope="module")
def settings(managed: PostgresAddress, federation: Path) -> Settings:
    return Settings(federation=federation, store=StoreSettings(dsn=SecretStr(managed.url())))


def joined(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Platform:
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):  # joining sets them for this process: they are gone after the test
        monkeypatch.setenv(name, "")
    return join_platform(settings)


def test_a_server_of_another_authority_is_not_trusted(managed: PostgresAddress, federation: Path, polyceph: Command) -> None:
    other = federation / "other.crt"
    files = ["-keyout", str(federation / "other.key"), "-out", str(other)]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", *files], check=True, capture_output=True)
    address = managed.model_copy(update={"sslrootcert": str(other)})
    done = polyceph("--federation", str(federation), "run", POLYCEPH_STORE__DSN=address.url())
    assert done.returncode == 6
    assert "certificate verify failed" in done.stderr


def test_a_scaffolded_domain_runs_on_a_managed_server(
    managed: PostgresAddress, federation: Path, polyceph: Command, answer: Answer
) -> None:
    done = answer(polyceph("--federation", str(federation), "run", "library", "--json", POLYCEPH_STORE__DSN=managed.url()))
    assert [(run["domain"], run["status"], run["error"]) for run in done["runs"]] == [("library", "SUCCESS", None)]
    assert not (federation / ".polyceph" / "postgres").exists()
    with psycopg.connect(**managed.arguments()) as session:
        databases = {row[0] for row in session.execute("SELECT datname FROM pg_database")}
    assert {"polyceph", "polyceph_dagster", "polyceph_lake", "polyceph_output"} <= databases
    secret = managed.password.get_secret_value()
    logs = [path.read_text(errors="replace") for path in (federation / ".polyceph" / "logs").iterdir() if path.is_file()]
    assert not any(secret in text for text in logs)


def test_every_process_verifies_the_server(settings: Settings, managed: PostgresAddress) -> None:
    port = str(managed.port)
    entered = {c.pid for c in psutil.net_connections("tcp") if c.raddr and str(c.raddr.port) == port and c.pid}
    up = [process for process in map(psutil.Process, sorted(entered)) if "dagster" in " ".join(process.cmdline())]
    assert up
    for process in up:
        environment = process.environ()
        assert environment.get("PGSSLMODE") == "verify-full", process.cmdline()
        assert environment.get("PGSSLROOTCERT") == managed.sslrootcert


def test_a_run_that_is_launched_in_dagster_is_recorded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = joined(settings, monkeypatch)
    run = launcher_of(settings).launch("museum", (), {"user": "eva.simon"})
    end = time.monotonic() + 90
    while ((record := platform.queries().run(run)) is None or record.outcome is None) and time.monotonic() < end:
        time.sleep(0.5)
    assert record is not None
    assert record.outcome is not None
    assert record.outcome.status == "SUCCESS"
    assert record.request.actor == Actor(ActorKind.PERSON, "eva.simon")
    assert {dataset.domain for dataset in record.request.datasets} == {"museum"}
    platform.record_runs(launcher_of(settings))
    events = platform.queries().events(EventFilter(subject_kind="run", subject_id=run))
    assert [entry.event.action for entry in events] == ["run.requested", "run.finished"]
    platform.close()


def test_a_domain_that_cannot_be_read_keeps_its_datasets_and_its_rights(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settings.federation / "domains" / "museum" / "domain.yaml"
    text = file.read_text()
    file.write_text(text + "\nunknown_key: 1\n")
    try:
        platform = joined(settings, monkeypatch)
        assert platform.left_out.keys() == platform.kept.keys() == {"museum"}
        assert {one.id.domain for one in platform.queries().datasets()} == {"library", "museum"}
        platform.provision_lakes()
        platform.record_snapshots()
        with psycopg.connect(**platform.addresses.lake("museum").arguments()) as session:
            visible = session.execute("SELECT table_name FROM lake_library.ducklake_table WHERE end_snapshot IS NULL").fetchall()
        assert visible == [("visits_by_town",)]
        platform.close()
    finally:
        file.write_text(text)

"""A managed PostgreSQL server instead of the embedded one: the same code, and the server is not ours to stop."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation
from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]


@pytest.fixture(scope="module")
def managed() -> Iterator[PostgresAddress]:
    """A server of its own, for roles belong to a whole server; reached by its address alone."""
    home = Path(tempfile.mkdtemp(prefix="polyceph-managed-"))
    home.chmod(0o711)
    with EmbeddedPostgres(home / "postgres", fsync=False, stop_with_parent=True) as address:
        yield address
    shutil.rmtree(home, ignore_errors=True)


def test_a_scaffolded_domain_runs_on_a_managed_server(managed: PostgresAddress, folder: Path, polyceph: Command, answer: Answer) -> None:
    federation = folder / "managed"
    write_federation(federation, "managed", ("fr", "en"))
    write_domain(federation, "library", "Library")
    where = ("--federation", str(federation))
    dsn = {"POLYCEPH_STORE__DSN": managed.url()}
    try:
        started = polyceph(*where, "up", "--detach", **dsn)
        assert started.returncode == 0, started.stderr
        done = answer(polyceph(*where, "run", "--json", **dsn))
        assert [(run["domain"], run["status"], run["error"]) for run in done["runs"]] == [("library", "SUCCESS", None)]
        assert not (federation / ".polyceph" / "postgres").exists()
    finally:
        polyceph(*where, "down", **dsn)
    with psycopg.connect(**managed.arguments()) as session:
        databases = {row[0] for row in session.execute("SELECT datname FROM pg_database")}
    assert {"polyceph", "polyceph_dagster", "polyceph_lake", "polyceph_output"} <= databases
    secret = managed.password.get_secret_value()
    logs = [path.read_text(errors="replace") for path in (federation / ".polyceph" / "logs").iterdir()]
    assert not any(secret in text for text in logs)

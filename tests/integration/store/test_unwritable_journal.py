"""A change that the journal cannot take does not happen: full disk, lost connection, killed server, and what is told then."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.ports import RunRequest
from polyceph.core.usecases import federation as usecases
from polyceph.core.usecases import runs
from polyceph.errors import PolycephError, Unavailable
from polyceph.settings import PostgresAddress
from polyceph.store.connection import connect, engine
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.migrate import migrate
from polyceph.store.queries import PostgresQueries
from polyceph.store.server import provision
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
COUNTED = ("event", "declaration", "domain", "dataset", "run_request")


@pytest.fixture
def tiny_disk(postgres: PostgresAddress, store_owner: PostgresAddress) -> Iterator[str]:
    """A tablespace of one megabyte; needs root and the right to mount."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-tiny-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        folder.rmdir()
        reason = f"a small disk cannot be mounted here: {done.stderr.strip()}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with connect(postgres, autocommit=True) as connection:
        account = Path(str(connection.execute("SHOW data_directory").fetchone()[0])).stat()
        os.chown(folder, account.st_uid, account.st_gid)
        connection.execute(sql.SQL("CREATE TABLESPACE tiny LOCATION {}").format(str(folder)))
    yield "tiny"
    with connect(postgres.at(store_owner.database), autocommit=True) as connection:
        connection.execute("DROP TABLE polyceph.event CASCADE")
        connection.execute("DROP TABLESPACE tiny")
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def counts(address: PostgresAddress) -> dict[str, int]:
    with connect(address) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM polyceph.{table}".encode()).fetchone()[0] for table in COUNTED}


def test_a_full_disk_refuses_the_change_and_leaves_nothing_behind(
    store: Engine,
    store_app: PostgresAddress,
    postgres: PostgresAddress,
    tiny_disk: str,
    make_federation: Callable[..., Federation],
) -> None:
    queries, federation = PostgresQueries(store), make_federation("education.raw.schools")
    usecases.apply_federation(PostgresUnitOfWork(store), queries, federation, actor=ANNE, commit="c1")
    with connect(postgres.at(store_app.database), autocommit=True) as connection:
        connection.execute("ALTER TABLE polyceph.event SET TABLESPACE tiny")

    def ask_until_it_fails() -> None:
        for number in range(10_000):
            runs.request_run(PostgresUnitOfWork(store), RunRequest(f"q{number}", "education", ANNE, job="x" * 2000))

    with pytest.raises(Unavailable, match="No space left on device") as caught:
        ask_until_it_fails()
    assert "recording event run.requested" in str(caught.value)
    before = counts(store_app)
    assert before["run_request"] == before["event"] - _declared(store), "each change that was made has its event"
    with pytest.raises(Unavailable):
        usecases.apply_federation(
            PostgresUnitOfWork(store),
            queries,
            make_federation(*[f"education.raw.d{n}" for n in range(300)], digest="d2"),
            actor=ANNE,
            commit="c2",
        )
    assert counts(store_app) == before
    assert queries.last_declaration().digest == "d1"


def _declared(store: Engine) -> int:
    with store.begin() as connection:
        question = "SELECT count(*) FROM polyceph.event WHERE body ->> 'action' NOT LIKE 'run.%'"
        return int(connection.exec_driver_sql(question.replace("%", "%%")).scalar_one())


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres", stop_with_parent=True)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("moment", ["before the event", "before the commit"])
@pytest.mark.parametrize("how", ["the connection is lost", "the server is killed"])
def test_a_lost_connection_refuses_the_change_and_leaves_nothing_behind(
    own_server: EmbeddedPostgres, tmp_path: Path, make_federation: Callable[..., Federation], how: str, moment: str
) -> None:
    admin = own_server.start()
    addresses = provision(admin, tmp_path / "secrets", domains=("education",))
    migrate(addresses.owner)
    store = engine(addresses.app)
    usecases.apply_federation(
        PostgresUnitOfWork(store), PostgresQueries(store), make_federation("education.raw.schools"), actor=ANNE, commit="c1"
    )
    before = counts(addresses.app)

    class Cut(PostgresUnitOfWork):
        """A unit of work whose connection is cut at the worst moment."""

        def record(self, event: object) -> None:
            if moment == "before the event":
                cut()
            super().record(event)  # type: ignore[arg-type]

        def commit(self) -> None:
            if moment == "before the commit":
                cut()
            super().commit()

    def cut() -> None:
        if how == "the server is killed":
            # With its sessions: one that is left alone may still commit, and then the change was made and is told so.
            postmaster = psutil.Process(_postmaster(admin))
            for process in [postmaster, *postmaster.children()]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            _end_sessions(admin, addresses.app.database)

    with pytest.raises(PolycephError) as caught:
        runs.request_run(Cut(store), RunRequest("q1", "education", ANNE))
    assert isinstance(caught.value, Unavailable)
    assert "event" in str(caught.value) or "committing" in str(caught.value)
    store.dispose()
    own_server.start()
    assert counts(addresses.app) == before


def _postmaster(admin: PostgresAddress) -> int:
    with psycopg.connect(**admin.arguments()) as connection:
        folder = connection.execute("SHOW data_directory").fetchone()[0]
    return int((Path(folder) / "postmaster.pid").read_text().splitlines()[0])


def _end_sessions(admin: PostgresAddress, database: str) -> None:
    with psycopg.connect(**admin.arguments(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])

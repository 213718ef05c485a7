"""Servers and data that tests of several kinds share."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresAddress]:
    """One embedded PostgreSQL server for the session, entered as its superuser; it writes without fsync."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    # pytest's own folders are closed to the account that the server runs as under root.
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "postgres", fsync=False, stop_with_parent=True) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def role_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the passwords of roles are kept: roles belong to a whole server, so all who use it must know the same ones."""
    return tmp_path_factory.mktemp("roles") / "secrets"


@pytest.fixture
def database(postgres: PostgresAddress) -> Iterator[PostgresAddress]:
    """An empty database of its own for one test, entered as the superuser; dropped afterwards, sessions included."""
    name = f"test_{secrets.token_hex(6)}"
    _execute(postgres, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres.at(name)
    _execute(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real input: `POLYCEPH_SHARED`, or `shared` beside the checkout. Without it the test is skipped, in CI it fails."""
    given = os.environ.get("POLYCEPH_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        _cannot(f"the real input is not here: {folder}/data does not exist; set POLYCEPH_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def cannot() -> Callable[[str], None]:
    """Return what ends a test for want of something on this machine: in CI it fails, elsewhere it is skipped with the reason."""
    return _cannot


@pytest.fixture(scope="module")
def browser(cannot: Callable[[str], None]) -> Iterator[Browser]:
    """Chromium, for one module: while it runs, nothing else in the process may start an event loop."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        cannot("there is no Chromium: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()


def _cannot(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _execute(address: PostgresAddress, statement: sql.Composable) -> None:
    password = address.password.get_secret_value()
    with psycopg.connect(
        host=address.host, port=address.port, dbname=address.database, user=address.user, password=password, autocommit=True
    ) as connection:
        connection.execute(statement)

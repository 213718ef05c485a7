from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
from duckdb_extension_postgres_scanner import __file__ as _scanner

from polyceph.settings import PostgresAddress


@pytest.fixture(autouse=True)
def _password(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "database" in request.fixturenames:
        monkeypatch.setenv("SOURCE_PASSWORD", request.getfixturevalue("database").password.get_secret_value())


@pytest.fixture
def write(database: PostgresAddress) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    farm = tmp_path_factory.mktemp("extensions")
    for found in Path(_scanner).parent.glob("extensions/*/*.duckdb_extension"):
        for platform in ("linux_amd64", "linux_arm64"):
            folder = farm / found.parent.name / platform
            folder.mkdir(parents=True, exist_ok=True)
            (folder / found.name).symlink_to(found)
    return farm


@pytest.fixture
def duck(extensions: Path) -> Iterator[Callable[[], duckdb.DuckDBPyConnection]]:
    opened = []

    def connect() -> duckdb.DuckDBPyConnection:
        config = {"extension_directory": str(extensions), "autoinstall_known_extensions": "false"}
        opened.append(duckdb.connect(config=config))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()

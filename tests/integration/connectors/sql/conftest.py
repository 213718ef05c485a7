"""A lake that SQL sources load into, as the component `Ingest` does it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyceph.settings import PostgresAddress
from polyceph.testing.federation.servers.mariadb_program import Programs

sys.path.insert(0, str(Path(__file__).parents[3]))
from lakes import Loading, lake_in
from mariadb_server import running


@pytest.fixture(scope="session")
def shared_lake(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loading]:
    with lake_in(postgres, tmp_path_factory.mktemp("lake")) as found:
        yield found


@pytest.fixture
def loading(shared_lake: Loading) -> Loading:
    """The session's lake with a raw table of its own for one test."""
    return replace(shared_lake, name=f"things_{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Any]:
    """A MariaDB server for the session."""
    programs = Programs.find()
    if programs is None and os.environ.get("CI") != "true":
        pytest.skip("mariadbd is not installed: apt-get install mariadb-server-core mariadb-client-core")
    assert programs is not None
    with running(programs) as server:
        yield server

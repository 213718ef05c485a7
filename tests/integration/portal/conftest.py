"""The planted site on a real server, once for all tests of the portal."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from planted_site import Planted, planted_site, served
from polyceph.settings import PostgresAddress
from polyceph.store.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresAddress]:
    """A server of the portal's tests alone: its databases have the names of a real platform's."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "postgres", fsync=False, stop_with_parent=True) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def planted(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("site")
    with planted_site(postgres, folder, requests_per_minute=100_000) as made:
        yield made


@pytest.fixture(scope="session")
def address(planted: Planted) -> Iterator[str]:
    """The address of the site on loopback."""
    with served(planted.app) as at:
        yield at


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[httpx.Client]:
    """A client that follows nothing and keeps no cookie."""
    with httpx.Client(base_url=address, headers={"accept": "text/html"}, follow_redirects=False) as made:
        yield made

"""A provisioned and migrated store, and what is put into it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from polyceph.settings import PostgresAddress
from polyceph.store.connection import connect, engine
from polyceph.store.migrate import migrate
from polyceph.store.server import Databases, StoreAddresses, provision


@pytest.fixture(scope="session")
def role_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of role passwords for the session: roles belong to the whole server."""
    return tmp_path_factory.mktemp("state") / "secrets"


@pytest.fixture
def databases(postgres: PostgresAddress) -> Iterator[Databases]:
    """Names of databases that only this test uses; dropped afterwards."""
    mark = secrets.token_hex(5)
    names = Databases(f"store_{mark}", f"dagster_{mark}", f"lake_{mark}", f"output_{mark}")
    yield names
    with connect(postgres, autocommit=True) as connection:
        for name in (names.store, names.dagster, names.lake, names.output):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def provisioned(postgres: PostgresAddress, role_secrets: Path, databases: Databases) -> StoreAddresses:
    """A server with domains education and culture."""
    return provision(postgres, role_secrets, domains=("education", "culture"), databases=databases)


@pytest.fixture
def store(provisioned: StoreAddresses) -> Iterator[Engine]:
    """A migrated store entered as the application."""
    migrate(provisioned.owner)
    pool = engine(provisioned.app)
    yield pool
    pool.dispose()


@pytest.fixture
def app(store: Engine, provisioned: StoreAddresses) -> Iterator[psycopg.Connection]:
    """A bare connection of the application: what a fault in its code could send."""
    with connect(provisioned.app, autocommit=True) as connection:
        yield connection

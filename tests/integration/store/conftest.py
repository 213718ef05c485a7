"""A provisioned and migrated store, and what is put into it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.settings import Databases, PostgresAddress
from polyceph.store.connection import connect, engine
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.migrate import migrate
from polyceph.store.server import StoreAddresses, provision


@contextmanager
def own_server() -> Iterator[PostgresAddress]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "postgres", fsync=False, stop_with_parent=True) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresAddress]:
    """A server for the tests of the store alone: they change roles, which belong to a whole server."""
    with own_server() as address:
        yield address


@pytest.fixture
def bare_server() -> Iterator[PostgresAddress]:
    """A server without any role but its superuser."""
    with own_server() as address:
        yield address


@pytest.fixture
def databases(postgres: PostgresAddress) -> Iterator[Databases]:
    """Names of databases that only this test uses; dropped afterwards."""
    mark = secrets.token_hex(5)
    names = Databases(f"store_{mark}", f"dagster_{mark}", f"lake_{mark}", f"output_{mark}")
    yield names
    with connect(postgres, autocommit=True) as connection:
        for name in (names.store, names.dagster, names.lake, names.output):
            drop(connection, name)


def drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def provisioned(postgres: PostgresAddress, role_secrets: Path, databases: Databases) -> StoreAddresses:
    """Databases for one test, which may change them, with domains education and culture."""
    return provision(postgres, role_secrets, domains=("education", "culture"), databases=databases)


@pytest.fixture(scope="session")
def platform(postgres: PostgresAddress, role_secrets: Path) -> StoreAddresses:
    """The platform's own databases, migrated, with domains education and culture; for tests that change nothing in them."""
    addresses = provision(postgres, role_secrets, domains=("education", "culture"))
    migrate(addresses.owner)
    return addresses


@pytest.fixture
def store_owner(platform: StoreAddresses, postgres: PostgresAddress) -> Iterator[PostgresAddress]:
    """A migrated store for one test, entered as its owner; a copy of the platform's, which is much quicker than migrating."""
    name = f"copy_{secrets.token_hex(5)}"
    with connect(postgres, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER polyceph_owner")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(platform.databases.store)))
        yield platform.owner.at(name)
        drop(connection, name)


@pytest.fixture
def store_app(platform: StoreAddresses, store_owner: PostgresAddress) -> PostgresAddress:
    """The same store entered as the application."""
    return platform.app.at(store_owner.database)


@pytest.fixture
def store(store_app: PostgresAddress) -> Iterator[Engine]:
    """The same store as the application's engine."""
    pool = engine(store_app)
    yield pool
    pool.dispose()


@pytest.fixture
def app(store_app: PostgresAddress) -> Iterator[psycopg.Connection]:
    """A bare connection of the application: what a fault in its code could send."""
    with connect(store_app, autocommit=True) as connection:
        yield connection


@pytest.fixture
def make_federation() -> Callable[..., Federation]:
    """Build a federation: `datasets` are `domain.zone.name` texts; every domain they name is in it."""

    def make(*datasets: str, digest: str = "d1", owner: str = "anne.dupont", domains: tuple[str, ...] = ()) -> Federation:
        ids = [DatasetId(d, Zone(z), n) for d, z, n in (text.split(".") for text in datasets)]
        names = sorted({one.domain for one in ids} | set(domains))
        made = {name: make_domain(name, [one for one in ids if one.domain == name], owner) for name in names}
        title = {"en": "Demo"}
        return Federation("demo", title, ("en",), {}, {}, {}, made, Place("federation.yaml"), digest)

    return make


def make_domain(name: str, ids: list[DatasetId], owner: str) -> Domain:
    place = Place(f"domains/{name}/domain.yaml")
    datasets = {one: Dataset(one, owner, "marc.leroy", make_contract(one, owner) if one.zone.needs_contract else None) for one in ids}
    return Domain(name, {"en": name.title()}, owner, "marc.leroy", None, "stewards", f"domains/{name}", place, datasets=datasets)


def make_contract(dataset: DatasetId, owner: str) -> Contract:
    place = Place(f"domains/{dataset.domain}/contracts/{dataset.name}.odcs.yaml")
    return Contract(dataset, str(dataset), "1.0.0", "active", owner, "marc.leroy", Classification.INTERNAL, (), place, "abc")

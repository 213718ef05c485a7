"""Two lakes on the session's server: `meuse` produces, `sambre` consumes what the tests declare."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.source_ports import Connector, Demand, LoadReport
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress

COMMIT = LakeCommit("anne.dupont", "Monthly load", "run-1", "c0ffee", {"meuse.raw.pupils": "1.0.0"})


@dataclass
class World:
    """A database with the lakes of two domains and the ways to open them."""

    admin: PostgresAddress
    folder: Path
    extensions: Path
    opened: list[DomainLake] = field(default_factory=list)

    def address(self, domain: str, *, as_domain: str | None = None, root: str | None = None) -> LakeAddress:
        """Return the lake of a domain, entered as its own role or as the role of another domain."""
        role = as_domain or domain
        catalogue = self.admin.as_role(f"domain_{role}", SecretStr(f"{role}'s word"))
        path = f"{root or self.folder / 'lakes'}/{domain}"
        return LakeAddress(domain=domain, catalogue=catalogue, metadata_schema=f"lake_{domain}", data_path=path, storage=ObjectStorage())

    def lake(self, domain: str = "meuse", *, others: tuple[str, ...] = ()) -> DomainLake:
        """Return a new handle on a domain's lake, closed with the world."""
        limits = EngineLimits(memory_mb=512, temporary=self.folder / "temporary")
        beside = [self.address(other, as_domain=domain) for other in others]
        self.opened.append(DomainLake(self.address(domain), others=beside, extensions=self.extensions, limits=limits))
        return self.opened[-1]

    def make_role(self, role: str, word: str) -> None:
        """Make a role that may enter, as provisioning the server does, unless it is there."""
        with psycopg.connect(self.admin.url(), autocommit=True) as session:
            if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                session.execute(statement.format(sql.Identifier(role), sql.Literal(word)))

    def provision(self, domain: str = "meuse", consumers: dict[str, list[DatasetId]] | None = None) -> None:
        """Make the lake of a domain or bring it up to date."""
        own = self.address(domain).catalogue
        self.make_role(own.user, own.password.get_secret_value())
        provision_lake(self.admin, self.address(domain), consumers or {}, extensions=self.extensions)

    def session(self, domain: str = "meuse") -> psycopg.Connection[tuple[object, ...]]:
        """Return a plain PostgreSQL session as a domain's role."""
        return psycopg.connect(self.address(domain).catalogue.url(), autocommit=True)


@pytest.fixture(scope="module")
def world(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    name = f"lakes_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
    folder = tmp_path_factory.mktemp("world")
    world = World(postgres.at(name), folder, install_extensions(folder / "extensions"))
    world.provision("meuse")
    world.provision("sambre")
    yield world
    for lake in world.opened:
        lake.close()
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def lake(world: World) -> Iterator[DomainLake]:
    """The lake of meuse, opened once for the tests of a module."""
    with world.lake() as lake:
        yield lake


@pytest.fixture
def commit() -> LakeCommit:
    return COMMIT


@pytest.fixture
def contract() -> Callable[..., Contract]:
    """Return a contract of a fresh raw dataset of meuse with these columns."""

    def build(*columns: Column, name: str | None = None, version: str = "1.0.0") -> Contract:
        dataset = DatasetId("meuse", Zone.RAW, name or f"pupils_{secrets.token_hex(4)}")
        place = Place("domains/meuse/contracts/pupils.odcs.yaml", 7, 3)
        given = columns or (Column("id", "integer", required=True, unique=True), Column("name", "string"))
        return Contract(dataset, dataset.name, version, "active", "anne", "marc", Classification.INTERNAL, given, place, "00")

    return build


@dataclass
class Loads:
    """Loads a dataset of one source again and again, as an `Ingest` does."""

    lake: DomainLake
    contract: Contract
    commit: LakeCommit
    folder: Path

    def demand(self, options: Mapping[str, object], *, run: str = "run-1") -> Demand:
        """Return what a load asks of the connector, from where the last one stopped."""
        dataset, workspace = self.contract.dataset, Path(tempfile.mkdtemp(dir=self.folder))
        is_loaded = lambda key: self.lake.is_loaded(dataset, key)  # noqa: E731
        made = Demand(dataset, self.contract, options, self.lake.cursor(dataset), is_loaded, workspace, self.folder)
        return replace(made, last_key=lambda origin: self.lake.last_key(dataset, origin), run=run)

    def load(self, connector: Connector, options: Mapping[str, object], *, run: str = "run-1") -> list[LoadReport]:
        """Load all that the connector delivers, in the mode that the delivery asks for."""
        commit = replace(self.commit, run=run)
        return [self.lake.load(delivery, self.contract, commit) for delivery in connector.deliveries(self.demand(options, run=run))]

    def rows(self) -> list[dict[str, Any]]:
        """Return the promised columns of the raw table, sorted by all of them."""
        names = ", ".join(f'"{column.name}"' for column in self.contract.columns)
        return self.lake.query(f"SELECT {names} FROM meuse.raw.{self.contract.dataset.name} ORDER BY ALL").to_pylist()


@pytest.fixture
def loads(lake: DomainLake, contract: Callable[..., Contract], commit: LakeCommit, tmp_path: Path) -> Callable[[tuple[Column, ...]], Loads]:
    return lambda columns: Loads(lake, contract(*columns), commit, tmp_path)

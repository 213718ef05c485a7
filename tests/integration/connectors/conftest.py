from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from duckdb_extension_postgres_scanner import __file__ as _scanner
from psycopg import sql
from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.place import Place
from polyceph.core.source_ports import LoadReport
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.sdk import Column, Connector, Contract, DatasetId, Demand, LoadMode, Zone
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress


@dataclass(frozen=True)
class Home:
    """A lake of our own, and loads into it as `Ingest` does them."""

    lake: DomainLake
    folder: Path

    def contract(self, *columns: Column, name: str = "") -> Contract:
        dataset = DatasetId("meuse", Zone.RAW, name or f"table_{secrets.token_hex(4)}")
        place = Place("domains/meuse/contracts/x.odcs.yaml")
        return Contract(dataset, dataset.name, "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, place, "0" * 64)

    def load(self, connector: Connector, contract: Contract, options: dict[str, object], *, mode: str = "") -> list[LoadReport]:
        """Load what is new; `mode` is what an entry of `Ingest` says of `load`."""
        dataset = contract.dataset
        with tempfile.TemporaryDirectory(dir=self.folder) as workspace:
            demand = Demand(
                dataset,
                contract,
                options,
                self.lake.cursor(dataset),
                lambda key: self.lake.is_loaded(dataset, key),
                Path(workspace),
                self.folder,
                lambda origin: self.lake.last_key(dataset, origin),
                run=secrets.token_hex(4),
            )
            commit = LakeCommit("anne.dupont", "Load", "run-1", "c0ffee", {})
            reports = []
            for delivery in connector.deliveries(demand):
                given = replace(delivery, mode=LoadMode(mode) if mode else delivery.mode)
                reports.append(self.lake.load(given, contract, commit))
            return reports

    def rows(self, contract: Contract) -> list[dict[str, Any]]:
        """Return the current rows: the last of each primary key that is not removed; all rows where there is no key."""
        names = ", ".join(f'"{column.name}"' for column in contract.columns)
        keys = ", ".join(f'"{column.name}"' for column in contract.columns if column.primary_key)
        last = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY rowid DESC) = 1" if keys else ""
        inner = f"SELECT {names}, _change FROM meuse.raw.{contract.dataset.name} {last}"
        return self.lake.query(f"SELECT {names} FROM ({inner}) WHERE _change IS DISTINCT FROM 'removed' ORDER BY ALL").to_pylist()


@pytest.fixture
def home(database: PostgresAddress, tmp_path: Path) -> Iterator[Home]:
    """A lake of our own in an empty database."""
    extensions = install_extensions(tmp_path / "extensions")
    word = SecretStr("meuse's word")
    with psycopg.connect(database.url(), autocommit=True) as session:
        if session.execute("SELECT FROM pg_roles WHERE rolname = 'domain_meuse'").fetchone() is None:
            session.execute(sql.SQL("CREATE ROLE domain_meuse LOGIN PASSWORD {}").format(sql.Literal(word.get_secret_value())))
    data = str(tmp_path / "lakes" / "meuse")
    address = LakeAddress(
        domain="meuse",
        catalogue=database.as_role("domain_meuse", word),
        metadata_schema="lake_meuse",
        data_path=data,
        storage=ObjectStorage(),
    )
    provision_lake(database, address, {}, extensions=extensions)
    limits = EngineLimits(memory_mb=512, temporary=tmp_path / "temporary")
    with DomainLake(address, others=[], extensions=extensions, limits=limits) as lake:
        yield Home(lake, tmp_path)


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

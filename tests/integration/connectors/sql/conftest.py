"""A lake that SQL sources load into, as the component `Ingest` does it."""

from __future__ import annotations

import importlib.util
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.place import Place
from polyceph.core.source_ports import LoadReport
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.sdk import NO_REJECTS, Column, Connector, Contract, DatasetId, Demand, Tolerance, Zone
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress
from polyceph.testing.federation.servers.mariadb_program import Programs

COMMIT = LakeCommit("anne", "load", "run-1", "c0ffee", {})


@dataclass(frozen=True)
class Loading:
    """A lake, and loading into it."""

    lake: DomainLake
    folder: Path
    address: LakeAddress
    extensions: Path
    name: str = "things"

    def contract(self, *columns: Column, name: str = "") -> Contract:
        name = name or self.name
        place = Place(f"domains/education/contracts/{name}.odcs.yaml")
        dataset = DatasetId("education", Zone.RAW, name)
        return Contract(dataset, "1", "1.0.0", "active", "anne", "marc", Classification.INTERNAL, columns, place, "0" * 64)

    def load(
        self,
        connector: Connector,
        contract: Contract,
        options: dict[str, object],
        *,
        run: str | None = None,
        tolerance: Tolerance = NO_REJECTS,
    ) -> list[LoadReport]:
        """Load what is new; each call is a run of its own unless it says another one."""
        lake, dataset = self.lake, contract.dataset
        demand = Demand(
            dataset,
            contract,
            options,
            lake.cursor(dataset),
            lambda key: lake.is_loaded(dataset, key),
            self.folder,
            self.folder,
            run=run or secrets.token_hex(8),
            tolerance=tolerance,
        )
        return [lake.load(replace(d, tolerance=tolerance), contract, COMMIT) for d in connector.deliveries(demand)]

    def rows(self, contract: Contract, columns: str = "* EXCLUDE (_load, _origin, _row, _change)") -> list[tuple[Any, ...]]:
        """Return what the raw table holds, ordered by its first column."""
        dataset = contract.dataset
        found = self.lake.query(f"SELECT {columns} FROM {dataset.domain}.{dataset.zone}.{dataset.name} ORDER BY 1")
        return [tuple(row.values()) for row in found.to_pylist()]


@pytest.fixture(scope="session")
def shared_lake(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loading]:
    name, word = f"lake_{secrets.token_hex(5)}", secrets.token_hex(8)
    folder = tmp_path_factory.mktemp("lake")
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(word)))
    extensions = install_extensions(folder / "extensions")
    address = LakeAddress(
        domain="education",
        catalogue=postgres.at(name).as_role(name, SecretStr(word)),
        metadata_schema="lake_education",
        data_path=str(folder / "lake"),
        storage=ObjectStorage(),
    )
    provision_lake(postgres.at(name), address, {}, extensions=extensions)
    limits = EngineLimits(memory_mb=256, temporary=folder / "temporary")
    with DomainLake(address, others=[], extensions=extensions, limits=limits) as lake:
        yield Loading(lake, folder, address, extensions)


@pytest.fixture
def loading(shared_lake: Loading) -> Loading:
    """The session's lake with a raw table of its own for one test."""
    return replace(shared_lake, name=f"things_{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Any]:
    """A MariaDB server for the session."""
    found = importlib.util.spec_from_file_location("mariadb_of_tests", Path(__file__).with_name("mariadb.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    programs = Programs.find()
    if programs is None and os.environ.get("CI") != "true":
        pytest.skip("mariadbd is not installed: apt-get install mariadb-server-core mariadb-client-core")
    assert programs is not None
    with module.running(programs) as server:
        yield server

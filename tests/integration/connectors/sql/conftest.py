"""A lake that SQL sources load into, as the component `Ingest` does it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
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

COMMIT = LakeCommit("anne", "load", "run-1", "c0ffee", {})


@dataclass(frozen=True)
class Loading:
    """A lake, and loading into it."""

    lake: DomainLake
    folder: Path
    address: LakeAddress
    extensions: Path

    def contract(self, *columns: Column, name: str = "things") -> Contract:
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
        from dataclasses import replace

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


@pytest.fixture
def loading(postgres: PostgresAddress, tmp_path: Path) -> Iterator[Loading]:
    """An empty lake of its own for one test."""
    name, word = f"lake_{secrets.token_hex(5)}", secrets.token_hex(8)
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(word)))
    extensions = install_extensions(tmp_path / "extensions")
    catalogue = postgres.at(name).as_role(name, SecretStr(word))
    address = LakeAddress(
        domain="education",
        catalogue=catalogue,
        metadata_schema="lake_education",
        data_path=str(tmp_path / "lake"),
        storage=ObjectStorage(),
    )
    provision_lake(postgres.at(name), address, {}, extensions=extensions)
    limits = EngineLimits(memory_mb=256, temporary=tmp_path / "temporary")
    lake = DomainLake(address, others=[], extensions=extensions, limits=limits)
    yield Loading(lake, tmp_path, address, extensions)
    lake.close()
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

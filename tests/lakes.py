"""A lake of the tests' own, and loading into it as the component `Ingest` does. What a source is stands elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.drift import Difference, Form
from polyceph.core.model.place import Place
from polyceph.core.policies.drift import differences, stops
from polyceph.core.source_ports import LoadReport
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.sdk import NO_REJECTS, Admission, Arrival, Column, Connector, Contract, DatasetId, Demand, LoadMode, Tolerance, Zone
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress

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

    def demand(self, contract: Contract, options: dict[str, object], *, run: str | None = None) -> Demand:
        """Return what a load asks of its connector, with a workspace of its own."""
        lake, dataset = self.lake, contract.dataset
        workspace = self.folder / f"work_{secrets.token_hex(4)}"
        workspace.mkdir()
        return Demand(
            dataset,
            contract,
            options,
            lake.cursor(dataset),
            lambda key: lake.is_loaded(dataset, key),
            workspace,
            self.folder,
            last_key=lambda origin: lake.last_key(dataset, origin),
            run=run or secrets.token_hex(8),
        )

    def drift(self, connector: Connector, contract: Contract, options: dict[str, object], change: Callable[[], None]) -> list[Difference]:
        """Let a source deliver, change it, and return what stops the second delivery, which has to wait."""
        forms: list[Form] = []

        def admits(arrival: Arrival) -> Admission:
            forms.append(arrival.form)
            return Admission.WAIT if stops(differences(contract, forms[0], arrival.form)) else Admission.LOAD

        demand = replace(self.demand(contract, options), admits=admits, last_form=lambda: forms[0])
        [delivery] = connector.deliveries(demand)
        assert delivery.form == forms[0]
        change()
        assert list(connector.deliveries(demand)) == []
        return [one for one in differences(contract, forms[0], forms[1]) if one.stops]

    def load(
        self,
        connector: Connector,
        contract: Contract,
        options: dict[str, object],
        *,
        run: str | None = None,
        tolerance: Tolerance = NO_REJECTS,
        mode: LoadMode | None = None,
    ) -> list[LoadReport]:
        """Load what is new; each call is a run of its own unless it says another one."""
        demand = replace(self.demand(contract, options, run=run), tolerance=tolerance)
        found = connector.deliveries(demand)
        return [self.lake.load(replace(d, tolerance=tolerance, mode=mode or d.mode), contract, COMMIT) for d in found]

    def rows(self, contract: Contract, columns: str = "* EXCLUDE (_load, _origin, _row, _change)") -> list[tuple[Any, ...]]:
        """Return what the raw table holds, ordered by its first column."""
        dataset = contract.dataset
        found = self.lake.query(f"SELECT {columns} FROM {dataset.domain}.{dataset.zone}.{dataset.name} ORDER BY 1")
        return [tuple(row.values()) for row in found.to_pylist()]

    def current(self, contract: Contract) -> list[tuple[Any, ...]]:
        """Return the promised columns of the last row of each key that is not removed, ordered by the key."""
        dataset = contract.dataset
        names = ", ".join(f'"{column.name}"' for column in contract.columns)
        keys = ", ".join(f'"{column.name}"' for column in contract.columns if column.primary_key)
        table = f"{dataset.domain}.{dataset.zone}.{dataset.name}"
        last = f"SELECT * FROM {table} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY rowid DESC) = 1"
        found = self.lake.query(f"SELECT {names} FROM ({last}) WHERE _change IS DISTINCT FROM 'removed' ORDER BY {keys}")
        return [tuple(row.values()) for row in found.to_pylist()]


@contextmanager
def lake_in(postgres: PostgresAddress, folder: Path) -> Iterator[Loading]:
    """Make a lake in a database of its own, with its files below `folder`."""
    name, word = f"lake_{secrets.token_hex(5)}", secrets.token_hex(8)
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

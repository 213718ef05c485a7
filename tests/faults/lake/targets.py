"""The two tables that loads are killed at: one filled with batches of known keys, one that follows a growing PostgreSQL table."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.source_ports import Delivery, Demand, LoadReport
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.settings import LakeAddress, PostgresAddress

ROWS = 20_000
GROWTH, CHANGES = 5_000, 500
"""How many rows come into the source between two looks at it, and how many of the old ones change."""
COMMIT = LakeCommit("robot", "Load under fire", "kill", "code")
_PASSWORD = "KILLED_SOURCE_PASSWORD"


@dataclass(frozen=True)
class State:
    """What is in a table: rows, different rows, and where its last load stopped."""

    rows: int
    distinct: int
    cursor: str | None


@dataclass(frozen=True)
class Target:
    """The lake that is shot at, and the database of the growing table."""

    lake: LakeAddress
    extensions: Path
    temporary: Path
    source: PostgresAddress

    def open(self) -> DomainLake:
        """Return a new handle on the lake."""
        return DomainLake(self.lake, extensions=self.extensions, limits=EngineLimits(memory_mb=512, temporary=self.temporary))

    def contract(self, name: str, *columns: Column) -> Contract:
        """Return the contract of a raw dataset of the lake."""
        dataset, place = DatasetId(self.lake.domain, Zone.RAW, name), Place(f"{name}.odcs.yaml")
        return Contract(dataset, name, "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, place, "00")

    def folder(self, contract: Contract) -> Path:
        """Return where the files of a dataset are."""
        return Path(self.lake.data_path) / "raw" / contract.dataset.name


@dataclass(frozen=True)
class Batches:
    """Arrow batches with a key that the caller knows: the same delivery, whenever it is tried."""

    target: Target

    @property
    def contract(self) -> Contract:
        """The contract of the table."""
        id_column = Column("id", "integer", required=True, unique=True)
        return self.target.contract("shots", id_column, Column("name", "string"), Column("load_number", "integer"))

    def begin(self) -> None:
        """Make ready what is read."""

    def load(self, lake: DomainLake, number: int) -> list[LoadReport]:
        """Load delivery `number`."""
        schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("load_number", pa.int64())])
        reader = pa.RecordBatchReader.from_batches(schema, _batches(number, schema))
        return [lake.load(Delivery(f"k{number}", reader, cursor=str(number), origin="shots"), self.contract, COMMIT)]

    def state(self, lake: DomainLake) -> State:
        """Return what is in the table."""
        return _state(lake, self.contract, "id")

    def expected(self, number: int) -> State:
        """Return what is in the table once delivery `number` is loaded."""
        return State((number + 1) * ROWS, (number + 1) * ROWS, str(number))

    def change(self) -> None:
        """Change the source between the kill and the next try: a delivery of known content does not."""


@dataclass(frozen=True)
class Following:
    """A PostgreSQL table that grows and changes, read through the connector from cursor to cursor.

    Every version of a row has a number of its own from one sequence, without gaps. Rows change only after they were loaded, so a
    lake that follows the table holds every number once.
    """

    target: Target

    @property
    def contract(self) -> Contract:
        """The contract of the table."""
        columns = (
            Column("id", "integer", required=True),
            Column("name", "string"),
            Column("version", "integer", required=True, unique=True),
        )
        return self.target.contract("followed", *columns)

    def begin(self) -> None:
        """Make the source with its first rows."""
        with self._session() as session:
            session.execute("CREATE SEQUENCE versions")
            session.execute("CREATE TABLE growing (id bigserial PRIMARY KEY, name text, version bigint UNIQUE DEFAULT nextval('versions'))")
        self.change()

    def change(self) -> None:
        """Add rows, and change some that are in the lake for certain: those that changed longest ago."""
        with self._session() as session:
            top = self._top(session)
            session.execute("INSERT INTO growing (name) SELECT md5(i::text) FROM generate_series(1, %s) AS g(i)", [GROWTH])
            if top >= GROWTH:
                oldest = "SELECT id FROM growing ORDER BY version LIMIT %s"
                session.execute(f"UPDATE growing SET version = nextval('versions') WHERE id IN ({oldest})", [CHANGES])

    def load(self, lake: DomainLake, _: int) -> list[LoadReport]:
        """Load what is new, from where the last load stopped."""
        os.environ[_PASSWORD] = self.target.source.password.get_secret_value()
        source = self.target.source
        address = {"host": source.host, "port": source.port, "database": source.database, "user": source.user}
        options = PostgresConnector.source_options.model_validate({**address, "password_env": _PASSWORD})
        with tempfile.TemporaryDirectory(dir=self.target.temporary.parent) as folder:
            demand = self._demand(lake, Path(folder))
            found = PostgresConnector(options, base=Path(folder)).deliveries(demand)
            return [lake.load(delivery, self.contract, COMMIT) for delivery in found]

    def state(self, lake: DomainLake) -> State:
        """Return what is in the table."""
        return _state(lake, self.contract, "version")

    def expected(self, _: int) -> State:
        """Return what is in the table once everything that is in the source now is loaded."""
        with self._session() as session:
            top = self._top(session)
        return State(top, top, str(top))

    def _demand(self, lake: DomainLake, folder: Path) -> Demand:
        dataset = self.contract.dataset
        options = {"table": "public.growing", "cursor": "version"}
        return Demand(dataset, self.contract, options, lake.cursor(dataset), lambda key: lake.is_loaded(dataset, key), folder, folder)

    def _session(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.target.source.url(), autocommit=True)

    def _top(self, session: psycopg.Connection[tuple[object, ...]]) -> int:
        row = session.execute("SELECT coalesce(max(version), 0) FROM growing").fetchone()
        return int(str(row[0])) if row else 0


def _state(lake: DomainLake, contract: Contract, key: str) -> State:
    dataset = contract.dataset
    query = f"SELECT count(*) AS n, count(DISTINCT {key}) AS different FROM {dataset.domain}.raw.{dataset.name}"
    found = lake.query(query).to_pylist()[0]
    return State(found["n"], found["different"], lake.cursor(dataset))


def _batches(number: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    step = ROWS // 10
    for part in range(10):
        ids = range(number * ROWS + part * step, number * ROWS + (part + 1) * step)
        yield pa.record_batch([list(ids), [f"name {i * 7919}" for i in ids], [number] * step], schema=schema)

"""One domain's lake as its own code sees it: a connection, queries, loads, replacements and facts. The work is done beside it."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.drift import Form
from polyceph.core.model.reading import READ, Reading
from polyceph.core.ports import SnapshotRecord
from polyceph.core.source_ports import ArrowStream, Delivery, LoadReport, Original, Pushdown
from polyceph.errors import Invalid
from polyceph.lake.attach import attach_lake
from polyceph.lake.engine import open_engine, quote
from polyceph.lake.facts import (
    TableFacts,
    current_snapshot,
    last_cursor,
    last_form,
    last_key,
    loaded_files,
    loaded_snapshot,
    snapshot_records,
    table_facts,
    table_numbers,
)
from polyceph.lake.load import Admits, load_delivery
from polyceph.lake.locks import TableLock, catalogue_session, table_locks
from polyceph.lake.outbox import Outbox
from polyceph.lake.quarantine import Quarantine
from polyceph.lake.reads import parsed, tables_read
from polyceph.lake.replace import replace_table
from polyceph.lake.storage import keep_original
from polyceph.lake.types import describe
from polyceph.settings import LakeAddress


@dataclass(frozen=True)
class EngineLimits:
    """What one DuckDB engine may take; `temporary` is where it spills: a private folder, a fresh one when none is given."""

    memory_mb: int = 1024
    threads: int = 2
    temporary: Path = field(default_factory=lambda: Path(mkdtemp(prefix="polyceph-")))


class DomainLake:
    """The lake of one domain, with the lakes of others beside it for reading. One engine, opened at first use; close it at the end.

    Args:
        own: the domain's lake, entered as the domain's role.
        others: lakes of other domains, entered as *this* domain's role; PostgreSQL shows only what is declared.
        extensions: what `install_extensions` returned.
    """

    def __init__(
        self, own: LakeAddress, *, extensions: Path, others: Sequence[LakeAddress] = (), limits: EngineLimits | None = None
    ) -> None:
        self.own = own
        self.others = tuple(others)
        self.outbox = Outbox(own)
        """Where this process says what it reads, before it hands out a row."""
        self.quarantine = Quarantine(own)
        """Where this process says what has to wait for its data owner."""
        self._extensions = extensions
        self._limits = limits or EngineLimits()
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._opening = Lock()
        self._others_attached = False

    @property
    def temporary(self) -> Path:
        """Return the folder for staging and spilling on this machine."""
        return self._limits.temporary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the engine and its sessions; the next use opens a new one."""
        with self._opening:
            if self._engine is not None:
                self._engine.close()
            self._engine, self._others_attached = None, False
        self.outbox.close()

    @contextmanager
    def connection(self, commit: LakeCommit | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a DuckDB connection with the own lake and the others (READ_ONLY) attached under their domains' names.

        With `commit` every change made through it carries that stamp; without one the catalogue refuses any change that does not
        call `set_commit_message` itself.
        """
        if commit is None:
            with self._cursor(with_others=True) as cursor:
                yield cursor
            return
        with self._fresh(commit) as engine:
            for lake in self.others:
                attach_lake(engine, lake, read_only=True)
            yield engine

    def query(self, sql: str, parameters: Sequence[object] | Mapping[str, object] | None = None) -> pa.Table:
        """Return the rows of a SELECT as an Arrow table; values go in as parameters.

        For the platform's own looks: no reading is recorded. What people's code reads goes through `recorded`.
        """
        with self.connection() as connection:
            return connection.execute(sql, parameters).to_arrow_table()

    @contextmanager
    def stream(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] | None = None, *, batch_rows: int = 122_880
    ) -> Iterator[pa.RecordBatchReader]:
        """Give the rows of a SELECT as record batches, read once, without holding them all in memory; not recorded, as `query`."""
        with self.connection() as connection:
            yield connection.execute(sql, parameters).to_arrow_reader(batch_rows)

    def columns(self, sql: str) -> dict[str, str]:
        """Return name and DuckDB type of the columns of a SELECT."""
        with self.connection() as connection:
            return describe(connection, sql)

    def load(self, delivery: Delivery, contract: Contract, commit: LakeCommit, admits: Admits | None = None) -> LoadReport:
        """Append a delivery to its raw table, exactly once, if it is admitted; see `load_delivery` for what it raises."""
        self._refuse_foreign(contract.dataset)
        # A connector that pushes down attaches its source and leaves its secrets behind: that gets an engine of its own.
        with self._fresh() if isinstance(delivery.rows, Pushdown) else self._cursor() as cursor:
            return load_delivery(
                cursor, self.own, delivery, contract=contract, commit=commit, temporary=self._limits.temporary, admits=admits
            )

    def replace(self, dataset: DatasetId, rows: ArrowStream | str, commit: LakeCommit) -> TableFacts:
        """Put the rows of a SELECT or an Arrow stream in place of a table's content in one commit, or make the table; return its facts.

        A SELECT may read the lakes of others, which is recorded. Raises `Invalid` for a raw dataset or a wrong SELECT.
        """
        with self.writing([dataset]) as lock, self._cursor(with_others=True) as cursor:
            if isinstance(rows, str):
                self._say_read_of_others(cursor, rows, commit)
            replace_table(cursor, dataset, rows, commit=commit, lock=lock)
        return self.facts(dataset)

    def cursor(self, dataset: DatasetId) -> str | None:
        """Return where the last committed load of a dataset stopped."""
        with catalogue_session(self.own) as session:
            return last_cursor(session, self.own, dataset)

    def is_loaded(self, dataset: DatasetId, key: str) -> bool:
        """Tell whether a delivery with this key is committed."""
        with catalogue_session(self.own) as session:
            return loaded_snapshot(session, self.own, dataset, key) is not None

    def last_key(self, dataset: DatasetId, origin: str) -> str | None:
        """Return the key of the last committed delivery of an origin."""
        with catalogue_session(self.own) as session:
            return last_key(session, self.own, dataset, origin)

    def last_form(self, dataset: DatasetId) -> Form | None:
        """Return what the last delivery that was loaded looked like, None before the first."""
        with catalogue_session(self.own) as session:
            return last_form(session, self.own, dataset)

    def keep(self, original: Original) -> str:
        """Keep the bytes of an original under their hash and return its path below the data path."""
        with self._cursor() as cursor:
            return keep_original(cursor, self.own, original)

    def facts(self, dataset: DatasetId) -> TableFacts:
        """Return rows, bytes, files, last snapshot and columns of an own dataset, from the catalogue alone."""
        with catalogue_session(self.own) as session:
            facts = table_facts(session, self.own, dataset)
        if facts.rows is None:  # a view has no columns in the catalogue
            names = ".".join(quote(part) for part in (dataset.domain, dataset.zone.value, dataset.name))
            return TableFacts(None, 0, 0, facts.snapshot, tuple(self.columns(f"SELECT * FROM {names}").items()))
        return facts

    def replay(self, dataset: DatasetId, key: str) -> list[str]:
        """Return the paths of the files of a past load, whose bytes are those of its day: each name begins with their SHA-256.

        Raises `NotFound` when there is no such load.
        """
        with catalogue_session(self.own) as session:
            return loaded_files(session, self.own, dataset, key)

    def numbers(self, dataset: DatasetId) -> frozenset[int]:
        """Return the numbers of the tables that an own dataset has, or had, in the catalogue."""
        with catalogue_session(self.own) as session:
            return table_numbers(session, self.own, dataset)

    def newest_snapshot(self) -> int:
        """Return the number of the lake's newest snapshot, to read several things at one moment with AT (VERSION => n)."""
        with catalogue_session(self.own) as session:
            return current_snapshot(session, self.own)

    def snapshots(self, since: int = -1) -> list[SnapshotRecord]:
        """Return the snapshots after `since`, oldest first: when, who, why, what."""
        with catalogue_session(self.own) as session:
            return snapshot_records(session, self.own, since)

    @contextmanager
    def writing(self, datasets: Sequence[DatasetId], *, wait_seconds: float = 3600.0) -> Iterator[TableLock]:
        """Hold the write locks of own datasets while somebody else's program (dbt, a shell command) writes them."""
        for dataset in datasets:
            self._refuse_foreign(dataset)
        with table_locks(self.own, [f"{d.zone}.{d.name}" for d in datasets], wait_seconds=wait_seconds) as lock:
            yield lock

    def _say_read_of_others(self, cursor: duckdb.DuckDBPyConnection, select: str, commit: LakeCommit) -> None:
        """Record what a SELECT takes over from other domains' lakes; what it reads of its own stays within the domain."""
        others = [one for one in tables_read(cursor, parsed(cursor, select)) if one.dataset.domain != self.own.domain]
        self.outbox.say(
            Reading(READ, one.dataset, commit.door, run=commit.run, columns=one.columns, snapshot=one.snapshot) for one in others
        )

    def _refuse_foreign(self, dataset: DatasetId) -> None:
        if dataset.domain != self.own.domain:
            raise Invalid(f"{dataset} does not belong to {self.own.domain}: a domain writes its own lake only")

    def _open(self) -> duckdb.DuckDBPyConnection:
        limits = self._limits
        return open_engine(
            extensions=self._extensions, memory_mb=limits.memory_mb, threads=limits.threads, temporary=limits.temporary / "spill"
        )

    @contextmanager
    def alone(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection on an engine of its own with the own lake alone: what is attached to it is gone afterwards."""
        with self._fresh() as engine:
            yield engine

    @contextmanager
    def _fresh(self, commit: LakeCommit | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._open() as engine:
            attach_lake(engine, self.own, read_only=False, commit=commit)
            yield engine

    @contextmanager
    def _cursor(self, *, with_others: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._opening:
            if self._engine is None:
                engine = self._open()
                attach_lake(engine, self.own, read_only=False)
                self._engine = engine
            if with_others and not self._others_attached:
                for lake in self.others:
                    attach_lake(self._engine, lake, read_only=True)
                self._others_attached = True
            cursor = self._engine.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

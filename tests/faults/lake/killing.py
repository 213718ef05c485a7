"""Loads killed at random points, each retried, with a count of what was lost, doubled or torn. Used by the test and the benchmark."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.ports import Delivery, LoadReport, Pushdown
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.maintenance import Keep, maintain
from polyceph.settings import LakeAddress

ROWS = 20_000
_LATE_SECONDS = 0.08
"""From the file in its place to the end of the commit takes about half of this."""
COMMIT = LakeCommit("robot", "Load under fire", "kill", "code")


@dataclass(frozen=True)
class Target:
    """The lake that is shot at."""

    lake: LakeAddress
    extensions: Path
    temporary: Path

    def open(self) -> DomainLake:
        limits = EngineLimits(memory_mb=512, temporary=self.temporary)
        return DomainLake(self.lake, extensions=self.extensions, limits=limits)

    @property
    def contract(self) -> Contract:
        dataset = DatasetId(self.lake.domain, Zone.RAW, "shots")
        columns = (Column("id", "integer", required=True, unique=True), Column("name", "string"), Column("load_number", "integer"))
        return Contract(dataset, "shots", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, Place("shots.odcs.yaml"), "00")


@dataclass
class Tally:
    """What came of the kills. `acknowledged` loads had already ended when the kill came."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    wrong_cursors: int = 0
    hidden: int = 0
    committed_before_kill: int = 0
    acknowledged: int = 0
    leftovers: int = 0
    seconds: float = 0.0
    delays: list[float] = field(default_factory=list)

    def is_clean(self) -> bool:
        """Tell whether nothing was lost, doubled, torn or hidden and every cursor was right."""
        return not (self.lost or self.doubled or self.torn or self.wrong_cursors or self.hidden)


def delivery(number: int) -> Delivery:
    """Return load `number`: Arrow batches when even, a pushdown when odd."""
    first = number * ROWS
    if number % 2:
        select = f"SELECT {first} + range AS id, md5(range::VARCHAR) AS name, {number}::BIGINT AS load_number FROM range({ROWS})"
        return Delivery(f"k{number}", Pushdown(lambda _: select), cursor=str(number), origin="shots")
    schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("load_number", pa.int64())])
    return Delivery(f"k{number}", pa.RecordBatchReader.from_batches(schema, _batches(number, schema)), cursor=str(number), origin="shots")


def load(target: Target, number: int) -> LoadReport:
    """Load delivery `number` in this process."""
    with target.open() as lake:
        return lake.load(delivery(number), target.contract, COMMIT)


def shoot(target: Target, kills: int, *, seed: int = 7, tell: Callable[[str], None] = lambda _: None) -> Tally:
    """Kill `kills` loads and retry each: half at any point of a load, half between the file in its place and just after the commit."""
    start, tally, randomness = time.monotonic(), Tally(), random.Random(seed)  # noqa: S311 -- a seed repeats the shots
    load(target, 0)
    duration = _measure(target)
    tell(f"a load takes {duration:.2f} s")
    with target.open() as reader:
        for number in range(2, kills + 2):
            delay = randomness.uniform(0.0, _LATE_SECONDS) if number % 4 < 2 else randomness.uniform(0.0, duration * 1.2)
            _one_kill(target, reader, number, delay=delay, tally=tally)
            if number % 25 == 0:
                tell(f"{tally.kills} of {kills} kills")
        tally.leftovers = maintain(reader, COMMIT, keep=Keep(grace_hours=0)).orphans_removed
        _judge(reader, target, kills + 1, tally)
    return replace(tally, seconds=time.monotonic() - start)


def _one_kill(target: Target, reader: DomainLake, number: int, *, delay: float, tally: Tally) -> None:
    before = number * ROWS
    with _child(target, number) as (process, pipe):
        pipe.recv()
        if number % 4 < 2:
            _wait_for_file(target, process)
        time.sleep(delay)
        tally.acknowledged += pipe.poll()
        process.kill()
        process.join()
    tally.kills += 1
    tally.delays.append(delay)
    seen = _rows(reader, target)
    committed = reader.is_loaded(target.contract.dataset, f"k{number}")
    tally.committed_before_kill += committed
    tally.hidden += seen < before
    tally.torn += seen != before + ROWS * committed
    tally.wrong_cursors += reader.cursor(target.contract.dataset) != str(number if committed else number - 1)
    report = reader.load(delivery(number), target.contract, COMMIT)
    tally.torn += report.is_new == committed
    after = _rows(reader, target)
    tally.lost += after < before + ROWS
    tally.doubled += after > before + ROWS
    tally.wrong_cursors += reader.cursor(target.contract.dataset) != str(number)


def _wait_for_file(target: Target, process: multiprocessing.process.BaseProcess) -> None:
    folder = Path(target.lake.data_path) / "raw" / "shots"
    known = set(folder.glob("*.parquet"))
    while process.is_alive() and set(folder.glob("*.parquet")) <= known:
        time.sleep(0.001)


def _judge(reader: DomainLake, target: Target, last: int, tally: Tally) -> None:
    name = f"{target.lake.domain}.raw.shots"
    query = f"SELECT load_number, count(*) AS n, count(DISTINCT id) AS ids, count(DISTINCT _load) AS keys FROM {name} GROUP BY 1"
    found = {row["load_number"]: (row["n"], row["ids"], row["keys"]) for row in reader.query(query).to_pylist()}
    tally.lost += sum(number not in found for number in range(last + 1))
    tally.torn += sum(value != (ROWS, ROWS, 1) for value in found.values())
    register = reader.query(f"SELECT count(*) AS n, count(DISTINCT key) AS keys FROM {target.lake.domain}._polyceph.load").to_pylist()
    tally.doubled += register != [{"n": last + 1, "keys": last + 1}]


def _rows(reader: DomainLake, target: Target) -> int:
    found = reader.query(f"SELECT count(*) AS n FROM {target.lake.domain}.raw.shots").to_pylist()
    return int(found[0]["n"])


def _measure(target: Target) -> float:
    with _child(target, 1) as (process, pipe):
        pipe.recv()
        start = time.monotonic()
        pipe.recv()
        duration = time.monotonic() - start
        process.join()
    return duration


@contextmanager
def _child(target: Target, number: int) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    # A fork server that has imported everything: a child is there in milliseconds and shares no engine with the parent.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["polyceph.lake.lake", "polyceph.lake.maintenance", "pyarrow"])
    here, there = context.Pipe()
    process = context.Process(target=_child_main, args=(target, number, there))
    process.start()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def _child_main(target: Target, number: int, pipe: Connection) -> None:
    pipe.send("go")
    load(target, number)
    pipe.send("done")


def _batches(number: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    step = ROWS // 10
    for part in range(10):
        ids = range(number * ROWS + part * step, number * ROWS + (part + 1) * step)
        yield pa.record_batch([list(ids), [f"name {i * 7919}" for i in ids], [number] * step], schema=schema)

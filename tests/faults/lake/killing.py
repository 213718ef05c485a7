"""Loads killed at random points, each tried again, with a count of what was lost, doubled or torn. Used by the test and the benchmark."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

from targets import COMMIT, Batches, Following, State, Target

from polyceph.core.source_ports import LoadReport
from polyceph.lake.lake import DomainLake
from polyceph.lake.maintenance import Keep, maintain

_LATE_SECONDS, _LATE_PART = 0.08, 0.25
"""From the file in its place to the end of the commit takes about half of this, in seconds and as a part of the whole load."""
Prey = Batches | Following


@dataclass
class Tally:
    """What came of the kills. `acknowledged` loads had already ended when the kill came; `followed` went through the connector."""

    kills: int = 0
    followed: int = 0
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


def load(target: Target, number: int) -> LoadReport:
    """Load delivery `number` of known content in this process."""
    with target.open() as lake:
        return Batches(target).load(lake, number)[0]


def shoot(target: Target, kills: int, *, seed: int = 7, tell: Callable[[str], None] = lambda _: None) -> Tally:
    """Kill `kills` loads and try each again: in turn one of known content and one through the connector.

    Half are killed at any point of a load, half between the file in its place and just after the commit.
    """
    start, tally, randomness = time.monotonic(), Tally(), random.Random(seed)
    prey: list[Prey] = [Batches(target), Following(target)]
    with target.open() as reader:
        durations = [_first_loads(one, reader) for one in prey]
        tell(f"a load takes {durations[0]:.2f} s, through the connector {durations[1]:.2f} s")
        for shot in range(kills):
            which, number = shot % 2, shot // 2 + 2
            is_late = shot % 4 < 2
            latest = max(_LATE_SECONDS, durations[which] * _LATE_PART) if is_late else durations[which] * 1.2
            delay = randomness.uniform(0.0, latest)
            _one_kill(prey[which], reader, number, delay=delay, is_late=is_late, tally=tally)
            tally.followed += which
            if shot % 25 == 24:
                tell(f"{tally.kills} of {kills} kills")
        tally.leftovers = maintain(reader, COMMIT, keep=Keep(grace_hours=1)).orphans_removed
        _judge(reader, prey, (kills + 1) // 2 + 1, tally)
    return replace(tally, seconds=time.monotonic() - start)


def _first_loads(prey: Prey, reader: DomainLake) -> float:
    """Make the table with a first load, then return how long a second one takes in a child."""
    prey.begin()
    prey.load(reader, 0)
    prey.change()
    with _child(prey, 1) as (process, pipe):
        pipe.recv()
        start = time.monotonic()
        pipe.recv()
        duration = time.monotonic() - start
        process.join()
    return duration


def _one_kill(prey: Prey, reader: DomainLake, number: int, *, delay: float, is_late: bool, tally: Tally) -> None:
    before = prey.state(reader)
    prey.change()
    after = prey.expected(number)
    with _child(prey, number) as (process, pipe):
        pipe.recv()
        if is_late:
            _wait_for_file(prey, process)
        time.sleep(delay)
        tally.acknowledged += pipe.poll()
        process.kill()
        process.join()
    tally.kills += 1
    tally.delays.append(delay)
    seen = prey.state(reader)
    tally.committed_before_kill += seen == after
    tally.hidden += seen.rows < before.rows
    tally.torn += seen not in (before, after)
    prey.change()
    reports = prey.load(reader, number)
    final, got = prey.expected(number), prey.state(reader)
    tally.torn += sum(report.rows for report in reports if report.is_new) != final.rows - seen.rows
    _count(got, final, tally)


def _count(got: State, wanted: State, tally: Tally) -> None:
    tally.lost += got.distinct < wanted.distinct
    tally.doubled += got.rows > got.distinct
    tally.wrong_cursors += got.cursor != wanted.cursor


def _wait_for_file(prey: Prey, process: multiprocessing.process.BaseProcess) -> None:
    folder = prey.target.folder(prey.contract)
    known = set(folder.glob("*.parquet"))
    while process.is_alive() and set(folder.glob("*.parquet")) <= known:
        time.sleep(0.001)


def _judge(reader: DomainLake, prey: list[Prey], last: int, tally: Tally) -> None:
    """Look at everything once more after housekeeping, through the register of loads and load by load."""
    for one in prey:
        _count(one.state(reader), one.expected(last), tally)
        dataset = one.contract.dataset
        name, register = f"{dataset.domain}.raw.{dataset.name}", f"{dataset.domain}._polyceph.load"
        query = f"""SELECT count(*) AS loads, count(*) FILTER (WHERE t.n IS DISTINCT FROM l.rows) AS torn, count(DISTINCT l.key) AS keys
                    FROM (SELECT * FROM {register} WHERE dataset = ?) l
                    FULL JOIN (SELECT _load, count(*) AS n FROM {name} GROUP BY 1) t ON t._load = l.key"""
        found = reader.query(query, [str(dataset)]).to_pylist()[0]
        tally.torn += found["torn"]
        tally.doubled += found["loads"] - found["keys"]


@contextmanager
def _child(prey: Prey, number: int) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    # A fork server that has imported everything: a child is there in milliseconds and shares no engine with the parent.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["targets", "polyceph.lake.maintenance", "pyarrow"])
    here, there = context.Pipe()
    process = context.Process(target=_child_main, args=(prey, number, there))
    process.start()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def _child_main(prey: Prey, number: int, pipe: Connection) -> None:
    pipe.send("go")
    with prey.target.open() as lake:
        prey.load(lake, number)
    pipe.send("done")

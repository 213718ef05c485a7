"""journal.append: events a second with 1, 4 and 16 writers, each event a unit of work of its own, beside a sealer; limit: a bare INSERT."""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from harness import journal_bench, machine, progress

from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.settings import PostgresAddress
from polyceph.store.connection import connect, engine
from polyceph.store.journal import PostgresJournal
from polyceph.store.unit_of_work import PostgresUnitOfWork

ROUNDS, EACH, WRITERS = 3, 500, (1, 4, 16)
LEAST = 0.7
"""Share of the bare INSERT's events a second that 16 writers must reach."""
_PLAIN = "INSERT INTO bare (body) VALUES (%s::json)"
_TABLES = """
CREATE TABLE bare (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), body json NOT NULL
);
CREATE TABLE chained (
    seq bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), body json NOT NULL, hash bytea NOT NULL
);
GRANT INSERT, SELECT ON bare, chained TO polyceph_app;
"""
_CHAIN = """
INSERT INTO chained (seq, body, hash)
SELECT coalesce(last.seq, 0) + 1, new.body::json, sha256(coalesce(last.hash, ''::bytea) || convert_to(new.body, 'UTF8'))
FROM (SELECT %s::text AS body) new LEFT JOIN (SELECT seq, hash FROM chained ORDER BY seq DESC LIMIT 1) last ON true
"""
BODY = json.dumps(
    {
        "action": "dataset.read", "actor": {"id": "anne.dupont", "kind": "person"},
        "after": {"columns": ["id", "name", "born"], "rows": 1234},
        "correlation": {"run": "6addb945-8473-4d6f-94a4-418e21d97e29"}, "decision": {"allowed": True}, "door": "dagster",
        "purpose": "statistics", "subject": {"domain": "education", "id": "education.gold.pupils_by_municipality", "kind": "dataset"},
    },
    separators=(",", ":"),
)  # fmt: skip


Write = Callable[[], None]


@contextmanager
def bare(address: PostgresAddress) -> Iterator[Write]:
    """One INSERT and one commit an event, through psycopg alone."""
    with connect(address) as connection:

        def write() -> None:
            connection.execute(_PLAIN, [BODY])
            connection.commit()

        yield write


@contextmanager
def chained(address: PostgresAddress) -> Iterator[Write]:
    """A peer: a chain of hashes, each event under a lock behind the one before."""
    with connect(address) as connection:

        def write() -> None:
            connection.execute("SELECT pg_advisory_xact_lock(1)")
            connection.execute(_CHAIN, [BODY])
            connection.commit()

        yield write


@contextmanager
def ours(address: PostgresAddress) -> Iterator[Write]:
    """One unit of work an event, as use cases write them."""
    store = engine(address, pool_size=1)
    known = json.loads(BODY)
    event = Event(
        Actor(ActorKind.PERSON, "anne.dupont"), "dagster", "dataset.read", "dataset", "education.gold.pupils_by_municipality",
        domain="education", purpose="statistics", after=known["after"], correlation=known["correlation"],
    )  # fmt: skip

    def write() -> None:
        with PostgresUnitOfWork(store) as work:
            work.record(event)
            work.commit()

    yield write
    store.dispose()


Way = Callable[[PostgresAddress], AbstractContextManager[Write]]


def _write(way: Way, address: PostgresAddress, gate: Any) -> None:
    with way(address) as write:
        write()  # connections are made and statements known before the clock runs
        gate.wait()
        for _ in range(EACH):
            write()
        gate.wait()  # leaving a process is not writing


def timed(way: Way, address: PostgresAddress, writers: int) -> float:
    """Return events a second of so many writers, each a process, from the moment all are ready."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(writers + 1)
    found = [context.Process(target=_write, args=(way, address, gate)) for _ in range(writers)]
    for one in found:
        one.start()
    gate.wait()
    start = time.perf_counter()
    gate.wait()
    seconds = time.perf_counter() - start
    for one in found:
        one.join()
        if one.exitcode:
            sys.exit("a writer failed")
    return writers * EACH / seconds


def _seal(address: PostgresAddress, stop: Any) -> None:
    journal = PostgresJournal(engine(address, pool_size=1))
    while not stop.is_set():
        journal.seal()
        stop.wait(0.5)


def beside_a_sealer(address: PostgresAddress, writers: int) -> float:
    """Return our events a second while another process seals every half second."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    sealer = context.Process(target=_seal, args=(address, stop))
    sealer.start()
    try:
        return timed(ours, address, writers)
    finally:
        stop.set()
        sealer.join()


def main() -> None:
    """Measure, print the JSON line, end with 1 when 16 writers are too slow."""
    with journal_bench() as bench:
        with psycopg.connect(**bench.owner.arguments()) as connection:
            connection.execute("SET search_path = polyceph")
            connection.execute(_TABLES.encode())
        with psycopg.connect(**bench.admin.at("polyceph").arguments(), autocommit=True) as connection:
            connection.execute("ALTER ROLE polyceph_app SET search_path = polyceph")
        app = bench.app
        rates: dict[str, dict[int, list[float]]] = {"bare": {}, "chain": {}, "ours": {}}
        for number in range(ROUNDS):
            for writers in WRITERS:
                for way, measure in (("bare", bare), ("chain", chained), ("ours", None)):
                    rate = beside_a_sealer(app, writers) if measure is None else timed(measure, app, writers)
                    rates[way].setdefault(writers, []).append(rate)
                    progress(f"round {number + 1}/{ROUNDS} {writers:>2} writers {way}: {rate:,.0f} events/s")
    medians = {way: {writers: statistics.median(found) for writers, found in by.items()} for way, by in rates.items()}
    most = WRITERS[-1]
    share = medians["ours"][most] / medians["bare"][most]
    result = {
        "bench": "journal.append",
        "ours_s": round(most * EACH / medians["ours"][most], 3),
        "limit_s": round(most * EACH / medians["bare"][most], 3),
        "ratio_to_limit": round(1 / share, 3),
        "allowed_ratio": round(1 / LEAST, 3),
        "peers": {"chain under a lock": round(most * EACH / medians["chain"][most], 3)},
        "ratio_to_best_peer": round(medians["chain"][most] / medians["ours"][most], 3),
        "events_per_s": {way: {str(writers): round(rate) for writers, rate in by.items()} for way, by in medians.items()},
        "share_of_bare": {str(writers): round(medians["ours"][writers] / medians["bare"][writers], 3) for writers in WRITERS},
        "machine": machine(),
    }
    print(json.dumps(result))
    sys.exit(0 if share >= LEAST else 1)


if __name__ == "__main__":
    main()

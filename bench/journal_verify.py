"""journal.verify: a journal of a million events verified in the store and by the stand-alone verifier; limit: hashing the leaves alone."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import psycopg
from harness import machine, progress

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.journal import bundle
from polyceph.settings import Settings
from polyceph.store.connection import engine
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.journal import PostgresJournal
from polyceph.store.migrate import migrate
from polyceph.store.server import provision

LEAST, LONGEST_S, HEADS = 100_000, 60.0, 100
"""Events a second and core, seconds for the million, heads in it."""
VERIFIER = Path(__file__).resolve().parent.parent / "verifier" / "polyceph_verify.py"
_FILL = """
INSERT INTO polyceph.event (body) SELECT format('{"action":"dataset.read","actor":{"id":"anne.dupont","kind":"person"},"after":'
    '{"columns":["id","name","born"],"rows":%%s},"correlation":{"run":"%%s"},"decision":{"allowed":true},"door":"dagster",'
    '"purpose":"statistics","subject":{"domain":"education","id":"education.gold.d%%s","kind":"dataset"}}',
    i, gen_random_uuid(), i %% 50)::json FROM generate_series(1, %s) i
"""


def main() -> None:
    """Measure, print the JSON line, end with 1 when it is too slow."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    count = arguments.parse_args().events
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "postgres", stop_with_parent=True) as admin:
            addresses = provision(admin, folder / "secrets")
            migrate(addresses.owner)
            result = measured(folder, addresses.app, count)
    print(json.dumps(result))
    sys.exit(0 if result["ok"] and result["events_per_s"] >= LEAST and result["ours_s"] <= LONGEST_S * count / 1_000_000 else 1)


def measured(folder: Path, app: object, count: int) -> dict[str, object]:
    """Fill and seal a journal, verify it both ways, and return the figures."""
    store = engine(app)  # type: ignore[arg-type]
    federation = Federation("bench", {}, ("en",), {}, {}, {}, {}, Place("federation.yaml"))
    journal = PlatformJournal(Settings(federation=folder), federation, store, PostgresJournal(store))
    journal.open(Actor(ActorKind.PERSON, "bench"))
    seal_s = fill(journal, app, count)
    before = peak_mb()
    start, cpu = time.perf_counter(), time.process_time()
    found = journal.verify(journal.trusted())
    seconds, own_cpu = time.perf_counter() - start, time.process_time() - cpu
    memory = peak_mb() - before
    progress(f"verified {found.events:,} events under {found.heads} heads in {seconds:.1f} s")
    path = folder / "all.bundle"
    bundle.write_log(journal.log, path)
    alone = stand_alone(path, journal.folder)
    limit = hashing(path)
    return {
        "bench": "journal.verify",
        "ours_s": round(seconds, 2),
        "limit_s": round(limit, 2),
        "ratio_to_limit": round(seconds / limit, 2),
        "peers": {},
        "ratio_to_best_peer": None,
        "ok": found.ok and found.events == count + 1 and alone["ok"],
        "events": found.events,
        "heads": found.heads,
        "events_per_s": round(found.events / seconds),
        "events_per_cpu_s": round(found.events / own_cpu),
        "verify_grew_mb": memory,
        "stand_alone_s": alone["seconds"],
        "stand_alone_events_per_s": round(found.events / float(alone["seconds"])),
        "stand_alone_peak_mb": alone["peak_mb"],
        "sealed_per_s": round(count / seal_s),
        "bundle_mb": round(path.stat().st_size / 2**20),
        "machine": machine(),
    }


def fill(journal: PlatformJournal, app: object, count: int) -> float:
    """Write events and seal them under heads; return the seconds that sealing took."""
    seconds, step = 0.0, max(1, count // HEADS)
    with psycopg.connect(**app.arguments(), autocommit=True) as connection:  # type: ignore[attr-defined]
        for number in range(0, count, step):
            connection.execute(_FILL.encode(), [min(step, count - number)])
            start = time.perf_counter()
            journal.seal(at_once=True)
            seconds += time.perf_counter() - start
            progress(f"{number + step:,} of {count:,} events")
    return seconds


def stand_alone(path: Path, trust: Path) -> dict[str, object]:
    """Run the stand-alone verifier in its own process, isolated from polyceph; return its verdict, seconds and peak memory."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(path), "--trust", str(trust), "--json"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    progress(f"stand-alone: {seconds:.1f} s")
    return {"ok": done.returncode == 0, "seconds": round(seconds, 2), "peak_mb": peak, "said": done.stdout[-300:]}


def hashing(path: Path) -> float:
    """Return the seconds it takes to read the bundle and hash each line and as many pairs: no verification can be quicker."""
    start = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            sha256(sha256(line).digest() * 2).digest()
    return time.perf_counter() - start


def peak_mb() -> int:
    """Return the most memory this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()

"""journal.verify: a journal of a million events verified in the store and by the stand-alone verifier; limit: hashing the leaves alone."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from harness import JournalBench, journal_bench, machine, progress

from polyceph.journal import bundle

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
    with journal_bench() as bench:
        result = measured(bench, count)
    print(json.dumps(result))
    sys.exit(0 if result["ok"] and result["events_per_s"] >= LEAST and result["ours_s"] <= LONGEST_S * count / 1_000_000 else 1)


def measured(bench: JournalBench, count: int) -> dict[str, Any]:
    """Fill and seal a journal, verify it both ways, and return the figures."""
    journal = bench.journal
    seal_s = fill(bench, count)
    before = peak_mb()
    start, cpu = time.perf_counter(), time.process_time()
    found = journal.verify(journal.trusted())
    seconds, own_cpu = time.perf_counter() - start, time.process_time() - cpu
    memory = peak_mb() - before
    progress(f"verified {found.events:,} events under {found.heads} heads in {seconds:.1f} s")
    path = bench.folder / "all.bundle"
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


def fill(bench: JournalBench, count: int) -> float:
    """Write events and seal them under heads; return the seconds that sealing took."""
    seconds, step = 0.0, max(1, count // HEADS)
    with psycopg.connect(**bench.app.arguments(), autocommit=True) as connection:
        for number in range(0, count, step):
            connection.execute(_FILL.encode(), [min(step, count - number)])
            start = time.perf_counter()
            bench.journal.seal(at_once=True)
            seconds += time.perf_counter() - start
            progress(f"{number + step:,} of {count:,} events")
    return seconds


def stand_alone(path: Path, trust: Path) -> dict[str, object]:
    """Run the stand-alone verifier in its own process, isolated from polyceph; return its verdict, seconds and peak memory."""
    said = path.with_suffix(".said")
    start = time.perf_counter()
    with said.open("wb") as out:
        child = subprocess.Popen([sys.executable, "-I", str(VERIFIER), str(path), "--trust", str(trust), "--json"], stdout=out)
        peak = 0
        while child.poll() is None:  # getrusage would tell of this process as it was when it forked
            peak = max(peak, resident_peak_mb(child.pid))
            time.sleep(0.02)
    seconds = time.perf_counter() - start
    progress(f"stand-alone: {seconds:.1f} s")
    verdict = json.loads(said.read_text())
    return {"ok": child.returncode == 0 and verdict["ok"], "seconds": round(seconds, 2), "peak_mb": peak}


def resident_peak_mb(pid: int) -> int:
    """Return the most memory a process had so far, in MiB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


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

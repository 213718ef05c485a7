"""sources.fuzz: 10,000 damaged files of 16 formats through the connector files; the measure is how many end as they never may: 0."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from harness import machine, progress

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults" / "files"))

from fuzzing import Tally, run, tallied
from judge import LONGEST_S, MEMORY_MB

PROCESSES, PART = 2, 100


def part(first: int) -> Tally:
    return tallied(run(range(first, first + PART)))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=10_000)
    files = arguments.parse_args().files
    verdicts: Counter[str] = Counter()
    bad: list[str] = []
    slowest = largest = 0.0
    start = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES) as pool:
        for number, tally in enumerate(pool.map(part, range(0, files, PART)), 1):
            verdicts += tally.verdicts
            bad += [f"seed {seed}, {done}: {verdict.what}, {verdict.detail}" for seed, done, verdict in tally.bad]
            slowest, largest = max(slowest, tally.slowest_s), max(largest, tally.largest_mb)
            progress(f"{number * PART} of {files} files: {dict(verdicts)}")
    for one in bad:
        progress(one)
    is_good = not bad and slowest <= LONGEST_S and largest <= MEMORY_MB
    result = {
        "bench": "sources.fuzz",
        "files": sum(verdicts.values()),
        "verdicts": dict(verdicts),
        "silently_wrong": verdicts["silently wrong"],
        "bad": len(bad),
        "slowest_s": round(slowest, 2),
        "largest_mb": largest,
        "seconds": round(time.perf_counter() - start, 1),
        "machine": machine(),
    }
    print(json.dumps(result))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()

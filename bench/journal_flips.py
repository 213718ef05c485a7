"""journal.flips: each single bit of a bundle of 200 events flipped; the measure is how many flips the stand-alone verifier missed: 0."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from harness import journal_bench, machine, progress

from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.journal import bundle
from polyceph.store.connection import engine
from polyceph.store.unit_of_work import PostgresUnitOfWork

ROOT = Path(__file__).resolve().parent.parent
EVENTS, PROCESSES = 200, 2


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def share(number: int, path: Path, trust: Path) -> list[int]:
    """Flip one process's share of the bits of its own copy of a bundle."""
    own = shutil.copy(path, path.with_suffix(f".{number}"))
    verify = _loaded(ROOT / "verifier" / "polyceph_verify.py").verify
    tell = (lambda bit, bits: progress(f"{bit:,} of {bits:,} bits")) if number == 0 else None
    found: list[int] = _loaded(ROOT / "tests" / "faults" / "journal" / "flips.py").passed(
        verify, Path(own), trust, first=number, step=PROCESSES, tell=tell
    )
    return found


def main() -> None:
    """Make the journal and its bundle, flip every bit, print the JSON line."""
    with journal_bench() as bench:
        store = engine(bench.app, pool_size=1)
        with PostgresUnitOfWork(store) as work:
            for number in range(EVENTS - 1):
                work.record(Event(Actor(ActorKind.PERSON, "bench"), "bench", "run.launched", "run", str(number)))
            work.commit()
        store.dispose()
        bench.journal.seal(at_once=True)
        path = bundle.write_log(bench.journal.log, bench.folder / "all.bundle").path
        start = time.perf_counter()
        shares = [(number, path, bench.journal.folder) for number in range(PROCESSES)]
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            missed = [bit for found in pool.starmap(share, shares) for bit in found]
        bits = path.stat().st_size * 8
    seconds = round(time.perf_counter() - start, 1)
    result = {"bench": "journal.flips", "ours_s": seconds, "limit_s": None, "ratio_to_limit": None, "peers": {}, "ratio_to_best_peer": None}
    print(json.dumps({**result, "events": EVENTS, "flips": bits, "missed": len(missed), "machine": machine()}))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

"""journal.flips: each single bit of a bundle of 200 events flipped; the measure is how many flips the stand-alone verifier missed: 0."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import machine, progress

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.journal import bundle
from polyceph.settings import Settings
from polyceph.store.connection import engine
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.journal import PostgresJournal
from polyceph.store.migrate import migrate
from polyceph.store.server import provision
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
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "postgres", stop_with_parent=True) as admin:
            addresses = provision(admin, folder / "secrets")
            migrate(addresses.owner)
            store = engine(addresses.app)
            federation = Federation("bench", {}, ("en",), {}, {}, {}, {}, Place("federation.yaml"))
            journal = PlatformJournal(Settings(federation=folder), federation, store, PostgresJournal(store))
            actor = Actor(ActorKind.PERSON, "bench")
            journal.open(actor)
            with PostgresUnitOfWork(store) as work:
                for number in range(EVENTS - 1):
                    work.record(Event(actor, "bench", "run.launched", "run", str(number)))
                work.commit()
            journal.seal(at_once=True)
            path = bundle.write_log(journal.log, folder / "all.bundle").path
            store.dispose()
        start = time.perf_counter()
        with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
            missed = [
                bit for found in pool.starmap(share, [(number, path, journal.folder) for number in range(PROCESSES)]) for bit in found
            ]
        bits = path.stat().st_size * 8
    seconds = round(time.perf_counter() - start, 1)
    result = {"bench": "journal.flips", "ours_s": seconds, "limit_s": None, "ratio_to_limit": None, "peers": {}, "ratio_to_best_peer": None}
    print(json.dumps({**result, "events": EVENTS, "flips": bits, "missed": len(missed), "machine": machine()}))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

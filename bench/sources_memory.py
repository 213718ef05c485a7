"""sources.memory: peak memory of a process that loads 30 million rows from PostgreSQL into the raw zone, contract checked and all."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from multiprocessing import get_context

from harness import COMMIT, SOURCE, Bench, bench, contract, fill_source, machine, progress

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.source_ports import Demand

ALLOWED_MB = 600
_PASSWORD = "BENCH_SOURCE_PASSWORD"  # noqa: S105 -- the name of a variable


def load(place: Bench, rows: int) -> int:
    """Load the source and return this process's peak memory in MiB."""
    os.environ[_PASSWORD] = place.source.password.get_secret_value()
    given = {"host": place.source.host, "port": place.source.port, "database": place.source.database, "user": place.source.user}
    options = PostgresConnector.source_options.model_validate({**given, "password_env": _PASSWORD})
    promise = contract("streamed")
    with place.open() as lake:
        demand = Demand(
            promise.dataset, promise, {"table": f"public.{SOURCE}"}, None, lambda _: False, place.folder, place.folder, run="run"
        )
        reports = [lake.load(delivery, promise, COMMIT) for delivery in PostgresConnector(options, base=place.folder).deliveries(demand)]
    assert sum(report.rows for report in reports) == rows
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=30_000_000)
    rows = arguments.parse_args().rows
    with bench() as place:
        fill_source(place.source, rows)
        start = time.perf_counter()
        # A fresh process: what this one used to make the source must not count.
        with get_context("spawn").Pool(1) as pool:
            peak = pool.apply(load, (place, rows))
        seconds = time.perf_counter() - start
    progress(f"{rows:,} rows in {seconds:.1f} s, peak {peak} MiB")
    result = {"bench": "sources.memory", "rows": rows, "seconds": round(seconds, 1), "peak_mb": peak, "allowed_mb": ALLOWED_MB}
    print(json.dumps(result | {"machine": machine()}))
    sys.exit(0 if peak <= ALLOWED_MB else 1)


if __name__ == "__main__":
    main()

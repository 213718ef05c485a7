"""sources.mariadb: MariaDB to the raw zone by the mysql connector, against DuckDB's bare scanner into the same DuckLake, and dlt.

The scanner is tried as it comes, which lets the server compress, and without that, which is its fastest way and the limit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import rivals
from harness import COLUMNS, COMMIT, DOMAIN, SOURCE, Bench, alternate, bench, contract, finish, progress

from polyceph.connectors.mysql import MySqlConnector
from polyceph.core.source_ports import Demand
from polyceph.testing.federation.servers.mariadb_program import ADMIN, Programs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mariadb_server import MariaDb, running

ALLOWED_RATIO = 1.15
WANTED = 5.0
"""How many times faster than the fastest of the loaders it is to be."""
DLT_BACKENDS = ("pyarrow", "connectorx")
_PASSWORD = "BENCH_MARIADB_PASSWORD"  # noqa: S105 -- the name of a variable
_VALUES = {
    "id": "seq",
    "code": "CAST(seq * 7919 % 100000 AS int)",
    "age": "CAST(seq % 120 AS int)",
    "parent": "seq * 17",
    "bucket": "CAST(seq % 1000 AS int)",
    "amount": "CAST((seq * 7907 % 10000000) / 100 AS decimal(12,2))",
    "rate": "CAST(seq * 0.37 AS decimal(14,4))",
    "score": "CAST(seq * 104729 % 1000003 AS double) / 1000003",
    "ratio": "CAST(seq * 15485863 % 1000003 AS double) / 50",
    "born": "date '1950-01-01' + interval (seq * 31 % 25000) day",
    "since": "date '2000-01-01' + interval (seq % 9000) day",
    "seen": "timestamp '2020-01-01 00:00:00' + interval seq second",
    "changed": "timestamp '2021-01-01 00:00:00' + interval (seq * 13 % 50000000) second",
    "active": "seq % 3 = 0",
    "flag": "CASE WHEN seq % 7 = 0 THEN NULL ELSE seq % 2 = 0 END",
    "name": "concat('Person ', seq * 104729 % 900001)",
    "token": "md5(seq)",
    "street": "concat('rue de la Loi ', seq % 300, ', Bruxelles')",
    "postcode": "lpad(1000 + seq % 9000, 4, '0')",
    "note": "CASE WHEN seq % 5 = 0 THEN NULL ELSE concat('note ', seq % 1000) END",
}
_TYPES = {
    **dict.fromkeys(("id", "parent"), "bigint"),
    **dict.fromkeys(("code", "age", "bucket"), "int"),
    "amount": "decimal(12,2)",
    "rate": "decimal(14,4)",
    **dict.fromkeys(("score", "ratio"), "double"),
    **dict.fromkeys(("born", "since"), "date"),
    "seen": "datetime",
    "changed": "timestamp NULL",
    **dict.fromkeys(("active", "flag"), "boolean"),
    **dict.fromkeys(("name", "token", "street", "postcode", "note"), "varchar(60)"),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=3_000_000)
    arguments.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="dlt too, once each way")
    given = arguments.parse_args()
    programs = Programs.find()
    if programs is None:
        sys.exit("MariaDB is not installed")
    with bench() as place, running(programs) as server:
        fill(server, given.rows)
        contenders: dict[str, Callable[[int], None]] = {
            "polyceph": lambda number: ours(place, server, number, rows=given.rows),
            "duckdb scanner to ducklake": lambda number: bare(place, server, number, "compression=disabled"),
            "the same, compressed": lambda number: bare(place, server, number, ""),
            "connectorx to parquet": lambda number: connectorx_parquet(place, server, number),
        }
        medians = alternate(contenders)
        loaders = alternate(rivals_of(place, server), rounds=1) if given.peers else {}
    best = round(min(loaders.values()) / medians["polyceph"], 2) if loaders else None
    more: dict[str, Any] = {"rows": given.rows, "times_faster_than_best_loader": best, "wanted": WANTED}
    limit = "duckdb scanner to ducklake"
    finish("sources.mariadb", medians | loaders, ours="polyceph", limit=limit, allowed_ratio=ALLOWED_RATIO, more=more)


def fill(server: MariaDb, rows: int) -> None:
    """Make the generated table, the same columns as in PostgreSQL."""
    progress(f"generating {rows:,} rows x {len(COLUMNS)} columns in MariaDB")
    columns = ", ".join(f"`{name}` {_TYPES[name]}" for name in COLUMNS)
    # The server of the tests compares bytes; people leave it at what MariaDB comes with.
    server.write(f"CREATE DATABASE source COLLATE utf8mb4_general_ci; CREATE TABLE source.{SOURCE} ({columns}, PRIMARY KEY (id));")
    values = ", ".join(_VALUES[name] for name in COLUMNS)
    server.write(f"SET time_zone = '+00:00'; INSERT INTO source.{SOURCE} SELECT {values} FROM source.seq_1_to_{rows};")


def ours(place: Bench, server: MariaDb, number: int, *, rows: int) -> None:
    os.environ[_PASSWORD] = server.password
    given = {"host": "127.0.0.1", "port": server.port, "database": "source", "user": ADMIN, "password_env": _PASSWORD}
    connector = MySqlConnector(MySqlConnector.source_options.model_validate(given), base=place.folder)
    promise = contract(f"ours_{number}")
    with place.open() as lake:
        options = {"table": f"source.{SOURCE}"}
        demand = Demand(promise.dataset, promise, options, None, lambda _: False, place.folder, place.folder, run=f"run {number}")
        reports = [lake.load(delivery, promise, COMMIT) for delivery in connector.deliveries(demand)]
    assert sum(report.rows for report in reports) == rows


def bare(place: Bench, server: MariaDb, number: int, how: str) -> None:
    with place.open() as lake, lake.connection(COMMIT) as connection:
        secret = f"HOST '127.0.0.1', PORT {server.port}, DATABASE 'source', USER '{ADMIN}', PASSWORD '{server.password}'"
        connection.execute(f"CREATE TEMPORARY SECRET plain (TYPE mysql, {secret})")
        connection.execute(f"ATTACH '{how}' AS origin (TYPE mysql, SECRET plain, READ_ONLY)")
        connection.execute(f"CREATE OR REPLACE TABLE {DOMAIN}.raw.bare_{number} AS SELECT * FROM origin.source.{SOURCE}")


def connectorx_parquet(place: Bench, server: MariaDb, number: int) -> None:
    import connectorx
    import pyarrow.parquet

    url = f"mysql://{ADMIN}:{server.password}@127.0.0.1:{server.port}/source"
    table = connectorx.read_sql(url, f"SELECT * FROM {SOURCE}", return_type="arrow", partition_on="id", partition_num=2)
    pyarrow.parquet.write_table(table, place.folder / f"connectorx_{number}.parquet", compression="zstd")


def rivals_of(place: Bench, server: MariaDb) -> dict[str, Callable[[int], None]]:
    """Return dlt in its two fast ways and sling, as whole processes; ingestr makes decimals of MariaDB's doubles, which it then refuses."""
    with psycopg.connect(place.admin.url(), autocommit=True) as session:
        for backend in DLT_BACKENDS:
            session.execute(f"CREATE DATABASE dlt_{backend}")
    source = f"mysql+pymysql://{ADMIN}:{server.password}@127.0.0.1:{server.port}/source"

    def dlt(backend: str) -> Callable[[int], None]:
        folder = place.folder / f"dlt_{backend}"
        folder.mkdir()
        catalogue = place.admin.at(f"dlt_{backend}").url("postgres")
        own = {"backend": backend, "catalogue": catalogue, "folder": folder, "extensions": place.extensions}
        return lambda _: rivals.dlt(source, f"source.{SOURCE}", **own)

    table, plain = f"source.{SOURCE}", source.replace("mysql+pymysql", "mysql")
    return {f"dlt_{backend} to ducklake": dlt(backend) for backend in DLT_BACKENDS} | {
        "sling to csv": lambda _: rivals.sling(f"{plain}?tls=false", table, folder=place.folder),
    }


if __name__ == "__main__":
    main()

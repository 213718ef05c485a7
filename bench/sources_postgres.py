"""sources.postgres: PostgreSQL to the raw zone by the postgres connector, against DuckDB's bare scanner into the same DuckLake, and peers.

Ours asks the server what the table is, attaches it, locks, stages, checks the contract (types, required, primary key), hashes,
registers and commits with the stamp.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import rivals
from harness import COMMIT, DOMAIN, SOURCE, Bench, alternate, attach_source, bench, contract, fill_source, finish

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.source_ports import Demand
from polyceph.lake.attach import create_postgres_secret
from polyceph.lake.engine import open_engine

ALLOWED_RATIO = 1.15
WANTED = 5.0
"""How many times faster than the fastest of dlt, ingestr and sling it is to be."""
DLT_BACKENDS = ("pyarrow", "connectorx")
_PASSWORD = "BENCH_SOURCE_PASSWORD"  # noqa: S105 -- the name of a variable


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=3_000_000)
    arguments.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="dlt, ingestr and sling too, once each")
    given = arguments.parse_args()
    rows = given.rows
    with bench() as place:
        fill_source(place.source, rows)
        contenders = {
            "polyceph": lambda number: ours(place, number, rows),
            "duckdb scanner to ducklake": lambda number: bare(place, number),
            "duckdb scanner to a ducklake of default settings": lambda number: default_lake(place, number),
            "connectorx to parquet": lambda number: connectorx_parquet(place, number),
            "adbc to parquet": lambda number: adbc_parquet(place, number),
        }
        medians = alternate(contenders)
        loaders = alternate(rivals_of(place), rounds=1) if given.peers else {}
    times = {f"times_faster_than_{name.split()[0]}": round(seconds / medians["polyceph"], 2) for name, seconds in loaders.items()}
    best = round(min(loaders.values()) / medians["polyceph"], 2) if loaders else None
    more = {"rows": rows, "times_faster_than_best_loader": best, "wanted": WANTED, **times}
    limit = "duckdb scanner to ducklake"
    finish("sources.postgres", medians | loaders, ours="polyceph", limit=limit, allowed_ratio=ALLOWED_RATIO, more=more)


def rivals_of(place: Bench) -> dict[str, Callable[[int], None]]:
    """Return the loaders that others use, as whole processes; one round of them takes minutes."""
    source, table = place.source.url(), f"public.{SOURCE}"
    with psycopg.connect(place.admin.url(), autocommit=True) as session:
        for backend in DLT_BACKENDS:
            session.execute(f"CREATE DATABASE dlt_{backend}")

    def folder(name: str) -> Path:
        made = place.folder / name
        made.mkdir()
        return made

    def dlt(backend: str) -> Callable[[int], None]:
        catalogue = place.admin.at(f"dlt_{backend}").url("postgres")
        own = {"backend": backend, "catalogue": catalogue, "extensions": place.extensions}
        return lambda _: rivals.dlt(source, table, folder=folder(f"dlt_{backend}"), **own)

    return {
        **{f"dlt_{backend} to ducklake": dlt(backend) for backend in DLT_BACKENDS},
        "ingestr to duckdb": lambda _: rivals.ingestr(source, table, folder=folder("ingestr")),
        "sling to csv": lambda _: rivals.sling(f"{source}?sslmode=disable", table, folder=folder("sling")),
    }


def ours(place: Bench, number: int, rows: int) -> None:
    os.environ[_PASSWORD] = place.source.password.get_secret_value()
    given = {"host": place.source.host, "port": place.source.port, "database": place.source.database, "user": place.source.user}
    options = PostgresConnector.source_options.model_validate({**given, "password_env": _PASSWORD})
    promise, table = contract(f"ours_{number}"), {"table": f"public.{SOURCE}"}
    with place.open() as lake:
        cursor, is_loaded = lake.cursor(promise.dataset), lambda key: lake.is_loaded(promise.dataset, key)
        demand = Demand(promise.dataset, promise, table, cursor, is_loaded, place.folder, place.folder, run=f"run {number}")
        found = PostgresConnector(options, base=place.folder).deliveries(demand)
        reports = [lake.load(delivery, promise, COMMIT) for delivery in found]
    assert sum(report.rows for report in reports) == rows


def bare(place: Bench, number: int) -> None:
    with place.open() as lake, lake.connection(COMMIT) as connection:
        attach_source(connection, place.source)
        connection.execute(f"CREATE TABLE {DOMAIN}.raw.bare_{number} AS SELECT * FROM source.public.{SOURCE}")


def default_lake(place: Bench, number: int) -> None:
    """Write to a DuckLake as DuckLake makes it: snappy, Parquet version 1, no stamp."""
    with open_engine(extensions=place.extensions) as connection:
        attach_source(connection, place.source)
        create_postgres_secret(connection, "plain", place.admin.at("polyceph_lake"))
        options = f"METADATA_SCHEMA 'plain', META_SECRET 'plain', DATA_PATH '{place.folder}/plain/'"
        connection.execute(f"ATTACH 'ducklake:postgres:' AS plain ({options})")
        connection.execute(f"CREATE TABLE plain.bare_{number} AS SELECT * FROM source.public.{SOURCE}")


def connectorx_parquet(place: Bench, number: int) -> None:
    import connectorx
    import pyarrow.parquet

    table = connectorx.read_sql(place.source.url(), f"SELECT * FROM {SOURCE}", return_type="arrow", partition_on="id", partition_num=2)
    pyarrow.parquet.write_table(table, _file(place, f"connectorx_{number}"), compression="zstd")


def adbc_parquet(place: Bench, number: int) -> None:
    import adbc_driver_postgresql.dbapi
    import pyarrow.parquet

    with adbc_driver_postgresql.dbapi.connect(place.source.url()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {SOURCE}")
        reader = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(_file(place, f"adbc_{number}"), reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


def _file(place: Bench, name: str) -> Path:
    return place.folder / f"{name}.parquet"


if __name__ == "__main__":
    main()

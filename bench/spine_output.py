"""spine.output: a gold dataset to a PostgreSQL table by atomic swap, against a bare INSERT through DuckDB's postgres extension.

Ours looks first whether the rows keep their contract (types, required, primary key), as the component does; the same without that look
stands among the peers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import psycopg
from harness import COMMIT, DOMAIN, SOURCE, Bench, alternate, attach_source, bench, contract, fill_source, finish, progress

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.lake.attach import create_postgres_secret
from polyceph.lake.conformity import broken_promises
from polyceph.lake.outputs import to_postgres

ALLOWED_RATIO = 1.25
GOLD = DatasetId(DOMAIN, Zone.GOLD, "served")
FROM = f"{DOMAIN}.gold.served"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=3_000_000)
    rows = arguments.parse_args().rows
    with bench() as place:
        fill_source(place.source, rows)
        progress("copying it into the lake")
        with place.open() as lake, lake.connection(COMMIT) as connection:
            attach_source(connection, place.source)
            connection.execute(f"CREATE TABLE {FROM} AS SELECT * FROM source.public.{SOURCE}")
        _prepare(place)
        contenders = {
            "polyceph": lambda _: checked(place, rows),
            "polyceph without the contract check": lambda _: unchecked(place, rows),
            "duckdb insert": lambda number: bare(place, number),
            "adbc ingest": lambda number: adbc_ingest(place, number),
            "csv and psycopg copy": lambda number: csv_copy(place, number),
        }
        medians = alternate(contenders)
    finish("spine.output", medians, ours="polyceph", limit="duckdb insert", allowed_ratio=ALLOWED_RATIO)


def checked(place: Bench, rows: int) -> None:
    with place.open() as lake, lake.connection() as connection:
        assert broken_promises(connection, GOLD, contract("served")) == []
    unchecked(place, rows)


def unchecked(place: Bench, rows: int) -> None:
    with place.open() as lake:
        report = to_postgres(lake, GOLD, place.target, schema="served", table="rows", commit=COMMIT)
    assert report.rows == rows


def bare(place: Bench, number: int) -> None:
    with place.open() as lake, lake.connection() as connection:
        create_postgres_secret(connection, "target", place.target)
        connection.execute("ATTACH '' AS target (TYPE postgres, SECRET 'target')")
        connection.execute(f"CREATE TABLE target.served.bare_{number} AS SELECT * FROM {FROM} LIMIT 0")
        connection.execute(f"INSERT INTO target.served.bare_{number} SELECT * FROM {FROM}")


def adbc_ingest(place: Bench, number: int) -> None:
    import adbc_driver_postgresql.dbapi

    with (
        place.open() as lake,
        lake.stream(f"SELECT * FROM {FROM}") as reader,
        adbc_driver_postgresql.dbapi.connect(place.target.url()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.adbc_ingest(f"adbc_{number}", reader, mode="create", db_schema_name="served")
        connection.commit()


def csv_copy(place: Bench, number: int) -> None:
    path = place.folder / "rows.csv"
    with place.open() as lake, lake.connection() as connection:
        connection.execute(f"COPY (SELECT * FROM {FROM}) TO '{path}' (FORMAT csv, HEADER false)")
    with psycopg.connect(place.target.url()) as session:
        session.execute(f"CREATE TABLE served.csv_{number} (LIKE served.bare_model)")
        _copy_in(session, path, f"served.csv_{number}")


def _copy_in(session: psycopg.Connection[tuple[object, ...]], path: Path, table: str) -> None:
    with path.open("rb") as file, session.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
        while chunk := file.read(1 << 20):
            copy.write(chunk)


def _prepare(place: Bench) -> None:
    with psycopg.connect(place.target.url(), autocommit=True) as session:
        session.execute("CREATE SCHEMA served")
    with place.open() as lake, lake.connection() as connection:
        create_postgres_secret(connection, "target", place.target)
        connection.execute("ATTACH '' AS target (TYPE postgres, SECRET 'target')")
        connection.execute(f"CREATE TABLE target.served.bare_model AS SELECT * FROM {FROM} LIMIT 0")


if __name__ == "__main__":
    main()

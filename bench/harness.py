"""What the benchmarks share: a server, a lake, a generated source, alternated runs, the one JSON line at the end."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import psycopg
from pydantic import SecretStr

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.lake.attach import create_postgres_secret
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.settings import LakeAddress, PostgresAddress, Settings
from polyceph.store.connection import engine
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.journal import PostgresJournal
from polyceph.store.migrate import migrate
from polyceph.store.server import provision

ROUNDS = 3
DOMAIN = "bench"
SOURCE = "source_rows"
COMMIT = LakeCommit(author="bench", message="Benchmark", run="bench", code="", door="bench")
COLUMNS: Mapping[str, tuple[str, str, str | None]] = {
    "id": ("i", "integer", None),
    "code": ("(i * 7919 % 100000)::int", "integer", None),
    "age": ("(i % 120)::smallint", "integer", None),
    "parent": ("i * 17", "integer", None),
    "bucket": ("(i % 1000)::int", "integer", None),
    "amount": ("(i * 7907 % 10000000)::numeric(12,2) / 100", "number", "numeric(12,2)"),
    "rate": ("(i * 0.37)::numeric(14,4)", "number", "numeric(14,4)"),
    "score": ("(i * 104729 % 1000003)::float8 / 1000003", "number", None),
    "ratio": ("(i * 15485863 % 1000003)::float8 / 50", "number", None),
    "born": ("date '1950-01-01' + (i * 31 % 25000)::int", "date", None),
    "since": ("date '2000-01-01' + (i % 9000)::int", "date", None),
    "seen": ("timestamp '2020-01-01' + i * interval '1 second'", "timestamp", None),
    "changed": ("timestamptz '2021-01-01 00:00Z' + (i * 13 % 50000000) * interval '1 second'", "timestamp", "timestamptz"),
    "active": ("i % 3 = 0", "boolean", None),
    "flag": ("CASE WHEN i % 7 = 0 THEN NULL ELSE i % 2 = 0 END", "boolean", None),
    "name": ("'Person ' || (i * 104729 % 900001)", "string", None),
    "token": ("md5(i::text)", "string", None),
    "street": ("'rue de la Loi ' || (i % 300) || ', Bruxelles'", "string", None),
    "postcode": ("lpad((1000 + i % 9000)::text, 4, '0')", "string", None),
    "note": ("CASE WHEN i % 5 = 0 THEN NULL ELSE 'note ' || (i % 1000) END", "string", None),
}
"""The 20 columns of the generated source: SQL over `i`, logical type, physical type."""
TYPES = {"amount": "numeric(12,2)"}


@dataclass(frozen=True)
class Bench:
    """A running server with an empty lake, the databases `source` and `target`, and a folder to write in."""

    admin: PostgresAddress
    lake: LakeAddress
    extensions: Path
    folder: Path

    @property
    def source(self) -> PostgresAddress:
        return self.admin.at("source")

    @property
    def target(self) -> PostgresAddress:
        return self.admin.at("target")

    def open(self, *, threads: int = 2) -> DomainLake:
        """Return a new handle on the lake, as a run would open it."""
        limits = EngineLimits(threads=threads, temporary=self.folder / "temporary")
        return DomainLake(self.lake, extensions=self.extensions, limits=limits)


@contextmanager
def bench() -> Iterator[Bench]:
    """Start a server and make a lake; everything is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "postgres", stop_with_parent=True) as admin:
            with psycopg.connect(admin.url(), autocommit=True) as session:
                for database in ("polyceph_lake", "source", "target"):
                    session.execute(f"CREATE DATABASE {database}")
                session.execute(f"CREATE ROLE domain_{DOMAIN} LOGIN PASSWORD 'bench'")
            catalogue = admin.at("polyceph_lake")
            own = catalogue.as_role(f"domain_{DOMAIN}", SecretStr("bench"))
            lake = LakeAddress(domain=DOMAIN, catalogue=own, metadata_schema=f"lake_{DOMAIN}", data_path=str(folder / "lake"))
            extensions = install_extensions(folder / "extensions")
            provision_lake(catalogue, lake, {}, extensions=extensions)
            yield Bench(admin, lake, extensions, folder)


@dataclass(frozen=True)
class JournalBench:
    """A running server with an empty journal, its store entered as owner and as application, and a folder to write in."""

    admin: PostgresAddress
    owner: PostgresAddress
    app: PostgresAddress
    journal: PlatformJournal
    folder: Path


@contextmanager
def journal_bench() -> Iterator[JournalBench]:
    """Start a server and open a journal; everything is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "postgres", stop_with_parent=True) as admin:
            addresses = provision(admin, folder / "secrets")
            migrate(addresses.owner)
            store = engine(addresses.app)
            federation = Federation("bench", {}, ("en",), {}, {}, {}, {}, Place("federation.yaml"))
            journal = PlatformJournal(Settings(federation=folder), federation, store, PostgresJournal(store))
            journal.open(Actor(ActorKind.PERSON, "bench"))
            yield JournalBench(admin, addresses.owner, addresses.app, journal, folder)
            store.dispose()


def fill_source(address: PostgresAddress, rows: int) -> None:
    """Make the generated table in PostgreSQL."""
    progress(f"generating {rows:,} rows x {len(COLUMNS)} columns in PostgreSQL")
    values = ", ".join(f"{_typed(name)} AS {name}" for name in COLUMNS)
    with psycopg.connect(address.url(), autocommit=True) as session:
        session.execute(f"CREATE UNLOGGED TABLE {SOURCE} AS SELECT {values} FROM generate_series(1::bigint, {rows}) AS g(i)")
        session.execute(f"VACUUM ANALYZE {SOURCE}")
        session.execute("CHECKPOINT")


def contract(name: str) -> Contract:
    """Return the contract of the generated rows: a primary key, two required columns."""
    columns = tuple(
        Column(column, logical, physical, required=column in ("name", "born"), primary_key=column == "id")
        for column, (_, logical, physical) in COLUMNS.items()
    )
    dataset = DatasetId(DOMAIN, Zone.RAW, name)
    return Contract(dataset, name, "1.0.0", "active", "owner", "steward", Classification.INTERNAL, columns, Place(f"{name}.odcs.yaml"), "")


def attach_source(connection: duckdb.DuckDBPyConnection, address: PostgresAddress) -> None:
    """Attach the generated source READ_ONLY under the name `source`."""
    create_postgres_secret(connection, "source", address)
    connection.execute("ATTACH '' AS source (TYPE postgres, SECRET 'source', READ_ONLY)")


def alternate(contenders: Mapping[str, Callable[[int], None]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Run all contenders in turn, `rounds` times, the order turned each time; return the median seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            contenders[name](number)
            seconds[name].append(time.perf_counter() - start)
            progress(f"round {number + 1}/{rounds} {name}: {seconds[name][-1]:.2f} s")
    return {name: statistics.median(values) for name, values in seconds.items()}


def finish(
    name: str, medians: dict[str, float], *, ours: str, limit: str, allowed_ratio: float, more: Mapping[str, object] | None = None
) -> None:
    """Print the one JSON line and end with 1 when the ratio to the limit is more than allowed."""
    peers = {peer: round(value, 3) for peer, value in medians.items() if peer not in (ours, limit)}
    ratio = medians[ours] / medians[limit]
    result = {
        "bench": name,
        "ours_s": round(medians[ours], 3),
        "limit_s": round(medians[limit], 3),
        "ratio_to_limit": round(ratio, 3),
        "allowed_ratio": allowed_ratio,
        "peers": peers,
        "ratio_to_best_peer": round(medians[ours] / min(peers.values()), 3) if peers else None,
        **(more or {}),
        "machine": machine(),
    }
    print(json.dumps(result))
    sys.exit(0 if ratio <= allowed_ratio else 1)


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    memory = round(psutil.virtual_memory().total / 2**30, 1)
    versions = {"python": platform.python_version(), "duckdb": duckdb.__version__}
    return {"cores": os.cpu_count(), "memory_gib": memory, "system": platform.platform(terse=True), **versions}


def progress(text: str) -> None:
    """Tell on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def _typed(name: str) -> str:
    return f"({COLUMNS[name][0]})::{TYPES[name]}" if name in TYPES else COLUMNS[name][0]

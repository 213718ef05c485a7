"""Serving a dataset of the lake as a PostgreSQL table that is swapped whole; files are in `files`."""

from __future__ import annotations

# ruff: noqa: S608 -- identifiers go through `quote` or psycopg's, values are parameters
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import psycopg
from psycopg import sql

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.reading import SERVED, Reading
from polyceph.errors import Conflict, Denied, Unavailable
from polyceph.lake.attach import create_postgres_secret
from polyceph.lake.engine import quote
from polyceph.lake.facts import TableFacts
from polyceph.lake.lake import DomainLake
from polyceph.lake.swap import swap_table
from polyceph.lake.transaction import reason
from polyceph.settings import PostgresAddress

_TARGET, _DOOR = "polyceph_output", "output"


@dataclass(frozen=True)
class OutputReport:
    """What was served: from which snapshot and contract version, how many rows, where. `bytes` on the target's disk."""

    dataset: DatasetId
    address: str
    rows: int
    bytes: int
    snapshot: int
    contract: str | None
    sha256: str | None = None


def to_postgres(
    lake: DomainLake,
    dataset: DatasetId,
    target: PostgresAddress,
    *,
    schema: str,
    table: str,
    commit: LakeCommit,
    contract: Contract | None = None,
) -> OutputReport:
    """Copy a dataset into a staging table and swap it in one transaction; readers see the old table or the new one, whole.

    Grants, comments and column descriptions of the old table are kept; a contract's descriptions win. The table's comment ends with a
    line of JSON that names dataset, snapshot, contract version, run and code.

    That it is served is recorded before the swap.

    Raises:
        NotFound: the lake has no such dataset.
        Conflict: something depends on the old table that a swap would lose (a view, row security), or it is read for too long.
        Denied: the role may not write there.
        Unavailable: lake or target does not answer, or the serving cannot be recorded.
    """
    facts = lake.facts(dataset)  # a dataset that is not there is not found, before anything is written
    snapshot = lake.newest_snapshot()
    staging = f"_polyceph_new_{hashlib.sha256(table.encode()).hexdigest()[:16]}"
    version = contract.version if contract else commit.contracts.get(str(dataset))
    lineage = {"dataset": str(dataset), "snapshot": snapshot, "contract": version, "run": commit.run, "code": commit.code}
    with _session(target, schema, table) as session:
        _prepare(session, schema, staging)
        rows = _copy(lake, dataset, target, to=(schema, staging), snapshot=snapshot)
        report = OutputReport(dataset, f"{target.shown()}/{schema}.{table}", rows, 0, snapshot, version)
        say_served(lake, report, facts, commit)
        swap_table(session, schema=schema, table=table, staging=staging, lineage=json.dumps(lineage), contract=contract)
        name = sql.Identifier(schema, table).as_string(session)
        size = session.execute("SELECT pg_total_relation_size(%s::regclass)", [name]).fetchone()
    return replace(report, bytes=size[0] if size else 0)


def say_served(lake: DomainLake, report: OutputReport, facts: TableFacts, commit: LakeCommit) -> None:
    """Record that a dataset is served outside the lake. Called once the rows are there and before anybody sees them.

    A serving that fails after this stands in the journal all the same, beside its failed run; never the other way round.

    Raises:
        Unavailable: it cannot be recorded; then nothing is served.
        Denied: the domain's role may not record it.
    """
    columns = tuple(name for name, _ in facts.columns)
    served = Reading(
        SERVED, report.dataset, _DOOR, run=commit.run, columns=columns, rows=report.rows, snapshot=report.snapshot, where=report.address
    )
    lake.outbox.say([served])


@contextmanager
def _session(target: PostgresAddress, schema: str, table: str) -> Iterator[psycopg.Connection[Any]]:
    """Open the target and hold the lock of this output, so that two runs never share a staging table."""
    word = target.password.get_secret_value()
    try:
        session = psycopg.connect(
            host=target.host,
            port=target.port,
            dbname=target.database,
            user=target.user,
            password=word,
            autocommit=True,
            application_name="polyceph output",
        )
    except psycopg.OperationalError as error:
        raise Unavailable(f"the output database {target.shown()} does not answer", hint="is PostgreSQL up?") from error
    try:
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"polyceph.output/{schema}/{table}"])
        yield session
    except psycopg.errors.InsufficientPrivilege as error:
        raise Denied(f"{target.user} may not write {schema}.{table}", hint="the domain's role must own the schema") from error
    except psycopg.errors.LockNotAvailable as error:
        raise Conflict(f"{schema}.{table} is being read for too long; the old rows stay", hint="run it again") from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"the output database {target.shown()} broke off; the old rows stay", hint="run it again") from error
    finally:
        session.close()


def _prepare(session: psycopg.Connection[Any], schema: str, staging: str) -> None:
    if session.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is None:
        session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, staging)))


def _copy(lake: DomainLake, dataset: DatasetId, target: PostgresAddress, *, to: tuple[str, str], snapshot: int) -> int:
    source = ".".join(map(quote, (dataset.domain, dataset.zone.value, dataset.name)))
    place = ".".join(map(quote, (_TARGET, *to)))
    with lake.alone() as connection:
        create_postgres_secret(connection, _TARGET, target)
        try:
            connection.execute(f"ATTACH '' AS {_TARGET} (TYPE postgres, SECRET {quote(_TARGET)})")
            row = connection.execute(f"CREATE TABLE {place} AS SELECT * FROM {source} AT (VERSION => {int(snapshot)})").fetchone()
        except duckdb.Error as error:
            raise Unavailable(f"{dataset} could not be copied to {target.shown()}: {reason(error)}; the old rows stay") from error
    return int(row[0]) if row else 0

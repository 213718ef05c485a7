"""Housekeeping of one lake under the locks of all its tables: small files, old snapshots, files nobody names, and a check after it."""

from __future__ import annotations

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Conflict, Invalid, Unavailable
from polyceph.lake.engine import literal, quote
from polyceph.lake.facts import table_entries
from polyceph.lake.lake import DomainLake
from polyceph.lake.load import originals_of_loads
from polyceph.lake.locks import catalogue_session
from polyceph.lake.storage import ORIGINALS, STAGING, is_remote
from polyceph.lake.transaction import reason


@dataclass(frozen=True)
class Keep:
    """What housekeeping leaves alone: snapshots younger than `snapshot_days`, files younger than `grace_hours`, at least one.

    Without a grace time housekeeping would take the files of loads that are under way.
    """

    snapshot_days: int = 30
    grace_hours: int = 24

    def __post_init__(self) -> None:
        if self.grace_hours < 1 or self.snapshot_days < 0:
            raise Invalid(f"cannot keep {self.snapshot_days} days and {self.grace_hours} hours", hint="the grace time is 1 hour at least")


@dataclass(frozen=True)
class MaintenanceReport:
    """What housekeeping did. Every table in `tables` was scanned and holds as many rows as its catalogue says."""

    domain: str
    tables: tuple[DatasetId, ...]
    rows: int
    snapshots_expired: int
    files_merged: int
    files_removed: int
    orphans_removed: int
    leftovers_removed: int


def maintain(lake: DomainLake, commit: LakeCommit, *, keep: Keep = Keep(), wait_seconds: float = 60.0) -> MaintenanceReport:
    """Merge small files, expire snapshots, remove files that no snapshot names and what killed loads left, then check every table.

    Files of raw are never merged or rewritten: each is named by the hash of its bytes and stays the proof of its load. An original goes
    when neither a committed load nor the quarantine names it and it is older than the grace time; in a bucket that is left to the
    bucket's own rules.

    Raises:
        Conflict: a table is being written longer than `wait_seconds`, or a table's rows differ from its catalogue afterwards.
        Unavailable: catalogue or storage does not answer.
    """
    with catalogue_session(lake.own) as session:
        tables = [DatasetId(lake.own.domain, zone, name) for zone in Zone for name in table_entries(session, lake.own, zone)]
    with lake.writing(tables, wait_seconds=wait_seconds), lake.connection(commit) as connection:
        try:
            merged = sum(_merge(connection, lake, table) for table in tables if table.zone is not Zone.RAW)
            expired = _expire(connection, lake, keep)
            removed = _remove(connection, lake, "ducklake_cleanup_old_files", keep)
            orphans = _remove(connection, lake, "ducklake_delete_orphaned_files", keep)
        except duckdb.Error as error:
            raise Unavailable(f"housekeeping of the lake of {lake.own.domain} stopped: {reason(error)}") from error
        named = originals_of_loads(connection, lake.own.domain) | lake.quarantine.originals()
        leftovers = _remove_leftovers(lake, keep, named)
        rows = sum(_checked_rows(connection, lake, table) for table in tables)
    return MaintenanceReport(lake.own.domain, tuple(tables), rows, expired, merged, removed, orphans, leftovers)


def _merge(connection: duckdb.DuckDBPyConnection, lake: DomainLake, table: DatasetId) -> int:
    call = f"ducklake_merge_adjacent_files({_name(lake)}, {literal(table.name)}, schema => {literal(table.zone.value)})"
    return _count(connection, f"SELECT coalesce(sum(files_processed), 0) FROM {call}")


def _expire(connection: duckdb.DuckDBPyConnection, lake: DomainLake, keep: Keep) -> int:
    moment = _before(timedelta(days=keep.snapshot_days))
    return _count(connection, f"SELECT count(*) FROM ducklake_expire_snapshots({_name(lake)}, older_than => {moment})")


def _remove(connection: duckdb.DuckDBPyConnection, lake: DomainLake, function: str, keep: Keep) -> int:
    moment = _before(timedelta(hours=keep.grace_hours))
    return _count(connection, f"SELECT count(*) FROM {function}({_name(lake)}, older_than => {moment})")


def _remove_leftovers(lake: DomainLake, keep: Keep, named: frozenset[str]) -> int:
    """Remove what killed loads left on this machine: staging folders, half-written originals, those that nothing names."""
    root = lake.temporary if is_remote(lake.own) else Path(lake.own.data_path)
    oldest = time.time() - keep.grace_hours * 3600
    originals = (root / ORIGINALS).glob("*/*")
    found = [*(root / STAGING).glob("*"), *(path for path in originals if str(path.relative_to(root)) not in named)]
    old = [path for path in found if path.stat().st_mtime <= oldest]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(old)


def _checked_rows(connection: duckdb.DuckDBPyConnection, lake: DomainLake, table: DatasetId) -> int:
    facts = lake.facts(table)
    name = ".".join(map(quote, (table.domain, table.zone.value, table.name)))
    # hash() makes DuckDB read the column; a bare count(*) is answered from the catalogue.
    column = quote(facts.columns[0][0])
    try:
        scanned = _count(connection, f"SELECT count(*) FROM {name} WHERE hash({column}) IS NOT NULL")
    except duckdb.Error as error:
        raise Conflict(f"{table} cannot be read: {reason(error)}", hint="restore its files") from error
    if scanned != facts.rows:
        raise Conflict(f"{table} holds {scanned} rows and its catalogue says {facts.rows}", hint="restore it from a snapshot")
    return scanned


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    # All rows must be fetched: a result left open keeps its transaction open, and the next statement rolls it back.
    return int(connection.execute(query).fetchall()[0][0])


def _before(age: timedelta) -> str:
    return f"TIMESTAMPTZ {literal((datetime.now(UTC) - age).isoformat())}"


def _name(lake: DomainLake) -> str:
    return literal(lake.own.domain)

"""What the catalogue knows without reading data: tables, columns, sizes, snapshots, committed loads. Reads only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Form, form_of
from polyceph.core.ports import SnapshotRecord
from polyceph.errors import NotFound
from polyceph.settings import LakeAddress


@dataclass(frozen=True)
class TableFacts:
    """A dataset in its lake. `columns` are (name, DuckDB type); a view has `rows` None. `snapshot` is the last that changed it."""

    rows: int | None
    bytes: int
    files: int
    snapshot: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TableEntry:
    """A table in the catalogue: its id, its folder below the data path, its columns by name as (id, type, nullable)."""

    table_id: int
    folder: str
    columns: dict[str, tuple[int, str, bool]]


_TABLE = """
SELECT t.table_id, s.path, s.path_is_relative, t.path, t.path_is_relative, t.begin_snapshot
FROM {schema}.ducklake_table t JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
WHERE t.end_snapshot IS NULL AND s.schema_name = %s AND t.table_name = %s
"""
_NAMES = """
SELECT t.table_name FROM {schema}.ducklake_table t JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id
WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = %s ORDER BY 1
"""
_NUMBERS = """
SELECT DISTINCT t.table_id FROM {schema}.ducklake_table t JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id
WHERE s.schema_name = %s AND t.table_name = %s
"""
_COLUMNS = """
SELECT column_name, column_id, column_type, nulls_allowed FROM {schema}.ducklake_column
WHERE table_id = %s AND end_snapshot IS NULL AND parent_column IS NULL ORDER BY column_order
"""
_SIZES = """
SELECT coalesce(sum(f.record_count), 0)::bigint, coalesce(sum(f.file_size_bytes), 0)::bigint, count(*)::bigint, max(f.begin_snapshot)
FROM {schema}.ducklake_data_file f WHERE f.table_id = %s AND f.end_snapshot IS NULL
"""
_DELETED = """
SELECT coalesce(sum(delete_count), 0)::bigint, max(begin_snapshot) FROM {schema}.ducklake_delete_file
WHERE table_id = %s AND end_snapshot IS NULL
"""
_ENDED = "SELECT max(end_snapshot) FROM {schema}.ducklake_data_file WHERE table_id = %s"
_VIEW = """
SELECT v.begin_snapshot FROM {schema}.ducklake_view v JOIN {schema}.ducklake_schema s ON s.schema_id = v.schema_id
WHERE v.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = %s AND v.view_name = %s
"""
_SNAPSHOTS = """
SELECT s.snapshot_id, s.snapshot_time, c.author, c.commit_message, c.commit_extra_info, c.changes_made
FROM {schema}.ducklake_snapshot s JOIN {schema}.ducklake_snapshot_changes c ON c.snapshot_id = s.snapshot_id
WHERE s.snapshot_id > %s ORDER BY s.snapshot_id
"""
_NEWEST = "SELECT max(snapshot_id) FROM {schema}.ducklake_snapshot"
_LOADED = "SELECT snapshot_id FROM {schema}.polyceph_load WHERE dataset = %s AND key = %s"
_CURSOR = "SELECT cursor FROM {schema}.polyceph_load WHERE dataset = %s AND cursor IS NOT NULL ORDER BY snapshot_id DESC LIMIT 1"
_LAST_KEY = "SELECT key FROM {schema}.polyceph_load WHERE dataset = %s AND origin = %s ORDER BY snapshot_id DESC LIMIT 1"
_LAST_FORM = "SELECT form FROM {schema}.polyceph_load WHERE dataset = %s AND form IS NOT NULL ORDER BY snapshot_id DESC LIMIT 1"
_FILES = "SELECT path, path_is_relative FROM {schema}.ducklake_data_file WHERE table_id = %s AND begin_snapshot = %s ORDER BY path"
_TYPES = {
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "int128": "HUGEINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "uint128": "UHUGEINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "timetz": "TIME WITH TIME ZONE",
}
"""DuckLake's names of types where they differ from DuckDB's."""


def table_entry(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> TableEntry | None:
    """Return a table's entry in the catalogue, None when there is no such table."""
    row = _ask(session, lake, _TABLE, dataset.zone.value, dataset.name).fetchone()
    if row is None:
        return None
    # A folder that is not relative was set by somebody else's tool; new files then go to the usual place.
    folder = f"{row[1]}{row[3]}" if row[2] and row[4] else f"{dataset.zone}/{dataset.name}/"
    columns = _ask(session, lake, _COLUMNS, row[0])
    return TableEntry(row[0], folder, {c[0]: (c[1], duckdb_type(c[2]), c[3]) for c in columns})


def table_entries(session: psycopg.Connection[Any], lake: LakeAddress, zone: Zone) -> list[str]:
    """Return the names of the tables of a zone, sorted."""
    return [row[0] for row in _ask(session, lake, _NAMES, zone.value)]


def table_numbers(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> frozenset[int]:
    """Return the numbers under which the catalogue knows, or knew, the tables of a dataset; what a snapshot changed is told by them."""
    return frozenset(row[0] for row in _ask(session, lake, _NUMBERS, dataset.zone.value, dataset.name))


def table_facts(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> TableFacts:
    """Return rows, bytes, files, last snapshot and columns of a dataset; raise `NotFound` when the lake has no such table or view."""
    row = _ask(session, lake, _TABLE, dataset.zone.value, dataset.name).fetchone()
    if row is None:
        return _view_facts(session, lake, dataset)
    columns = tuple((c[0], duckdb_type(c[2])) for c in _ask(session, lake, _COLUMNS, row[0]))
    count, size, files, added = _ask(session, lake, _SIZES, row[0]).fetchone() or (0, 0, 0, None)
    deleted, touched = _ask(session, lake, _DELETED, row[0]).fetchone() or (0, None)
    (ended,) = _ask(session, lake, _ENDED, row[0]).fetchone() or (None,)
    snapshot = max(s for s in (row[5], added, touched, ended) if s is not None)
    return TableFacts(count - deleted, size, files, snapshot, columns)


def current_snapshot(session: psycopg.Connection[Any], lake: LakeAddress) -> int:
    """Return the lake's newest snapshot. A table's own last snapshot may have been expired since; this one never is."""
    row = _ask(session, lake, _NEWEST).fetchone()
    return int(row[0]) if row else 0


def snapshot_records(session: psycopg.Connection[Any], lake: LakeAddress, since: int) -> list[SnapshotRecord]:
    """Return the snapshots after `since`, oldest first."""
    return [
        SnapshotRecord(lake.domain, row[0], row[1], row[2], row[3], _extra(row[4]), row[5] or "")
        for row in _ask(session, lake, _SNAPSHOTS, since)
    ]


def loaded_snapshot(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId, key: str) -> int | None:
    """Return the snapshot in which a delivery was committed, None when it was not."""
    row = _ask(session, lake, _LOADED, str(dataset), key).fetchone()
    return row[0] if row else None


def last_cursor(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> str | None:
    """Return the cursor of the last committed load that had one."""
    row = _ask(session, lake, _CURSOR, str(dataset)).fetchone()
    return row[0] if row else None


def last_key(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId, origin: str) -> str | None:
    """Return the key of the last committed delivery of an origin, None when nothing came from it."""
    row = _ask(session, lake, _LAST_KEY, str(dataset), origin).fetchone()
    return row[0] if row else None


def last_form(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> Form | None:
    """Return what the last committed delivery looked like, None before the first."""
    row = _ask(session, lake, _LAST_FORM, str(dataset)).fetchone()
    return form_of(row[0]) if row else None


def loaded_files(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId, key: str) -> list[str]:
    """Return the whole paths of the files that a committed load added, sorted; raise `NotFound` when there is no such load."""
    snapshot = loaded_snapshot(session, lake, dataset, key)
    entry = table_entry(session, lake, dataset)
    if snapshot is None or entry is None:
        raise NotFound(f"{dataset} has no load {key}")
    rows = _ask(session, lake, _FILES, entry.table_id, snapshot)
    return [f"{lake.data_path.rstrip('/')}/{entry.folder}{path}" if is_relative else path for path, is_relative in rows]


def duckdb_type(name: str) -> str:
    """Return DuckDB's name of a type of DuckLake's catalogue."""
    return _TYPES.get(name.lower(), name.upper())


def _view_facts(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId) -> TableFacts:
    row = _ask(session, lake, _VIEW, dataset.zone.value, dataset.name).fetchone()
    if row is None:
        raise NotFound(f"the lake has no {dataset}", hint="has its pipeline run?")
    return TableFacts(None, 0, 0, row[0], ())


def _extra(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"text": text}


def _ask(session: psycopg.Connection[Any], lake: LakeAddress, query: str, *values: object) -> psycopg.Cursor[Any]:
    try:
        return session.execute(sql.SQL(query).format(schema=sql.Identifier(lake.metadata_schema)), values)
    except psycopg.errors.UndefinedTable as error:
        raise NotFound(f"the lake of {lake.domain} is not made yet", hint="polyceph up makes it") from error

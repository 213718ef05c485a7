"""How a lake's tables grew, told by its catalogue alone: SQL on PostgreSQL, no row is read and DuckDB is not loaded. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.settings import LakeAddress


@dataclass(frozen=True)
class TableState:
    """A dataset in its lake now. A view has no rows of its own (None); `changed_at` is None once its last snapshot has expired."""

    rows: int | None
    bytes: int
    changed_at: datetime | None


@dataclass(frozen=True)
class RowCount:
    """How many rows a dataset held after a snapshot."""

    at: datetime
    rows: int
    snapshot: int


_STATES = """
WITH tables AS (
    SELECT t.table_id, t.begin_snapshot, s.schema_name AS zone, t.table_name AS name
    FROM {schema}.ducklake_table t JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
    WHERE t.end_snapshot IS NULL
), files AS (
    SELECT table_id, coalesce(sum(record_count) FILTER (WHERE end_snapshot IS NULL), 0) AS rows,
           coalesce(sum(file_size_bytes) FILTER (WHERE end_snapshot IS NULL), 0) AS bytes,
           greatest(max(begin_snapshot), max(end_snapshot), max(partial_max)) AS last
    FROM {schema}.ducklake_data_file GROUP BY table_id
), deleted AS (
    SELECT table_id, coalesce(sum(delete_count) FILTER (WHERE end_snapshot IS NULL), 0) AS rows,
           greatest(max(begin_snapshot), max(partial_max)) AS last
    FROM {schema}.ducklake_delete_file GROUP BY table_id
), found AS (
    SELECT t.zone, t.name, (coalesce(f.rows, 0) - coalesce(d.rows, 0))::bigint AS rows, coalesce(f.bytes, 0)::bigint AS bytes,
           greatest(t.begin_snapshot, f.last, d.last) AS last
    FROM tables t LEFT JOIN files f USING (table_id) LEFT JOIN deleted d USING (table_id)
    UNION ALL
    SELECT s.schema_name, v.view_name, NULL, 0, v.begin_snapshot
    FROM {schema}.ducklake_view v JOIN {schema}.ducklake_schema s ON s.schema_id = v.schema_id AND s.end_snapshot IS NULL
    WHERE v.end_snapshot IS NULL
)
SELECT found.zone, found.name, found.rows, found.bytes, n.snapshot_time
FROM found LEFT JOIN {schema}.ducklake_snapshot n ON n.snapshot_id = found.last
"""
# A dataset that is written anew gets another table under its name, so all tables that ever bore it are added up. DuckLake merges files of
# several snapshots into one that counts them together (`partial_max` is the last of them): what was in between it tells no more.
_GROWTH = """
WITH tables AS (
    SELECT t.table_id, max(t.end_snapshot) FILTER (WHERE NOT EXISTS (
        SELECT FROM {schema}.ducklake_table n WHERE n.table_id = t.table_id AND n.end_snapshot IS NULL)) AS ended
    FROM {schema}.ducklake_table t JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id
    WHERE s.schema_name = %s AND t.table_name = %s GROUP BY t.table_id
), files AS (
    SELECT f.data_file_id, f.begin_snapshot, least(f.end_snapshot, t.ended) AS end_snapshot, f.record_count, f.partial_max
    FROM {schema}.ducklake_data_file f JOIN tables t USING (table_id)
), merged AS (
    SELECT begin_snapshot AS first, partial_max AS last FROM files WHERE partial_max IS NOT NULL
    UNION ALL
    SELECT d.begin_snapshot, d.partial_max
    FROM {schema}.ducklake_delete_file d JOIN files f USING (data_file_id) WHERE d.partial_max IS NOT NULL
), changes AS (
    SELECT begin_snapshot AS snapshot, record_count AS rows FROM files
    UNION ALL SELECT end_snapshot, -record_count FROM files WHERE end_snapshot IS NOT NULL
    UNION ALL SELECT d.begin_snapshot, -d.delete_count FROM {schema}.ducklake_delete_file d JOIN files f USING (data_file_id)
    UNION ALL SELECT least(d.end_snapshot, f.end_snapshot), d.delete_count
    FROM {schema}.ducklake_delete_file d JOIN files f USING (data_file_id) WHERE least(d.end_snapshot, f.end_snapshot) IS NOT NULL
    UNION ALL SELECT last, 0 FROM merged
), counts AS (
    SELECT snapshot, sum(sum(rows)) OVER (ORDER BY snapshot) AS rows FROM changes GROUP BY snapshot
)
SELECT n.snapshot_time, c.rows::bigint, c.snapshot FROM counts c JOIN {schema}.ducklake_snapshot n ON n.snapshot_id = c.snapshot
WHERE NOT EXISTS (SELECT FROM merged m WHERE m.first <= c.snapshot AND c.snapshot < m.last)
ORDER BY c.snapshot DESC LIMIT %s
"""


def table_states(session: psycopg.Connection[Any], lake: LakeAddress) -> Mapping[DatasetId, TableState]:
    """Return every dataset that the lake holds now; what stands in no zone is left out."""
    zones = {zone.value for zone in Zone}
    rows = session.execute(_with_schema(_STATES, lake))
    return {DatasetId(lake.domain, Zone(row[0]), row[1]): TableState(*row[2:]) for row in rows if row[0] in zones}


def row_counts(session: psycopg.Connection[Any], lake: LakeAddress, dataset: DatasetId, *, most: int = 200) -> tuple[RowCount, ...]:
    """Return the rows of a dataset after each snapshot that changed it, oldest first, the last `most`.

    Snapshots that have expired are left out, and those of which the catalogue no longer tells how many rows there were.
    """
    found = session.execute(_with_schema(_GROWTH, lake), (dataset.zone.value, dataset.name, most)).fetchall()
    return tuple(RowCount(*row) for row in reversed(found))


def _with_schema(statement: str, lake: LakeAddress) -> sql.Composed:
    return sql.SQL(statement).format(schema=sql.Identifier(lake.metadata_schema))

"""Replacing the whole content of a table in one commit: what Python assets and shell commands write. Raw is never replaced."""

from __future__ import annotations

import duckdb

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.source_ports import ArrowStream
from polyceph.errors import Invalid
from polyceph.lake.engine import quote
from polyceph.lake.locks import TableLock
from polyceph.lake.stream import registered
from polyceph.lake.transaction import stamped

REPLACEABLE = (Zone.BRONZE, Zone.SILVER, Zone.GOLD)


def replace_table(
    connection: duckdb.DuckDBPyConnection, dataset: DatasetId, rows: ArrowStream | str, *, commit: LakeCommit, lock: TableLock
) -> None:
    """Put the rows of a SELECT or an Arrow stream in place of a table's content, or make the table.

    Readers see the old content until the commit and all of the new after it; columns and types follow the rows.

    Raises:
        Invalid: the dataset is raw, or the SELECT is wrong.
        Unavailable: the catalogue or the storage does not take the change.
    """
    if dataset.zone not in REPLACEABLE:
        raise Invalid(f"{dataset} cannot be replaced: raw is append-only, outputs are served", hint="write to bronze, silver or gold")
    if isinstance(rows, str):
        _replace(connection, dataset, rows, commit=commit, lock=lock)
        return
    with registered(connection, rows) as select:
        _replace(connection, dataset, select, commit=commit, lock=lock)


def _replace(connection: duckdb.DuckDBPyConnection, dataset: DatasetId, select: str, *, commit: LakeCommit, lock: TableLock) -> None:
    table = f"{quote(dataset.domain)}.{quote(dataset.zone)}.{quote(dataset.name)}"
    with stamped(connection, dataset.domain, commit, lock=lock):
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS {select}")

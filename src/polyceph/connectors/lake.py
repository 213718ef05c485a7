"""The connector `lake`: tables of another DuckLake, of Delta or of Iceberg, read-only, one delivery a version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from polyceph.connectors.lake_engine import Selected, engine, shown
from polyceph.connectors.lake_iceberg import IcebergRows, iceberg_table, table_names
from polyceph.connectors.lake_options import LakeDataset, LakeSource
from polyceph.connectors.lake_select import Table, changes, has_changed, matched, table_of, tables, whole
from polyceph.connectors.validation import validated
from polyceph.sdk import (
    ArrowStream,
    Column,
    Delivery,
    Demand,
    Follows,
    Invalid,
    LoadMode,
    Note,
    Options,
    Sample,
    SourceColumn,
    SourceTable,
)

_TYPES = {"BOOLEAN": "boolean", "DATE": "date", "TIME": "time", "VARCHAR": "string", "UUID": "string", "JSON": "object"}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


class LakeConnector:
    """Reads tables of other lakes. The version of the table (DuckLake's snapshot, Delta's version, Iceberg's snapshot) is the cursor.

    A DuckLake tells what changed, so after the first load only that is read, deletions included. Delta and Iceberg are read whole
    when their version is another, and the load keeps the differences. Nothing is ever written there.
    """

    source_options: ClassVar[type[Options]] = LakeSource
    dataset_options: ClassVar[type[Options]] = LakeDataset
    summary: ClassVar[str] = "Tables of another DuckLake, of Delta Lake or of Iceberg, by version."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(LakeSource, options, "source of connector lake")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield the table's version now, or what changed since the last load; nothing when it is the same.

        Raises:
            Invalid: the options are wrong, or the table does not have the promised columns.
            NotFound: there is no such catalogue or table.
            Denied, Misconfigured, Unavailable: the lake cannot be entered or read.
        """
        dataset = validated(LakeDataset, demand.options, f"options of {demand.dataset}")
        if dataset.mode == "changes" and (self._source.kind != "ducklake" or not _has_key(demand)):
            raise Invalid("mode changes needs a ducklake and a contract with a primary key", hint="leave out mode")
        reading = dataset.digest(demand.contract.columns)
        delivery = self._iceberg(demand, dataset, reading) if self._source.kind == "iceberg" else self._table(demand, dataset, reading)
        if delivery is not None and not demand.is_loaded(delivery.key):
            yield delivery

    def tables(self) -> Iterator[SourceTable]:
        """Yield the tables of the lake."""
        if self._source.kind == "iceberg":
            names = table_names(self._source, self._base)
        else:
            with engine(self._source, self._base) as connection:
                names = tables(connection, self._source, self._base)
        for name in names:
            yield SourceTable(name, {"table": name})

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002 - nothing is kept
        """Return the first rows of a table with its columns."""
        dataset = validated(LakeDataset, options, "options of the sample")
        if self._source.kind == "iceberg":
            return self._iceberg_sample(dataset, rows)
        with engine(self._source, self._base) as connection:
            table = table_of(connection, self._source, self._base, dataset.table)
        own = tuple(_described(name, kind) for name, kind in table.columns.items())
        chosen = [(Column(one.name, one.logical_type or "string"), one.name) for one in own]
        select, values = whole(table, chosen, dataset)
        return Sample(own, Selected(self._source, self._base, f"{select} LIMIT {int(rows)}", values), (_version(table.version),))

    def _table(self, demand: Demand, dataset: LakeDataset, reading: str) -> Delivery | None:
        with engine(self._source, self._base) as connection:
            table = table_of(connection, self._source, self._base, dataset.table)
            columns = matched(demand.contract.columns, table.columns, dataset, table.name)
            since = _since(demand.cursor, reading)
            if since == table.version:
                return None
            is_change = since is not None and self._tells_changes(demand, dataset) and table.oldest <= since < table.version
            if is_change and since is not None and not has_changed(connection, table, since):
                return None
        select, values = changes(table, since, columns, dataset) if is_change and since is not None else whole(table, columns, dataset)
        notes = [_version(table.version), *_left_out(table, columns)]
        if since is not None and not is_change and self._tells_changes(demand, dataset):
            notes.append(Note("history", "the versions since the last load are gone, so the whole was read and compared", str(since)))
        mode = LoadMode.MERGE if is_change else LoadMode.DIFF if _has_key(demand) else LoadMode.APPEND
        rows = Selected(self._source, self._base, select, values)
        return self._delivery(demand, (table.name, table.version, reading), rows, mode=mode, notes=tuple(notes))

    def _iceberg(self, demand: Demand, dataset: LakeDataset, reading: str) -> Delivery | None:
        table = iceberg_table(self._source, self._base, dataset.table)
        snapshot = table.current_snapshot()
        known = {field.name: str(field.field_type) for field in table.schema().fields}
        columns = matched(demand.contract.columns, known, dataset, dataset.table)
        if snapshot is None or _since(demand.cursor, reading) == snapshot.snapshot_id:
            return None
        rows = IcebergRows(self._source, table, snapshot.snapshot_id, tuple(columns), dataset)
        mode = LoadMode.DIFF if _has_key(demand) else LoadMode.APPEND
        notes = (_version(snapshot.snapshot_id),)
        return self._delivery(demand, (dataset.table, snapshot.snapshot_id, reading), rows, mode=mode, notes=notes)

    def _delivery(
        self, demand: Demand, of: tuple[str, int, str], rows: ArrowStream, *, mode: LoadMode, notes: tuple[Note, ...]
    ) -> Delivery:
        name, version, reading = of
        # From where to where: the same version reached from another one is another list of changes.
        identity = "\n".join((str(demand.dataset), shown(self._source), name, str(demand.cursor), str(version), reading))
        key = f"version-{hashlib.sha256(identity.encode()).hexdigest()[:40]}"
        follows = Follows(demand.cursor)
        return Delivery(key, rows, f"{version}:{reading}", notes=notes, origin=name, follows=follows, mode=mode)

    def _tells_changes(self, demand: Demand, dataset: LakeDataset) -> bool:
        return self._source.kind == "ducklake" and dataset.mode != "snapshot" and _has_key(demand)

    def _iceberg_sample(self, dataset: LakeDataset, rows: int) -> Sample:
        table = iceberg_table(self._source, self._base, dataset.table)
        snapshot = table.current_snapshot()
        fields = table.schema().fields
        own = tuple(_iceberg_column(field) for field in fields)
        chosen = tuple((Column(field.name, "string"), field.name) for field in fields)
        if snapshot is None:
            raise Invalid(f"{dataset.table} is empty: it has no snapshot", hint="ask its owner")
        stream = IcebergRows(self._source, table, snapshot.snapshot_id, chosen, dataset, limit=rows)
        return Sample(own, stream, (_version(snapshot.snapshot_id),))


def _has_key(demand: Demand) -> bool:
    return any(column.primary_key for column in demand.contract.columns)


def _since(cursor: str | None, reading: str) -> int | None:
    """Return the version of the last load, None when there was none or the table was read in another way then."""
    version, _, way = (cursor or "").partition(":")
    return int(version) if way == reading and version.lstrip("-").isdecimal() else None


def _version(version: int) -> Note:
    return Note("version", "version of the table that was read", str(version))


def _left_out(table: Table, columns: list[tuple[Column, str]]) -> list[Note]:
    names = sorted(set(table.columns) - {name for _, name in columns})
    return [Note("columns", f"{table.name} has columns that the contract leaves out", ", ".join(names))] if names else []


def _described(name: str, kind: str) -> SourceColumn:
    if kind.startswith("DECIMAL("):
        return SourceColumn(name, kind, "number", kind.lower())
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        return SourceColumn(name, kind, "timestamp", "timestamptz")
    if kind.startswith("TIMESTAMP"):
        return SourceColumn(name, kind, "timestamp", "timestamp")
    if kind in _INTEGERS or kind in ("FLOAT", "DOUBLE"):
        return SourceColumn(name, kind, "integer" if kind in _INTEGERS else "number", kind.lower())
    if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")):
        return SourceColumn(name, kind, "array" if kind.endswith("[]") else "object")
    return SourceColumn(name, kind, _TYPES.get(kind))


def _iceberg_column(field: Any) -> SourceColumn:
    kind = str(field.field_type)
    simple = {"boolean": "boolean", "int": "integer", "long": "integer", "float": "number", "double": "number", "date": "date"}
    simple |= {"time": "time", "string": "string", "uuid": "string", "timestamp": "timestamp", "timestamptz": "timestamp"}
    logical = "number" if kind.startswith("decimal(") else simple.get(kind)
    physical = kind.replace(" ", "") if kind.startswith("decimal(") else kind if kind == "timestamptz" else None
    return SourceColumn(field.name, kind, logical, physical, required=bool(field.required), description=field.doc or "")

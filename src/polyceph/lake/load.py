"""Exactly-once loading of one delivery into its raw table: stage, check, place the files, commit rows and register together.

A load killed at any point leaves the old data visible and at most files that no snapshot names; a retry starts over.
"""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.drift import Form, FormColumn
from polyceph.core.source_ports import NO_REJECTS, Admission, Arrival, Delivery, LoadMode, LoadReport, Pushdown
from polyceph.errors import Conflict, Invalid, Unavailable
from polyceph.lake import rejects
from polyceph.lake.engine import literal, quote
from polyceph.lake.facts import TableEntry, last_cursor, loaded_snapshot, table_entry
from polyceph.lake.locks import AGAIN, TableLock, table_locks
from polyceph.lake.raw import table_changes
from polyceph.lake.staging import DoesNotFit, Load, Planned, holds_zero, refusal, stage
from polyceph.lake.storage import StagedFile, keep_original, place_file, staging_folder
from polyceph.lake.stream import registered
from polyceph.lake.transaction import stamped
from polyceph.lake.types import INTERNAL_COLUMNS, ColumnPlan, describe, plan_columns
from polyceph.settings import LakeAddress

Admits = Callable[[Arrival], Admission]


def load_delivery(
    connection: duckdb.DuckDBPyConnection,
    lake: LakeAddress,
    delivery: Delivery,
    *,
    contract: Contract,
    commit: LakeCommit,
    temporary: Path,
    admits: Admits | None = None,
) -> LoadReport:
    """Append a delivery to its raw table, exactly once; the same key again changes nothing and reports `is_new` False.

    `connection` has the lake attached under its domain's name; `temporary` is a folder for staging when the lake is a bucket.
    `admits` is asked before the delivery is held against the contract, and again, with what its values tell, before it is committed.

    Raises:
        Invalid: the delivery contradicts its contract; every problem is listed and nothing was loaded.
        Conflict: another process writes this table for too long, the lock was lost, or the delivery follows a cursor that is not where
            the last load stopped.
        Unavailable: source, catalogue or storage does not answer.
    """
    load = Load(connection, lake, delivery, contract, commit)
    dataset = contract.dataset
    with table_locks(lake, [f"{dataset.zone}.{dataset.name}"]) as lock:
        snapshot = loaded_snapshot(lock.connection, lake, dataset, delivery.key)
        if snapshot is not None:
            return load.report(is_new=False, rows=0, size=0, snapshot=snapshot)
        _refuse_overtaken(load, lock)
        while True:
            with staging_folder(lake, temporary) as folder, _source(load) as select:
                done = _loaded(load, lock, (select, folder), admits)
            if isinstance(done, LoadReport):
                return done
            load = done


def _loaded(load: Load, lock: TableLock, read: tuple[str, Path], admits: Admits | None) -> LoadReport | Load:
    """Stage, check and commit what a SELECT gives; return the load to try instead where a value does not fit or its source has doubts."""
    select, _ = read
    delivered = describe(load.connection, select)
    form = _of_source(load.delivery.form) if load.delivery.form else _form(delivered)
    if (said := _admission(load, form, admits)) is not Admission.LOAD:
        return replace(load.report(is_new=False, rows=0, size=0, snapshot=0), admission=said)
    plans = _plan(load, delivered)
    entry = _prepare_table(load, lock)
    try:
        with _one_view(load) as better:
            staged = _staged(load, read, Planned(plans, delivered, entry), better)
    except DoesNotFit:
        return replace(load, is_careful=True)
    if isinstance(staged, Load):
        return staged
    form = _with_values(load, form, staged)
    if (said := _admission(load, form, admits)) is not Admission.LOAD:
        return replace(load.report(is_new=False, rows=0, size=0, snapshot=0), admission=said)
    return _commit(load, lock, entry, (staged, form))


def _form(delivered: Mapping[str, str]) -> Form:
    """Return the form of a delivery whose connector does not tell it: the columns that it delivers."""
    columns = tuple(FormColumn(name, kind) for name, kind in delivered.items() if name not in INTERNAL_COLUMNS)
    return Form(columns, is_exact=True)


def _of_source(form: Form) -> Form:
    """Return a form without what a list of changes adds: what happened to each row is no column of the source."""
    return replace(form, columns=tuple(column for column in form.columns if column.name not in INTERNAL_COLUMNS))


def _admission(load: Load, form: Form, admits: Admits | None) -> Admission:
    given = load.delivery
    # What no original backs is another content in each run; its form is what can be told again.
    content = given.key if given.originals or given.follows is not None else ""
    return admits(Arrival(content, given.origin or given.key, form, given.originals)) if admits else Admission.LOAD


def _with_values(load: Load, form: Form, staged: list[StagedFile]) -> Form:
    """Return the form with how many rows have a value in each column, from the footers of the staged files.

    Of a load that compares only news are staged, which tell nothing about the whole.
    """
    if load.delivery.mode is not LoadMode.APPEND or any(column.filled is not None for column in form.columns):
        return form
    rows = sum(file.rows for file in staged)
    empty = {c.name: sum(int(f.statistics.get(c.name, {}).get("null_count", 0)) for f in staged) for c in load.contract.columns}
    named = {name: c.name for c in load.contract.columns for name in (c.name, c.source_name) if name}
    columns = [
        replace(one, filled=round(1 - empty[named[one.name]] / rows, 3)) if rows and one.name in named else one for one in form.columns
    ]
    return replace(form, columns=tuple(columns), rows=rows)


def _refuse_overtaken(load: Load, lock: TableLock) -> None:
    """Refuse a portion that starts where another run has gone on meanwhile: the ranges of the two overlap, so rows would come twice."""
    follows, dataset = load.delivery.follows, load.contract.dataset
    if follows is not None and last_cursor(lock.connection, load.lake, dataset) != follows.cursor:
        raise Conflict(f"another run has loaded {dataset} meanwhile; nothing was loaded by this one", hint="run it again")


@contextmanager
def _source(load: Load) -> Iterator[str]:
    rows = load.rows
    if isinstance(rows, Pushdown):
        # A table has no order. To keep one DuckDB holds what it has read until all that comes before it is written: memory that grows.
        load.connection.execute("SET preserve_insertion_order = false")
        try:
            yield rows.prepare(load.connection)
        finally:
            load.connection.execute("SET preserve_insertion_order = true")
        return
    with registered(load.connection, rows) as select:
        yield select


def _staged(load: Load, read: tuple[str, Path], planned: Planned, better: Callable[[Path], Load | None]) -> list[StagedFile] | Load:
    """Return the staged files, or the load to try instead where the source doubts what it gave: also before that is refused."""
    select, folder = read
    try:
        staged = stage(load, select, planned, folder)
    except Invalid as error:
        if not isinstance(error.__cause__, duckdb.Error) and (instead := better(folder)):
            return instead
        raise
    return better(folder) or staged


@contextmanager
def _one_view(load: Load) -> Iterator[Callable[[Path], Load | None]]:
    """Hold the read and the doubts about it in one transaction, which sees one moment of the source; yield what asks for the doubts."""
    rows = load.rows
    doubt = rows.doubt if isinstance(rows, Pushdown) else None
    if doubt is None:
        yield lambda _: None
        return
    load.connection.execute("BEGIN TRANSACTION")
    try:
        yield lambda folder: _reread(load, doubt(load.connection, lambda name: holds_zero(load, folder, name)))
    except BaseException:
        load.connection.execute("ROLLBACK")
        raise
    load.connection.execute("COMMIT")


def _reread(load: Load, rows: Pushdown | None) -> Load | None:
    return replace(load, delivery=replace(load.delivery, rows=rows)) if rows else None


def _plan(load: Load, delivered: dict[str, str]) -> list[ColumnPlan]:
    plans, problems = plan_columns(load.contract, delivered)
    if problems:
        raise refusal(load, problems)
    return plans


def _prepare_table(load: Load, lock: TableLock) -> TableEntry:
    """Make or grow the table in a commit of its own, so that the files can carry the catalogue's field ids."""
    dataset = load.contract.dataset
    entry = table_entry(lock.connection, load.lake, dataset)
    statements = table_changes(load.table, load.contract, entry)
    if statements:
        commit = replace(load.commit, message=f"Prepare {dataset} for contract {load.contract.version}")
        with stamped(load.connection, load.lake.domain, commit, lock=lock):
            for statement in statements:
                load.connection.execute(statement)
        entry = table_entry(lock.connection, load.lake, dataset)
    if entry is None:
        raise Unavailable(f"the catalogue does not show {dataset} after it was made")
    return entry


def _commit(load: Load, lock: TableLock, entry: TableEntry, made: tuple[list[StagedFile], Form]) -> LoadReport:
    staged, form = made
    originals = [keep_original(load.connection, load.lake, original) for original in load.delivery.originals]
    placed = [place_file(load.connection, load.lake, file, entry.folder) for file in staged]
    rows, size = sum(file.rows for file in staged), sum(file.bytes for file in staged)
    dataset, given = load.contract.dataset, load.delivery
    stamp = {"dataset": str(dataset), "key": given.key, "cursor": given.cursor, "origin": given.origin, "rows": rows, "form": asdict(form)}
    record: list[object] = [
        str(dataset),
        given.key,
        given.cursor,
        rows,
        size,
        [file.sha256 for file in staged],
        originals,
        given.origin,
        load.commit.run,
    ]
    record += [datetime.now(UTC), load.contract.version, json.dumps([vars(note) for note in given.notes])]
    with stamped(load.connection, load.lake.domain, load.commit, lock=lock, load=stamp):
        for path in placed:
            call = f"CALL ducklake_add_data_files({literal(load.lake.domain)}, {literal(dataset.name)}, {literal(path)}, "
            load.connection.execute(call + f"schema => {literal(dataset.zone)})")
        load.connection.execute(f"INSERT INTO {quote(load.lake.domain)}._polyceph.load VALUES ({', '.join('?' * len(record))})", record)
        if given.tolerance != NO_REJECTS:
            rejects.keep(load.connection, load.lake.domain, str(dataset), given.key, given.origin)
    done = load.report(is_new=True, rows=rows, size=size, snapshot=_committed_snapshot(load, lock))
    return replace(done, rejected=rejects.rows(load.connection)) if given.tolerance != NO_REJECTS else done


def _committed_snapshot(load: Load, lock: TableLock) -> int:
    key = load.delivery.key
    try:
        snapshot = loaded_snapshot(lock.connection, load.lake, load.contract.dataset, key)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the load of {key} was committed, and then the catalogue broke off", hint=AGAIN) from error
    if snapshot is None:
        raise Unavailable(f"the catalogue does not show the load of {key} after its commit", hint=AGAIN)
    return snapshot


def originals_of_loads(connection: duckdb.DuckDBPyConnection, domain: str) -> frozenset[str]:
    """Return the paths, below the data path, of all originals that a committed load of a lake names."""
    rows = connection.execute(f"SELECT DISTINCT unnest(originals) FROM {quote(domain)}._polyceph.load").fetchall()
    return frozenset(row[0] for row in rows)

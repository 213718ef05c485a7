"""Exactly-once loading of one delivery into its raw table: stage, check, place the files, commit rows and register together.

A load killed at any point leaves the old data visible and at most files that no snapshot names; a retry starts over.
"""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.drift import Form, FormColumn
from polyceph.core.source_ports import NO_REJECTS, Admission, Arrival, Delivery, LoadMode, LoadReport, Pushdown
from polyceph.errors import Conflict, Invalid, Problem, Unavailable
from polyceph.lake import rejects
from polyceph.lake.changes import REMOVED, News, primary_key
from polyceph.lake.check import StagedRows, absent_values, broken_rules, broken_types, missing_values, repeated_values
from polyceph.lake.engine import literal, quote
from polyceph.lake.facts import TableEntry, last_cursor, loaded_snapshot, table_entry
from polyceph.lake.locks import AGAIN, TableLock, table_locks
from polyceph.lake.raw import table_changes
from polyceph.lake.storage import StagedFile, file_sha256, is_remote, keep_original, place_file, staging_folder
from polyceph.lake.stream import registered
from polyceph.lake.transaction import reason, stamped
from polyceph.lake.types import CHANGE, INTERNAL_COLUMNS, LOAD, ORIGIN, ROW, Cast, ColumnPlan, describe, plan_columns, promised_columns
from polyceph.settings import LakeAddress

_REMOTE_FILE_BYTES = 128 * 1024 * 1024
"""A file for a bucket passes through memory when it is sent."""
_PARQUET = {"COMPRESSION": "zstd", "COMPRESSION_LEVEL": "1", "PARQUET_VERSION": "v2", "DICTIONARY_SIZE_LIMIT": "4000"}
"""As DuckLake itself writes (`provision.PARQUET`). The smaller dictionary takes a fifth of the processor time away and no byte is added."""
_BESIDE = "COMPRESSION snappy"
"""For files that are gone after the load."""
Admits = Callable[[Arrival], Admission]
_COLUMN_OF_CONVERSION = re.compile(r"source column (\w+)")


@dataclass(frozen=True)
class _Load:
    """What the steps of one load share."""

    connection: duckdb.DuckDBPyConnection
    lake: LakeAddress
    delivery: Delivery
    contract: Contract
    commit: LakeCommit

    @property
    def table(self) -> str:
        dataset = self.contract.dataset
        return f"{quote(self.lake.domain)}.{quote(dataset.zone)}.{quote(dataset.name)}"

    def report(self, *, is_new: bool, rows: int, size: int, snapshot: int) -> LoadReport:
        given = self.delivery
        return LoadReport(self.contract.dataset, given.key, is_new, rows, size, snapshot, given.origin, given.notes)


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
    load = _Load(connection, lake, delivery, contract, commit)
    dataset = contract.dataset
    with table_locks(lake, [f"{dataset.zone}.{dataset.name}"]) as lock:
        snapshot = loaded_snapshot(lock.connection, lake, dataset, delivery.key)
        if snapshot is not None:
            return load.report(is_new=False, rows=0, size=0, snapshot=snapshot)
        _refuse_overtaken(load, lock)
        with staging_folder(lake, temporary) as folder, _source(load) as select:
            delivered = describe(connection, select)
            form = _of_source(delivery.form) if delivery.form else _form(delivered)
            if (said := _admission(load, form, admits)) is not Admission.LOAD:
                return replace(load.report(is_new=False, rows=0, size=0, snapshot=0), admission=said)
            plans = _plan(load, delivered)
            entry = _prepare_table(load, lock)
            staged = _stage(load, select, (plans, delivered), entry, folder)
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


def _admission(load: _Load, form: Form, admits: Admits | None) -> Admission:
    given = load.delivery
    # What no original backs is another content in each run; its form is what can be told again.
    content = given.key if given.originals or given.follows is not None else ""
    return admits(Arrival(content, given.origin or given.key, form, given.originals)) if admits else Admission.LOAD


def _with_values(load: _Load, form: Form, staged: list[StagedFile]) -> Form:
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


def _refuse_overtaken(load: _Load, lock: TableLock) -> None:
    """Refuse a portion that starts where another run has gone on meanwhile: the ranges of the two overlap, so rows would come twice."""
    follows, dataset = load.delivery.follows, load.contract.dataset
    if follows is not None and last_cursor(lock.connection, load.lake, dataset) != follows.cursor:
        raise Conflict(f"another run has loaded {dataset} meanwhile; nothing was loaded by this one", hint="run it again")


@contextmanager
def _source(load: _Load) -> Iterator[str]:
    rows = load.delivery.rows
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


def _plan(load: _Load, delivered: dict[str, str]) -> list[ColumnPlan]:
    plans, problems = plan_columns(load.contract, delivered)
    if problems:
        raise _refusal(load, problems)
    return plans


def _prepare_table(load: _Load, lock: TableLock) -> TableEntry:
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


def _stage(load: _Load, select: str, plan: tuple[list[ColumnPlan], dict[str, str]], entry: TableEntry, folder: Path) -> list[StagedFile]:
    plans, delivered = plan
    columns = ", ".join([*(p.taken() for p in plans), *_internal_columns(load, delivered)])
    rows = f"SELECT {columns} FROM ({select})"
    if any(p.cast is Cast.CHECKED for p in plans) or load.delivery.tolerance != NO_REJECTS:
        _copy(load, rows, folder / "taken", _BESIDE)
        taken = _sorted_out(load, plans, folder / "taken")
        names = ", ".join([*(p.converted() for p in plans), *map(quote, INTERNAL_COLUMNS)])
        rows = f"SELECT {names} FROM {taken}"
    if load.delivery.mode is not LoadMode.APPEND:
        rows = _news(load, rows, folder)
        return _write(load, rows, folder / "rows", entry)
    staged = _write(load, rows, folder / "rows", entry)
    _check(load, staged, folder / "rows")
    return staged


def _sorted_out(load: _Load, plans: list[ColumnPlan], folder: Path) -> str:
    """Return the table expression of the staged rows that can be loaded; refuse the delivery when too many cannot."""
    taken, tolerance = _table_of(folder), load.delivery.tolerance
    if tolerance != NO_REJECTS:
        before = rejects.collect(load.connection, load.delivery.rejects)
        rejected, total = rejects.sort_out(load.connection, str(folder / "data.parquet"), plans, load.contract, load.delivery.mode)
        if tolerance.allows(before + rejected, before + total):
            return rejects.remaining(str(folder / "data.parquet"))
    problems = broken_types(load.connection, taken, plans, load.contract)
    if problems:
        raise _refusal(load, problems)
    return taken


def _news(load: _Load, rows: str, folder: Path) -> str:
    """Return the SELECT of what the delivery brings beyond the rows that are there; what it delivers is checked first, as a whole."""
    mode, given = load.delivery.mode, load.delivery
    primary_key(load.contract)
    is_kept = f"{quote(CHANGE)} IS DISTINCT FROM {literal(REMOVED)}"
    _copy(load, rows, folder / "whole", _BESIDE)
    whole = _table_of(folder / "whole")
    kept = f"(SELECT * FROM {whole} WHERE {is_kept})"
    problems = absent_values(load.connection, kept, load.contract) + broken_rules(load.connection, kept, load.contract)
    if mode is not LoadMode.MERGE:  # a list of changes may tell several of one key
        count = load.connection.execute(f"SELECT count(*) FROM {whole}").fetchone() or (0,)
        problems += repeated_values(load.connection, StagedRows(kept, int(count[0]), ()), load.contract)
    if problems:
        raise _refusal(load, problems)
    is_complete = given.tolerance == NO_REJECTS or not rejects.rows(load.connection)
    return News(load.table, whole, load.contract, mode, given.key, given.origin, is_complete).select()


def _internal_columns(load: _Load, delivered: Mapping[str, str]) -> list[str]:
    origin = literal(load.delivery.origin)
    given = f"coalesce({quote(ORIGIN)}, {origin})" if ORIGIN in delivered else origin
    row = f"CAST({quote(ROW)} AS BIGINT)" if ROW in delivered else "CAST(NULL AS BIGINT)"
    change = f"CAST({quote(CHANGE)} AS VARCHAR)" if CHANGE in delivered else "CAST(NULL AS VARCHAR)"
    own = {LOAD: literal(load.delivery.key), ORIGIN: given, ROW: row, CHANGE: change}
    return [f"{value} AS {quote(name)}" for name, value in own.items()]


def _write(load: _Load, select: str, folder: Path, entry: TableEntry) -> list[StagedFile]:
    promised = promised_columns(load.contract)
    # Rows loaded before keep the values of a column that is promised no more; those of now have none.
    gone = [f"CAST(NULL AS {kind}) AS {quote(name)}" for name, (_, kind, _) in entry.columns.items() if name not in promised]
    select = f"SELECT *, {', '.join(gone)} FROM ({select})" if gone else select
    ids = ", ".join(f"{quote(name)}: {number}" for name, (number, _, _) in entry.columns.items())
    options = f"{', '.join(f'{kind} {value}' for kind, value in _PARQUET.items())}, FIELD_IDS {{{ids}}}"
    found = []
    for path, rows, size, _, statistics, _ in _copy(load, select, folder, options):
        if rows:
            by_name = {name.strip('"'): values for name, values in statistics.items()}
            found.append(StagedFile(Path(path), rows, size, file_sha256(Path(path)), by_name))
    return found


def _copy(load: _Load, select: str, folder: Path, options: str) -> list[Any]:
    folder.mkdir()
    size = f", FILE_SIZE_BYTES {_REMOTE_FILE_BYTES}" if is_remote(load.lake) and options != _BESIDE else ""
    target = folder if size else folder / "data.parquet"
    try:
        return load.connection.execute(
            f"COPY ({select}) TO {literal(str(target))} (FORMAT parquet, {options}{size}, RETURN_STATS)"
        ).fetchall()
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        named = _COLUMN_OF_CONVERSION.search(str(error))  # the rest of the message quotes the value
        place = f"column {named[1]}" if named else None
        problem = Problem("a value cannot become the promised type", place=place)
        raise _refusal(load, [problem]) from error
    except duckdb.Error as error:
        what = load.delivery.origin or load.delivery.key
        raise Unavailable(f"{what} could not be read to the end: {reason(error)}", hint="nothing was loaded; run it again") from error


def _check(load: _Load, staged: list[StagedFile], folder: Path) -> None:
    if not staged:
        return
    rows = StagedRows(_table_of(folder), sum(file.rows for file in staged), tuple(file.statistics for file in staged))
    problems = missing_values(load.connection, rows, load.contract) + repeated_values(load.connection, rows, load.contract)
    problems += broken_rules(load.connection, rows.table, load.contract)
    if problems:
        raise _refusal(load, problems)


def _commit(load: _Load, lock: TableLock, entry: TableEntry, made: tuple[list[StagedFile], Form]) -> LoadReport:
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


def _committed_snapshot(load: _Load, lock: TableLock) -> int:
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


def _table_of(folder: Path) -> str:
    return f"read_parquet({literal(str(folder / '**' / '*.parquet'))})"


def _refusal(load: _Load, problems: list[Problem]) -> Invalid:
    message = f"{load.delivery.origin or load.delivery.key} does not keep the contract of {load.contract.dataset}"
    return Invalid(message, problems=problems, hint="nothing was loaded")

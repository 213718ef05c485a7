"""Staging of one delivery: its rows cast, checked and written into files that the lake can take. Nothing of it is visible yet."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.source_ports import NO_REJECTS, ArrowStream, Delivery, LoadMode, LoadReport, Pushdown
from polyceph.errors import Invalid, Problem, Unavailable
from polyceph.lake import rejects
from polyceph.lake.changes import REMOVED, News, primary_key
from polyceph.lake.check import StagedRows, absent_values, broken_rules, broken_types, missing_values, repeated_values
from polyceph.lake.engine import literal, quote
from polyceph.lake.facts import TableEntry
from polyceph.lake.storage import StagedFile, file_sha256, is_remote
from polyceph.lake.transaction import reason
from polyceph.lake.types import CHANGE, INTERNAL_COLUMNS, LOAD, ORIGIN, ROW, Cast, ColumnPlan, promised_columns
from polyceph.settings import LakeAddress

_REMOTE_FILE_BYTES = 128 * 1024 * 1024
"""A file for a bucket passes through memory when it is sent."""
_PARQUET = {
    "COMPRESSION": "zstd",
    "COMPRESSION_LEVEL": "1",
    "PARQUET_VERSION": "v2",
    "DICTIONARY_SIZE_LIMIT": "4000",
    "ROW_GROUP_SIZE": "61440",
}
"""As DuckLake itself writes (`provision.PARQUET`), but for two. The smaller dictionary takes a fifth of the processor time away and no byte
is added. A source that answers on one connection waits less for rows of half as large a group to be written."""
_BESIDE = "COMPRESSION snappy"
"""For files that are gone after the load."""
_STEPS = ("taken", "whole", "rows")
"""The folders of staging in the order in which they are made; the first one that is there holds the rows as they were read."""
_COLUMN_OF_CONVERSION = re.compile(r"source column (\w+)")


@dataclass(frozen=True)
class Load:
    """What the steps of one load share."""

    connection: duckdb.DuckDBPyConnection
    lake: LakeAddress
    delivery: Delivery
    contract: Contract
    commit: LakeCommit
    is_careful: bool = False
    """Whether a first try found a value that cannot be cast: now rows are staged as they come, so that it can be told which they are."""

    @property
    def in_one_pass(self) -> bool:
        """Tell whether rows are cast as they are read: where they can be read again should one not fit, and none may be set aside."""
        given = self.delivery
        return isinstance(given.rows, Pushdown) and given.tolerance == NO_REJECTS and not self.is_careful

    @property
    def rows(self) -> ArrowStream | Pushdown:
        """Return what is read: in one pass the quick way, otherwise with all values as they are."""
        given = self.delivery.rows
        return given if self.in_one_pass or not isinstance(given, Pushdown) else given.careful or given

    @property
    def table(self) -> str:
        """Return the quoted name of the raw table."""
        dataset = self.contract.dataset
        return f"{quote(self.lake.domain)}.{quote(dataset.zone)}.{quote(dataset.name)}"

    def report(self, *, is_new: bool, rows: int, size: int, snapshot: int) -> LoadReport:
        """Return what is told of the load."""
        given = self.delivery
        return LoadReport(self.contract.dataset, given.key, is_new, rows, size, snapshot, given.origin, given.notes)


@dataclass(frozen=True)
class Planned:
    """How the delivered columns become the table's: the plan of each, name and type of what is delivered, the table."""

    plans: list[ColumnPlan]
    delivered: dict[str, str]
    entry: TableEntry


class DoesNotFit(Exception):
    """A value cannot be cast, and nobody knows which."""


def stage(load: Load, select: str, planned: Planned, folder: Path) -> list[StagedFile]:
    """Write what a SELECT gives into checked files below `folder`, in the promised types.

    Raises:
        Invalid: the rows do not keep the contract; every problem is listed.
        DoesNotFit: in one pass a value cannot be cast.
        Unavailable: the source breaks off.
    """
    plans, delivered, entry = planned.plans, planned.delivered, planned.entry
    taken = [p.sure() if load.in_one_pass else p.taken() for p in plans]
    rows = f"SELECT {', '.join([*taken, *_internal_columns(load, delivered)])} FROM ({select})"
    if not load.in_one_pass and (any(p.cast is Cast.CHECKED for p in plans) or load.delivery.tolerance != NO_REJECTS):
        _copy(load, rows, folder / "taken", _BESIDE)
        sorted_out = _sorted_out(load, plans, folder / "taken")
        names = ", ".join([*(p.converted() for p in plans), *map(quote, INTERNAL_COLUMNS)])
        rows = f"SELECT {names} FROM {sorted_out}"
    if load.delivery.mode is not LoadMode.APPEND:
        rows = _news(load, rows, folder)
        return _write(load, rows, folder / "rows", entry)
    staged = _write(load, rows, folder / "rows", entry)
    _check(load, staged, folder / "rows")
    return staged


def holds_zero(load: Load, folder: Path, name: str) -> bool:
    """Tell whether a column of the rows as they were read holds a zero; the footers of the staged files rule most columns out."""
    read = next((folder / step for step in _STEPS if (folder / step).exists()), None)
    if read is None:
        return False
    return load.connection.execute(f"SELECT 1 FROM {_table_of(read)} WHERE {quote(name)} = 0 LIMIT 1").fetchone() is not None


def _sorted_out(load: Load, plans: list[ColumnPlan], folder: Path) -> str:
    """Return the table expression of the staged rows that can be loaded; refuse the delivery when too many cannot."""
    taken, tolerance = _table_of(folder), load.delivery.tolerance
    if tolerance != NO_REJECTS:
        before = rejects.collect(load.connection, load.delivery.rejects)
        rejected, total = rejects.sort_out(load.connection, str(folder / "data.parquet"), plans, load.contract, load.delivery.mode)
        if tolerance.allows(before + rejected, before + total):
            return rejects.remaining(str(folder / "data.parquet"))
    problems = broken_types(load.connection, taken, plans, load.contract)
    if problems:
        raise refusal(load, problems)
    return taken


def _news(load: Load, rows: str, folder: Path) -> str:
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
        raise refusal(load, problems)
    is_complete = given.tolerance == NO_REJECTS or not rejects.rows(load.connection)
    return News(load.table, whole, load.contract, mode, given.key, given.origin, is_complete).select()


def _internal_columns(load: Load, delivered: Mapping[str, str]) -> list[str]:
    origin = literal(load.delivery.origin)
    given = f"coalesce({quote(ORIGIN)}, {origin})" if ORIGIN in delivered else origin
    row = f"CAST({quote(ROW)} AS BIGINT)" if ROW in delivered else "CAST(NULL AS BIGINT)"
    change = f"CAST({quote(CHANGE)} AS VARCHAR)" if CHANGE in delivered else "CAST(NULL AS VARCHAR)"
    own = {LOAD: literal(load.delivery.key), ORIGIN: given, ROW: row, CHANGE: change}
    return [f"{value} AS {quote(name)}" for name, value in own.items()]


def _write(load: Load, select: str, folder: Path, entry: TableEntry) -> list[StagedFile]:
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


def _copy(load: Load, select: str, folder: Path, options: str) -> list[Any]:
    folder.mkdir()
    size = f", FILE_SIZE_BYTES {_REMOTE_FILE_BYTES}" if is_remote(load.lake) and options != _BESIDE else ""
    target = folder if size else folder / "data.parquet"
    try:
        return load.connection.execute(
            f"COPY ({select}) TO {literal(str(target))} (FORMAT parquet, {options}{size}, RETURN_STATS)"
        ).fetchall()
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        if load.in_one_pass:
            raise DoesNotFit from error
        named = _COLUMN_OF_CONVERSION.search(str(error))  # the rest of the message quotes the value
        place = f"column {named[1]}" if named else None
        problem = Problem("a value cannot become the promised type", place=place)
        raise refusal(load, [problem]) from error
    except duckdb.Error as error:
        what = load.delivery.origin or load.delivery.key
        raise Unavailable(f"{what} could not be read to the end: {reason(error)}", hint="nothing was loaded; run it again") from error


def _check(load: Load, staged: list[StagedFile], folder: Path) -> None:
    if not staged:
        return
    rows = StagedRows(_table_of(folder), sum(file.rows for file in staged), tuple(file.statistics for file in staged))
    problems = missing_values(load.connection, rows, load.contract) + repeated_values(load.connection, rows, load.contract)
    problems += broken_rules(load.connection, rows.table, load.contract)
    if problems:
        raise refusal(load, problems)


def _table_of(folder: Path) -> str:
    return f"read_parquet({literal(str(folder / '**' / '*.parquet'))})"


def refusal(load: Load, problems: list[Problem]) -> Invalid:
    """Return the error that says which contract a delivery does not keep, and how."""
    message = f"{load.delivery.origin or load.delivery.key} does not keep the contract of {load.contract.dataset}"
    return Invalid(message, problems=problems, hint="nothing was loaded")

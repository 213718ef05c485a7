"""Reads by people's code: what is read is allowed and recorded, and only then handed out. How the platform looks itself is in `lake`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.decision import Decision
from polyceph.core.model.reading import READ, REFUSED, Reading
from polyceph.errors import Denied, Problem
from polyceph.lake.engine import quote
from polyceph.lake.lake import DomainLake
from polyceph.lake.reads import TableRead, datasets_named, parsed, tables_read

_BATCH_ROWS = 122_880


@dataclass(frozen=True)
class Reader:
    """Who reads as the record names her: by which door, in which run, for which purpose; and what the policies say of a dataset."""

    door: str
    run: str | None
    purpose: str | None
    may_read: Callable[[DatasetId], Decision]


def read_table(lake: DomainLake, sql: str, parameters: Sequence[object] = (), *, reader: Reader) -> pa.Table:
    """Return the rows of one SELECT; values go in as `?` parameters.

    The reading is recorded, with the number of rows the SELECT returns, before they are handed out.

    Raises:
        Denied: a policy refuses a dataset that the SELECT names; that is recorded too.
        NotFound: a lake has no such dataset.
        Invalid: it is not one SELECT, or what it reads cannot be found out.
        Unavailable: the lake does not answer, or the reading cannot be recorded.
    """
    with _at_one_moment(lake, sql, reader) as (connection, reads):
        table = connection.execute(sql, list(parameters)).to_arrow_table()
    lake.outbox.say(_readings(reads, reader, table.num_rows))
    return table


def write_parquet(lake: DomainLake, dataset: DatasetId, path: Path, *, reader: Reader) -> int:
    """Write a dataset as one Parquet file for a program that gets no credentials; return the number of rows. Raises as `read_table`.

    When the reading cannot be recorded there is no file.
    """
    names = ".".join(map(quote, (dataset.domain, dataset.zone.value, dataset.name)))
    select, rows = f"SELECT * FROM {names}", 0  # noqa: S608  quoted
    try:
        with _at_one_moment(lake, select, reader) as (connection, reads):
            batches = connection.execute(select).to_arrow_reader(_BATCH_ROWS)
            with pq.ParquetWriter(path, batches.schema) as file:
                for batch in batches:
                    file.write_batch(batch)
                    rows += batch.num_rows
        lake.outbox.say(_readings(reads, reader, rows))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return rows


@contextmanager
def _at_one_moment(lake: DomainLake, sql: str, reader: Reader) -> Iterator[tuple[duckdb.DuckDBPyConnection, tuple[TableRead, ...]]]:
    """Give a connection and what the SELECT reads; in one transaction, so that what is looked at is what is recorded."""
    with lake.connection() as connection:
        connection.execute("BEGIN")
        select = parsed(connection, sql)
        _refuse(lake, datasets_named(select), reader)
        reads = tables_read(connection, select)
        _refuse(lake, {one.dataset for one in reads}, reader)  # behind a view of one's own may stand another domain's table
        yield connection, reads
        connection.execute("COMMIT")


def _refuse(lake: DomainLake, datasets: frozenset[DatasetId] | set[DatasetId], reader: Reader) -> None:
    verdicts = [(one, reader.may_read(one)) for one in sorted(datasets)]
    refused = [(one, verdict) for one, verdict in verdicts if not verdict.allowed]
    if not refused:
        return
    lake.outbox.say(Reading(REFUSED, one, reader.door, run=reader.run, purpose=reader.purpose) for one, _ in refused)
    names = ", ".join(str(one) for one, _ in refused)
    problems = [Problem(f"policy {verdict.policy}: {verdict.reason}", hint=verdict.hint) for _, verdict in refused]
    raise Denied(f"{lake.own.domain} may not read {names}", problems=problems, hint="nothing was read")


def _readings(reads: Sequence[TableRead], reader: Reader, rows: int) -> list[Reading]:
    return [
        Reading(
            READ,
            one.dataset,
            reader.door,
            run=reader.run,
            purpose=reader.purpose,
            columns=one.columns,
            rows=rows,
            snapshot=one.snapshot,
        )
        for one in reads
    ]

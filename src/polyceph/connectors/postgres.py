"""The connector `postgres`: a table or a query of a PostgreSQL database, whole or from where the last load stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from polyceph.connectors.postgres_bound import find_range
from polyceph.connectors.postgres_catalogue import columns_of, comment_of, list_tables, sample_rows
from polyceph.connectors.postgres_options import PostgresDataset, PostgresSource
from polyceph.connectors.postgres_pushdown import Reading, pushdown
from polyceph.connectors.postgres_server import Connection, check_readable, describe, entered, tables_like
from polyceph.connectors.sql.ranges import follows, key_of, mode_of
from polyceph.connectors.sql.relation import Relation, left_out, match_columns, missing_form, relation_form, source_names
from polyceph.connectors.sql.samples import table_of
from polyceph.connectors.validation import validated
from polyceph.sdk import Admission, Arrival, Delivery, Demand, Note, NotFound, Options, Sample, SourceTable


class PostgresConnector:
    """Reads PostgreSQL through DuckDB's postgres extension, in one read-only snapshot of the server.

    A snapshot load reads everything and is known by the run that asks for it, so a run that is tried again loads it once. An
    incremental load reads the half-open range (from, to] of its cursor column: `to` is fixed before the read, and transactions that
    were already writing to the table then are waited for, so a row that is committed late falls into this range or into a later one.
    Rows whose cursor value is set long before they are committed need `lag` or `overlap` as well.
    """

    source_options: ClassVar[type[Options]] = PostgresSource
    dataset_options: ClassVar[type[Options]] = PostgresDataset
    summary: ClassVar[str] = "Tables and queries of a PostgreSQL database, whole or incrementally by a cursor column."

    def __init__(self, options: Options, *, base: Path) -> None:  # noqa: ARG002 -- an address of a server has no folder
        self._source = validated(PostgresSource, options, "source of connector postgres")

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery with everything (snapshot) or with what is new (incremental), or nothing when nothing is new.

        Raises:
            Invalid: the options are wrong, or the contract names columns the source does not have.
            NotFound: the table does not exist.
            Denied: the role may not read it.
            Conflict: a transaction that writes to the table stays open for too long.
            Unavailable: the server does not answer.
            Misconfigured: a secret is not set, or the server refuses the role, the password or the database.
        """
        dataset = validated(PostgresDataset, demand.options, f"options of {demand.dataset}")
        address = self._source.address()
        with entered(address) as connection:
            relation = _found(connection, dataset, demand)
            if relation is None:
                return
            form = relation_form(relation, dataset)
            if demand.admits(Arrival("", relation.shown, form)) is not Admission.LOAD:
                return
            columns = match_columns(demand.contract.columns, relation, dataset)
            check_readable(connection, relation, tuple(source for _, source in columns), dataset)
            found = find_range(connection, relation, dataset, since=demand.cursor) if dataset.cursor else None
            if dataset.cursor and found is None:
                return
            reading = Reading(relation, columns, found, dataset)
        yield Delivery(
            key=key_of(demand, relation, found),
            rows=pushdown(address, reading),
            cursor=found.until if found else None,
            notes=_notes(reading),
            origin=relation.shown,
            follows=follows(demand, found),
            mode=mode_of(dataset),
            form=form,
        )

    def tables(self) -> Iterator[SourceTable]:
        """Yield the tables and views that the role may read, with the rows the server's statistics estimate."""
        with entered(self._source.address()) as connection:
            yield from list_tables(connection)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002 -- nothing is stored
        """Return the first rows of a table or query, and the columns as the server describes them; raises like `deliveries`."""
        dataset = validated(PostgresDataset, options, "options of the dataset")
        with entered(self._source.address()) as connection:
            relation = describe(connection, dataset)
            found = columns_of(connection, relation)
            first = sample_rows(connection, relation, dataset, rows=rows)
            return Sample(found, table_of(found, first), description=comment_of(connection, relation))


def _found(connection: Connection, dataset: PostgresDataset, demand: Demand) -> Relation | None:
    """Return what the dataset reads, None when its table has another name now and its owner has to say so; raise what `describe` raises."""
    try:
        return describe(connection, dataset)
    except NotFound:
        last = demand.last_form()
        there = tables_like(connection, dataset, sorted(source_names(last, dataset))) if last and dataset.table else ()
        if not there:
            raise
        if demand.admits(Arrival("", dataset.table or "", missing_form(dataset.table or "", there))) is Admission.LOAD:
            raise
        return None


def _notes(reading: Reading) -> tuple[Note, ...]:
    relation, found = reading.relation, reading.found
    notes = [*(found.notes if found else ()), *left_out(relation, reading.columns)]
    floats = sorted(
        source
        for column, source in reading.columns
        if column.logical_type == "number" and _becomes_float(relation.columns[source], column.physical_type)
    )
    if floats:
        notes.append(Note("precision", "numeric is read as the 64-bit float that the contract promises", ", ".join(floats)))
    return tuple(notes)


def _becomes_float(kind: str, physical: str | None) -> bool:
    return kind == "numeric" and "(" not in (physical or "")

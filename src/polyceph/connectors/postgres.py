"""The connector `postgres`: a table or a query of a PostgreSQL database, whole or from where the last load stopped."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from polyceph.connectors.postgres_bound import Bound, find_bound
from polyceph.connectors.postgres_options import PostgresDataset, PostgresSource
from polyceph.connectors.postgres_pushdown import Reading, pushdown
from polyceph.connectors.postgres_server import Connection, Relation, check_readable, describe, entered, match_columns, tables_like
from polyceph.connectors.validation import validated
from polyceph.sdk import Admission, Arrival, Column, Delivery, Demand, Follows, Form, FormColumn, Note, NotFound, Options


class PostgresConnector:
    """Reads PostgreSQL through DuckDB's postgres extension, in one read-only snapshot of the server.

    A snapshot load reads everything and is known by the run that asks for it, so a run that is tried again loads it once. An
    incremental load reads the half-open range (from, to] of its cursor column: `to` is fixed before the read, and transactions that
    were already writing to the table then are waited for, so a row that is committed late falls into this range or into a later one.
    Rows whose cursor value is set long before they are committed need `lag` as well.
    """

    source_options: ClassVar[type[Options]] = PostgresSource
    dataset_options: ClassVar[type[Options]] = PostgresDataset
    summary: ClassVar[str] = "Tables and queries of a PostgreSQL database, whole or incrementally by a cursor column."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(PostgresSource, options, "source of connector postgres")
        self._base = base

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
            form = Form(tuple(FormColumn(n, t) for n, t in relation.columns.items()), table=relation.shown, is_open=True, is_exact=True)
            if demand.admits(Arrival("", relation.shown, form)) is not Admission.LOAD:
                return
            columns = match_columns(demand.contract.columns, relation, dataset)
            check_readable(connection, relation, tuple(source for _, source in columns))
            bound = find_bound(connection, relation, dataset, since=demand.cursor) if dataset.cursor else None
        if dataset.cursor and bound is None:
            return
        yield Delivery(
            key=_key(demand, relation, bound),
            rows=pushdown(address, Reading(relation, columns, bound)),
            cursor=bound.until if bound else None,
            notes=_notes(relation, columns, bound),
            origin=relation.shown,
            follows=Follows(demand.cursor) if bound else None,
            form=form,
        )


def _found(connection: Connection, dataset: PostgresDataset, demand: Demand) -> Relation | None:
    """Return what the dataset reads, None when its table has another name now and its owner has to say so; raise what `describe` raises."""
    try:
        return describe(connection, dataset)
    except NotFound:
        last = demand.last_form()
        there = tables_like(connection, dataset, [one.name for one in last.columns]) if last and dataset.table else ()
        form = Form((), table=there[0] if there else "", asked=dataset.table or "", is_open=True, is_exact=True)
        if demand.admits(Arrival("", dataset.table or "", form)) is Admission.LOAD:
            raise
        return None


def _key(demand: Demand, relation: Relation, bound: Bound | None) -> str:
    if bound is None and demand.run:
        # The same run tried again must not append the same table again.
        wanted = "\n".join((demand.run, str(demand.dataset), relation.shown, relation.query))
        return f"snapshot-{hashlib.sha256(wanted.encode()).hexdigest()[:40]}"
    if bound is None:
        return f"snapshot-{uuid.uuid4().hex}"
    identity = "\n".join((str(demand.dataset), bound.column, bound.since or "", bound.until))
    return f"range-{hashlib.sha256(identity.encode()).hexdigest()[:40]}"


def _notes(relation: Relation, columns: tuple[tuple[Column, str], ...], bound: Bound | None) -> tuple[Note, ...]:
    notes = list(bound.notes) if bound else []
    left_out = sorted(set(relation.columns) - {source for _, source in columns})
    if left_out:
        notes.append(Note("columns", f"{relation.shown} has columns that the contract leaves out", ", ".join(left_out)))
    unbounded = sorted(source for column, source in columns if column.logical_type == "number" and relation.columns[source] == "numeric")
    if unbounded:
        notes.append(Note("precision", "numeric without precision is read as a 64-bit float", ", ".join(unbounded)))
    return tuple(notes)

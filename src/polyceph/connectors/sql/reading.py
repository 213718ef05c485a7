"""Statements that a load sends to a database that is reached through a `Dialect`: the newest value, the rows, the first rows."""

# ruff: noqa: S608 -- names go through the dialect's `quote`, values are placeholders

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from polyceph.connectors.sql.dialect import Dialect, Draft, Row, Session, Statement
from polyceph.connectors.sql.options import TableDataset
from polyceph.connectors.sql.ranges import Kind, Moment, Range, lag_of, limit_of, parsed, range_of, text_of
from polyceph.connectors.sql.relation import Matched, Relation, no_table, refuse_doubled
from polyceph.connectors.sql.statements import single_select
from polyceph.sdk import Invalid, Note


@dataclass(frozen=True)
class Reading:
    """What to read: the relation, contract column → source column, the range (None for everything), the dataset's options."""

    relation: Relation
    columns: Matched
    found: Range | None
    dataset: TableDataset


def describe(session: Session, dialect: Dialect, dataset: TableDataset) -> Relation:
    """Return the relation a dataset names, with its columns.

    Raises:
        NotFound: no such table; the message lists the nearest.
        Invalid: the query is not one SELECT, or the server does not accept it.
    """
    if dataset.query is not None:
        query = single_select(dataset.query, dialect=dataset.sql_dialect)
        found = session.describe(query)
        refuse_doubled([name for name, _ in found])
        return Relation(dict(found), "query", query=query)
    parts = dataset.table_parts()
    columns = {str(row[0]): str(row[1]) for row in columns_of(session, dialect, parts)}
    if not columns:
        known = [".".join(map(str, row[:-2])) for row in session.ask(dialect.tables())]
        raise no_table(".".join(parts), known)
    return Relation(columns, ".".join(parts), schema=".".join(parts[:-1]), table=parts[-1])


def columns_of(session: Session, dialect: Dialect, parts: tuple[str, ...]) -> list[Row]:
    """Return what the catalogue says of a table's columns."""
    return session.ask(dialect.columns(parts))


def find_range(session: Session, dialect: Dialect, relation: Relation, dataset: TableDataset, since: str | None) -> Range | None:
    """Return the range to read now, None when there is nothing new; the upper bound is fixed before the rows are read."""
    column = str(dataset.cursor)
    kind = dialect.kind(relation.columns[column])
    if kind is None:
        good = "a cursor is a date, a timestamp or an integer"
        raise Invalid(f"cursor {column} of {relation.shown} is {relation.columns[column]}", hint=good)
    newest = _newest(session, dialect, relation, dataset, kind)
    found = range_of(dataset, kind, since=since, newest=newest, relation=relation)
    return None if found is None else replace(found, notes=found.notes + _notes(session, dialect, relation, dataset))


def rows_of(dialect: Dialect, reading: Reading, *more: str) -> Statement:
    """Return the statement that reads the rows; its columns are called c0, c1 … in the order of the contract's, then come more fields."""
    draft, types = Draft(dialect.place), reading.relation.columns
    fields = [
        f"{dialect.field(source, types[source], column)} AS {dialect.quote(f'c{at}')}"
        for at, (column, source) in enumerate(reading.columns)
    ]
    where = _where(draft, reading.dataset)
    if reading.found is not None:
        where += _within(draft, dialect, reading.found, types[reading.found.column])
    return draft.done(f"SELECT {', '.join([*fields, *more])} FROM {dialect.source(reading.relation)}{where}")


def first_rows(dialect: Dialect, relation: Relation, dataset: TableDataset, rows: int) -> Statement:
    """Return the statement that reads the first rows as text."""
    draft = Draft(dialect.place)
    fields = ", ".join(
        f"{dialect.field(name, kind, None)} AS {dialect.quote(f'c{at}')}" for at, (name, kind) in enumerate(relation.columns.items())
    )
    return draft.done(dialect.first(fields, f"FROM {dialect.source(relation)}{_where(draft, dataset)}", rows))


def _where(draft: Draft, dataset: TableDataset) -> str:
    condition = dataset.condition()
    return f" WHERE {condition.sql(draft.value)}" if condition else " WHERE 1 = 1"


def _within(draft: Draft, dialect: Dialect, found: Range, source_type: str) -> str:
    def bound(text: str) -> str:
        return dialect.bound(draft.value(dialect.bound_value(text, source_type)), source_type)

    column = dialect.quote(found.column)
    until = f" AND {column} <= {bound(found.until)}"
    return until + (f" AND {column} > {bound(found.start)}" if found.start is not None else "")


def _newest(session: Session, dialect: Dialect, relation: Relation, dataset: TableDataset, kind: Kind) -> Moment | None:
    draft, column = Draft(dialect.place), str(dataset.cursor)
    source_type = relation.columns[column]
    where = _where(draft, dataset)
    if kind != "integer":
        limit = text_of(limit_of(dataset, kind, dialect.now(session)))
        where += f" AND {dialect.quote(column)} <= {dialect.bound(draft.value(dialect.bound_value(limit, source_type)), source_type)}"
    largest = dialect.text(f"MAX({dialect.quote(column)})", source_type)
    rows = session.ask(draft.done(f"SELECT {largest} FROM {dialect.source(relation)}{where}"))
    text = None if not rows or rows[0][0] is None else str(rows[0][0]).strip()
    if text is None or text.startswith("0000"):  # MySQL's zero date is no moment
        return None
    found = parsed(_with_zone(text, kind), kind, relation)
    return found - lag_of(dataset, kind).days if isinstance(found, int) else found


def _with_zone(text: str, kind: Kind) -> str:
    if kind != "timestamptz":
        return text
    found = datetime.fromisoformat(text)
    return text_of(found if found.tzinfo else found.replace(tzinfo=UTC))


def _notes(session: Session, dialect: Dialect, relation: Relation, dataset: TableDataset) -> tuple[Note, ...]:
    draft, column = Draft(dialect.place), str(dataset.cursor)
    notes = []
    if dataset.lag is None and dataset.overlap is None:
        notes.append(Note("cursor", dialect.late_rows, column))
    rest = f"FROM {dialect.source(relation)}{_where(draft, dataset)} AND {dialect.quote(column)} IS NULL"
    if session.ask(draft.done(dialect.first("1 AS found", rest, 1))):
        notes.append(Note("cursor", f"{relation.shown} has rows without {column}: an incremental load never reads them", column))
    return tuple(notes)

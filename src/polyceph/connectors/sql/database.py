"""A connector for a database that is reached through a `Dialect`: one delivery with everything, or with what is new."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from polyceph.connectors.sql.dialect import Dialect, Row, Session
from polyceph.connectors.sql.names import quoted_part
from polyceph.connectors.sql.options import ServerAddress, ServerSource, TableDataset
from polyceph.connectors.sql.ranges import follows, key_of, mode_of
from polyceph.connectors.sql.reading import Reading, columns_of, describe, find_range, first_rows
from polyceph.connectors.sql.relation import Relation, left_out, match_columns, missing_form, relation_form, source_names
from polyceph.connectors.sql.samples import table_of
from polyceph.connectors.validation import nearest, validated
from polyceph.sdk import (
    Admission,
    Arrival,
    ArrowStream,
    Delivery,
    Demand,
    NotFound,
    Options,
    Pushdown,
    Sample,
    SourceColumn,
    SourceTable,
)

_LOOKED_AT = 10
"""Tables with the nearest names that are looked at when one is gone."""


class DatabaseConnector(ABC):
    """Reads whole or by the half-open range (from, to] of a cursor column, whose end is fixed before the rows are read."""

    source_options: ClassVar[type[Options]]
    dataset_options: ClassVar[type[Options]]
    summary: ClassVar[str]
    name: ClassVar[str]

    def __init__(self, options: Options, *, base: Path) -> None:
        self._options = options
        self._base = base

    @abstractmethod
    def dialect(self) -> Dialect:
        """Return the database's SQL."""

    @abstractmethod
    def rows(self, address: ServerAddress, reading: Reading) -> ArrowStream | Pushdown:
        """Return the rows; nothing is read before they are asked for."""

    def type_word(self, source_type: str) -> str:
        """Return a type as a form tells it: what kind it is, so that another kind is seen."""
        return source_type

    def address(self) -> ServerAddress:
        """Return where to enter; raise `Misconfigured` when a value of the environment is missing."""
        source = validated(self.source_options, self._options, f"source of connector {self.name}")
        assert isinstance(source, ServerSource)  # noqa: S101 -- for the type checker
        return source.address()

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery with everything (snapshot) or with what is new (incremental), or nothing when nothing is new.

        Raises:
            Invalid: the options are wrong, or the contract names columns the source does not have.
            NotFound: the table does not exist.
            Denied: the account may not read it.
            Unavailable: the server does not answer.
            Misconfigured: a secret is not set, or the server refuses the account, the password or the database.
        """
        dataset = self._dataset(demand.options, f"options of {demand.dataset}")
        address, dialect = self.address(), self.dialect()
        with dialect.enter(address) as session:
            relation = _found(session, dialect, dataset, demand)
            if relation is None:
                return
            form = relation_form(relation, dataset, self.type_word)
            if demand.admits(Arrival("", relation.shown, form)) is not Admission.LOAD:
                return
            columns = match_columns(demand.contract.columns, relation, dataset)
            found = find_range(session, dialect, relation, dataset, demand.cursor) if dataset.cursor else None
            if dataset.cursor and found is None:
                return
            session.ask(first_rows(dialect, _only(relation, columns), dataset, 0))  # a missing right shows before the load
            notes = dialect.notes(session)
        reading = Reading(relation, columns, found, dataset)
        yield Delivery(
            key=key_of(demand, relation, found),
            rows=self.rows(address, reading),
            cursor=found.until if found else None,
            notes=(*notes, *(found.notes if found else ()), *left_out(relation, columns)),
            origin=relation.shown,
            follows=follows(demand, found),
            mode=mode_of(dataset),
            form=form,
        )

    def tables(self) -> Iterator[SourceTable]:
        """Yield the tables and views that the account sees, with the rows the catalogue estimates."""
        dialect = self.dialect()
        with dialect.enter(self.address()) as session:
            for *parts, rows, comment in session.ask(dialect.tables()):
                name = ".".join(quoted_part(str(part)) for part in parts)
                count = None if rows is None else int(str(rows))
                yield SourceTable(name, {"table": name}, str(comment or ""), None if count is None or count < 0 else count)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002 -- nothing is stored
        """Return the first rows of a table or query, and the columns as the server describes them; raises like `deliveries`."""
        dataset, dialect = self._dataset(options, "options of the dataset"), self.dialect()
        with dialect.enter(self.address()) as session:
            relation = describe(session, dialect, dataset)
            known = columns_of(session, dialect, dataset.table_parts()) if dataset.table else [_bare(*c) for c in relation.columns.items()]
            columns: tuple[SourceColumn, ...] = tuple(dialect.described(row) for row in known)
            found = session.ask(first_rows(dialect, relation, dataset, rows))
            return Sample(columns, table_of(columns, found))

    def _dataset(self, options: Mapping[str, object], subject: str) -> TableDataset:
        dataset = validated(self.dataset_options, options, subject)
        assert isinstance(dataset, TableDataset)  # noqa: S101 -- for the type checker
        return dataset


def _found(session: Session, dialect: Dialect, dataset: TableDataset, demand: Demand) -> Relation | None:
    """Return what the dataset reads, None when its table has another name now and its owner has to say so; raise what `describe` raises."""
    try:
        return describe(session, dialect, dataset)
    except NotFound:
        last = demand.last_form() if dataset.table else None
        there = _tables_like(session, dialect, dataset, source_names(last, dataset)) if last else ()
        if not there:  # it is gone, or the account may not know of it any more: nothing that an owner could decide
            raise
        if demand.admits(Arrival("", dataset.table or "", missing_form(dataset.table or "", there))) is Admission.LOAD:
            raise
        return None


def _tables_like(session: Session, dialect: Dialect, dataset: TableDataset, columns: set[str]) -> tuple[str, ...]:
    """Return the tables beside a dataset's that have all these columns, the one whose name is nearest first."""
    *schema, table = dataset.table_parts()
    beside = [str(row[-3]) for row in session.ask(dialect.tables()) if [str(part) for part in row[:-3]] == schema]
    near = nearest(table, beside, _LOOKED_AT)
    like = [name for name in near if columns <= {str(row[0]) for row in columns_of(session, dialect, (*schema, name))}]
    return tuple(".".join(map(quoted_part, (*schema, name))) for name in like)


def _bare(name: str, kind: str) -> Row:
    return (name, kind, "YES", "NO", "")


def _only(relation: Relation, columns: tuple[tuple[object, str], ...]) -> Relation:
    wanted = {source: relation.columns[source] for _, source in columns}
    return Relation(wanted, relation.shown, relation.schema, relation.table, relation.query)

"""What pages show of the store: runs of a domain or a dataset, how an output is served, heads of the journal. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import cast, func

from polyceph.core.model.dataset import DatasetId
from polyceph.core.ports import RunRecord
from polyceph.store import rows
from polyceph.store.connection import translated
from polyceph.store.queries import last_digest_statement
from polyceph.store.tables import event, journal_cosignature, journal_head, run_request


@dataclass(frozen=True)
class LastHead:
    """A signed head of the journal: how many events it covers, when it was signed, how many witnesses cosigned it."""

    size: int
    signed_at: datetime
    witnesses: int


@dataclass(frozen=True)
class Served:
    """How an output was served last: when, how many rows, at which address."""

    at: datetime
    rows: int | None
    where: str | None


class PostgresOverview:
    """Questions of the pages; each call is one short transaction and sees one moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last_digest(self) -> str | None:
        """Return the digest of the declarations that were applied last, None before the first time."""
        with self._reading("the last digest") as connection:
            return connection.execute(last_digest_statement()).scalar()

    def runs(self, domain: str, dataset: DatasetId | None = None, *, most: int = 10) -> tuple[RunRecord, ...]:
        """Return the newest runs of a domain, or those of them that made a dataset (a run of the whole domain did)."""
        statement = select(run_request).where(run_request.c.domain == domain)
        if dataset is not None:
            one = [{"domain": dataset.domain, "zone": dataset.zone.value, "name": dataset.name}]
            is_whole = run_request.c.datasets == cast([], JSONB)
            statement = statement.where(or_(run_request.c.datasets.contains(one), is_whole & run_request.c.job.is_(None)))
        statement = statement.order_by(run_request.c.requested_at.desc(), run_request.c.request).limit(most)
        with self._reading("runs") as connection:
            return tuple(rows.run_record(row) for row in connection.execute(statement))

    def last_runs(self) -> Mapping[str, RunRecord]:
        """Return the newest run of each domain."""
        statement = select(run_request).distinct(run_request.c.domain).order_by(run_request.c.domain, run_request.c.requested_at.desc())
        with self._reading("the last runs") as connection:
            return {row.domain: rows.run_record(row) for row in connection.execute(statement)}

    def served(self, dataset: DatasetId) -> Served | None:
        """Return how an output was served last, None when it never was."""
        body = event.c.body
        statement = (
            select(event.c.at, body["after"])
            .where(body["action"].astext == "dataset.served", body["subject"]["id"].astext == str(dataset))
            .order_by(event.c.seq.desc())
            .limit(1)
        )
        with self._reading("what is served") as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        after = row[1] or {}
        return Served(row[0], after.get("rows"), after.get("where"))

    def heads(self, *, most: int = 5) -> tuple[LastHead, ...]:
        """Return the newest signed heads of the journal."""
        witnesses = func.count(journal_cosignature.c.witness)
        statement = (
            select(journal_head.c.size, journal_head.c.signed_at, witnesses)
            .outerjoin(journal_cosignature, journal_cosignature.c.size == journal_head.c.size)
            .group_by(journal_head.c.size, journal_head.c.signed_at)
            .order_by(journal_head.c.size.desc())
            .limit(most)
        )
        with self._reading("heads of the journal") as connection:
            return tuple(LastHead(*row) for row in connection.execute(statement))

    def server_version(self) -> str:
        """Return the version of PostgreSQL that answers."""
        with self._reading("the server's version") as connection:
            return str(connection.execute(text("SHOW server_version")).scalar())

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with translated(f"reading {what}"), self._engine.begin() as connection:
            yield connection

"""What the store is asked. Nothing is changed here."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, Select, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from polyceph.core.model.drift import Drift, State
from polyceph.core.model.emergency import Emergency
from polyceph.core.model.event import EventFilter, JournalEntry
from polyceph.core.ports import AppliedDeclaration, RecordedDataset, RunRecord
from polyceph.store import rows
from polyceph.store.connection import translated
from polyceph.store.emergencies import emergencies_statement, emergency_of
from polyceph.store.tables import dataset, declaration, drift, event, journal_leaf, run_request, snapshot

_DECLARATIONS = 20
"""Declarations fetched at once: one of a large federation is some megabytes."""


class PostgresQueries:
    """`core.ports.Queries` on PostgreSQL; each call is one transaction and sees one moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last_declaration(self) -> AppliedDeclaration | None:
        """Return what was applied last, None before the first time."""
        with self._reading("the last declaration") as connection:
            row = connection.execute(last_declaration_statement()).first()
        return rows.applied_declaration(row) if row else None

    def declarations(self, until: datetime | None = None) -> Iterator[AppliedDeclaration]:
        """Yield every declaration that was applied before a moment, oldest first, a few at a time: each may be large."""
        statement = select(declaration).order_by(declaration.c.seq).execution_options(yield_per=_DECLARATIONS)
        if until is not None:
            statement = statement.where(declaration.c.applied_at < until)
        with self._reading("declarations") as connection:
            for row in connection.execute(statement):
                yield rows.applied_declaration(row)

    def datasets(self, domain: str | None = None) -> tuple[RecordedDataset, ...]:
        """Return the datasets that are not removed, sorted, of one domain or of all."""
        conditions = [dataset.c.removed_at.is_(None), *([] if domain is None else [dataset.c.domain == domain])]
        with self._reading("datasets") as connection:
            found = [rows.recorded_dataset(row) for row in connection.execute(select(dataset).where(*conditions))]
        return tuple(sorted(found, key=lambda one: one.id))

    def last_snapshots(self) -> Mapping[str, int]:
        """Return the last recorded snapshot by domain."""
        statement = (
            select(snapshot.c.domain, func.max(snapshot.c.snapshot).label("last")).group_by(snapshot.c.domain).order_by(snapshot.c.domain)
        )
        with self._reading("the last snapshots") as connection:
            return {row.domain: row.last for row in connection.execute(statement)}

    def run(self, run: str) -> RunRecord | None:
        """Return one launched run, None when it is not recorded."""
        return self._run(run_request.c.run == run)

    def requested_run(self, request: str) -> RunRecord | None:
        """Return one request, None when it is not recorded."""
        return self._run(run_request.c.request == request)

    def last_run_moment(self) -> datetime | None:
        """Return when the last request or outcome was recorded, None before the first."""
        statement = select(func.greatest(func.max(run_request.c.requested_at), func.max(run_request.c.ended_at)))
        with self._reading("the time of the last run") as connection:
            return connection.execute(statement).scalar()

    def open_runs(self) -> tuple[RunRecord, ...]:
        """Return the runs that have no outcome yet, oldest first."""
        statement = select(run_request).where(run_request.c.ended_at.is_(None)).order_by(run_request.c.requested_at, run_request.c.request)
        with self._reading("the open runs") as connection:
            return tuple(rows.run_record(row) for row in connection.execute(statement))

    def events(self, wanted: EventFilter) -> tuple[JournalEntry, ...]:
        """Return events in the order of their numbers. Numbers are given before the commit: a lower one may still appear."""
        with self._reading("events") as connection:
            found = tuple(rows.journal_entry(row) for row in connection.execute(events_statement(wanted)))
        return found[::-1] if wanted.newest else found

    def last_event(self, action: str, subject_kind: str, subject_id: str) -> JournalEntry | None:
        """Return the event of this action and subject that has the highest number, None when there is none."""
        wanted = EventFilter(action=action, subject_kind=subject_kind, subject_id=subject_id, limit=1, newest=True)
        with self._reading("the last event") as connection:
            row = connection.execute(events_statement(wanted)).first()
        return rows.journal_entry(row) if row else None

    def _run(self, condition: ColumnElement[bool]) -> RunRecord | None:
        with self._reading("a run") as connection:
            row = connection.execute(select(run_request).where(condition)).first()
        return rows.run_record(row) if row else None

    def drifts(self, state: State | None = None) -> tuple[Drift, ...]:
        """Return drifts, of one state or of all, in the order of their numbers."""
        found = select(drift).order_by(drift.c.number)
        with self._reading("drifts") as connection:
            return tuple(map(rows.drift, connection.execute(found if state is None else found.where(drift.c.state == state.value))))

    def drift(self, number: int) -> Drift | None:
        """Return one drift, None when there is none of this number."""
        with self._reading(f"drift {number}") as connection:
            row = connection.execute(select(drift).where(drift.c.number == number)).first()
        return rows.drift(row) if row else None

    def emergencies(self, *, is_open: bool = False) -> tuple[Emergency, ...]:
        """Return emergency access in the order of the numbers; with `is_open` what nobody recorded the end of."""
        with self._reading("emergency access") as connection:
            return tuple(map(emergency_of, connection.execute(emergencies_statement(is_open=is_open))))

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with translated(f"reading {what}"), self._engine.begin() as connection:
            yield connection


def last_declaration_statement() -> Select[tuple[object, ...]]:
    """Return the SELECT of the whole row applied last."""
    return select(declaration).order_by(declaration.c.seq.desc()).limit(1)


def last_digest_statement() -> Select[tuple[str]]:
    """Return the SELECT of the digest applied last."""
    return select(declaration.c.digest).order_by(declaration.c.seq.desc()).limit(1)


def events_statement(wanted: EventFilter) -> Select[tuple[object, ...]]:
    """Return the SELECT of wanted events with their place in the tree, by number; the newest first when those are wanted."""
    body = event.c.body
    subject, decision = body["subject"], body["decision"]
    sides = (
        (subject["domain"].astext, operator.eq, wanted.domain),
        (body["action"].astext, operator.eq, wanted.action),
        (subject["kind"].astext, operator.eq, wanted.subject_kind),
        (subject["id"].astext, operator.eq, wanted.subject_id),
        (body["actor"]["id"].astext, operator.eq, wanted.actor),
        (decision["allowed"].astext, operator.eq, None if wanted.allowed is None else str(wanted.allowed).lower()),
        (event.c.at, operator.ge, wanted.since),
        (event.c.at, operator.lt, wanted.until),
        (event.c.seq, operator.gt, wanted.after),
    )
    conditions = [compare(column, value) for column, compare, value in sides if value is not None]
    if wanted.dataset is not None:
        conditions.append(_about(wanted.dataset))
    found = select(event, journal_leaf.c.index.label("leaf")).outerjoin(journal_leaf, journal_leaf.c.event == event.c.seq)
    return found.where(*conditions).order_by(event.c.seq.desc() if wanted.newest else event.c.seq).limit(wanted.limit)


def _about(dataset: str) -> ColumnElement[bool]:
    """What happened to a dataset, and what names it: the datasets of a run, the contracts of a snapshot."""
    after = event.c.body["after"]
    named = [cast(after[part], JSONB).has_key(dataset) for part in ("datasets", "contracts")]
    return or_(event.c.body["subject"]["id"].astext == dataset, *named)

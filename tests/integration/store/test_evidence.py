"""Proof of what happened in lakes, kept by several recorders beside each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.ports import EventFilter, SnapshotRecord
from polyceph.core.usecases.evidence import record_snapshots
from polyceph.core.usecases.federation import apply_federation
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")


def test_recorders_beside_each_other_write_each_change_once(store: Engine, make_federation: Callable[..., Federation]) -> None:
    queries = PostgresQueries(store)
    apply_federation(PostgresUnitOfWork(store), queries, make_federation("education.raw.schools"), actor=ANNE, commit="c")
    began = datetime(2026, 11, 1, tzinfo=UTC)
    given = [SnapshotRecord("education", n, began + timedelta(minutes=n), "domain_education", "load") for n in range(20)]

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda _: record_snapshots(PostgresUnitOfWork(store), given), range(2)))

    assert sorted(counts) == [0, 20]
    events = queries.events(EventFilter(action="snapshot.committed"))
    assert [one.event.subject_id for one in events] == [f"education@{n}" for n in range(20)]

"""Proof that stays true: with several recorders beside each other, and while a domain's declarations are broken."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.ports import FederationChange, SnapshotRecord
from polyceph.core.usecases.evidence import record_snapshots
from polyceph.core.usecases.federation import applied_consumption, apply_federation
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


def test_a_change_of_a_lake_is_tied_to_its_run_and_the_commit_of_the_code(
    store: Engine, make_federation: Callable[..., Federation]
) -> None:
    queries = PostgresQueries(store)
    apply_federation(PostgresUnitOfWork(store), queries, make_federation("education.raw.schools"), actor=ANNE, commit="c")
    stamps = ({"run": "r1", "code": "c9"}, {"run": "provision", "code": ""}, {})
    began = datetime(2026, 11, 1, tzinfo=UTC)
    record_snapshots(
        PostgresUnitOfWork(store), [SnapshotRecord("education", n, began, "anne", "load", extra) for n, extra in enumerate(stamps)]
    )  # fmt: skip
    ties = [one.event.correlation for one in queries.events(EventFilter(action="snapshot.committed"))]
    assert ties == [{"run": "r1", "commit": "c9"}, {"run": "provision"}, {}]


def test_declarations_are_asked_for_up_to_a_moment(store: Engine, make_federation: Callable[..., Federation]) -> None:
    queries = PostgresQueries(store)
    for digest in ("d1", "d2", "d3"):
        federation = make_federation("education.raw.schools", digest=digest)
        apply_federation(PostgresUnitOfWork(store), queries, federation, actor=ANNE, commit=digest)
    found = list(queries.declarations())
    assert [one.digest for one in found] == ["d1", "d2", "d3"]
    assert [one.digest for one in queries.declarations(found[2].applied_at)] == ["d1", "d2"]
    assert list(queries.declarations(found[0].applied_at)) == []


def test_a_domain_whose_declarations_cannot_be_read_is_not_removed(store: Engine, make_federation: Callable[..., Federation]) -> None:
    queries, work = PostgresQueries(store), PostgresUnitOfWork(store)
    whole = make_federation("education.raw.schools", "culture.gold.museums", "health.gold.beds", digest="d1")
    culture = replace(whole.domains["culture"], consumes=(DatasetId("education", Zone.GOLD, "pupils"),))
    apply_federation(work, queries, replace(whole, domains={**whole.domains, "culture": culture}), actor=ANNE, commit="c")

    half = make_federation("education.raw.schools", digest="d2")
    change = apply_federation(work, queries, half, actor=ANNE, commit="c", left_out=["culture", "never_applied"])

    assert change == FederationChange(domains_removed=("health",), datasets_removed=(DatasetId("health", Zone.GOLD, "beds"),))
    assert [str(one.id) for one in queries.datasets()] == ["culture.gold.museums", "education.raw.schools"]
    event = queries.events(EventFilter(action="federation.applied"))[-1].event
    assert event.after is not None
    assert event.after["left_out"] == ["culture", "never_applied"]
    assert event.after["changes"] == {"dataset.removed": 1, "domain.removed": 1}
    assert all(one.event.correlation == {"commit": "c"} for one in queries.events(EventFilter(domain="culture")))
    assert [one.event.action for one in queries.events(EventFilter(domain="culture"))] == ["domain.added", "dataset.added"]
    # Twice: what was kept must still be there for the next start with the mistake in place.
    apply_federation(work, queries, make_federation("education.raw.schools", digest="d3"), actor=ANNE, commit="c", left_out=["culture"])
    consumed = applied_consumption(queries.last_declaration(), ["culture", "never_applied"])
    assert consumed == {"culture": (DatasetId("education", Zone.GOLD, "pupils"),)}

"""What pages ask the store."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))
from journals import ANNE, opened

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Event
from polyceph.core.ports import RunOutcome, RunRequest
from polyceph.core.usecases import runs
from polyceph.core.usecases.federation import apply_federation
from polyceph.store.overview import PostgresOverview, Served
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

SCHOOLS = DatasetId("education", Zone.GOLD, "schools")


@pytest.fixture
def overview(store: Engine, make_federation: Callable) -> PostgresOverview:
    federation = make_federation("education.gold.schools", "education.gold.pupils", "culture.gold.museums")
    apply_federation(PostgresUnitOfWork(store), PostgresQueries(store), federation, actor=ANNE, commit="c1")
    return PostgresOverview(store)


def run(store: Engine, name: str, domain: str, *datasets: DatasetId, job: str | None = None, status: str = "SUCCESS") -> None:
    request = RunRequest(name, domain, ANNE, datasets, job)
    runs.request_run(PostgresUnitOfWork(store), request, run=f"run-{name}")
    if status != "REQUESTED":
        runs.finish_run(PostgresUnitOfWork(store), request, RunOutcome(f"run-{name}", domain, status, 1.5, 3, 1), actor=ANNE)


def test_the_runs_of_a_dataset_are_those_that_made_it(store: Engine, overview: PostgresOverview) -> None:
    pupils = DatasetId("education", Zone.GOLD, "pupils")
    run(store, "whole", "education")
    run(store, "its own", "education", SCHOOLS, pupils)
    run(store, "another's", "education", pupils)
    run(store, "a job", "education", job="nightly")
    run(store, "another domain", "culture")
    assert {one.request.request for one in overview.runs("education", SCHOOLS)} == {"whole", "its own"}
    assert len(overview.runs("education")) == 4
    assert [one.request.request for one in overview.runs("education", most=2)] == ["a job", "another's"]


def test_the_last_run_of_each_domain_may_be_under_way(store: Engine, overview: PostgresOverview) -> None:
    run(store, "one", "education")
    run(store, "two", "education", status="REQUESTED")
    run(store, "three", "culture", status="FAILURE")
    last = overview.last_runs()
    assert last["education"].outcome is None
    assert last["culture"].outcome is not None
    assert last["culture"].outcome.status == "FAILURE"


def test_how_an_output_is_served_is_told_by_the_last_event(store: Engine, overview: PostgresOverview) -> None:
    assert overview.served(SCHOOLS) is None
    for rows in (10, 12):
        with PostgresUnitOfWork(store) as work:
            work.record(
                Event(ANNE, "postgres", "dataset.served", "dataset", str(SCHOOLS), "education", after={"rows": rows, "where": "here"})
            )
            work.commit()
    found = overview.served(SCHOOLS)
    assert found is not None
    assert found == Served(found.at, 12, "here")


def test_heads_of_the_journal_come_newest_first(
    store: Engine, overview: PostgresOverview, make_federation: Callable, tmp_path: Path
) -> None:
    assert overview.heads() == ()
    journal = opened(store, tmp_path, make_federation("education.gold.schools"))
    journal.seal(at_once=True)
    run(store, "one", "education")
    journal.seal(at_once=True)
    sizes = [one.size for one in overview.heads()]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 2


def test_the_digest_applied_last_and_the_server_are_told(overview: PostgresOverview) -> None:
    assert overview.last_digest() == "d1"
    assert overview.server_version().startswith("18")

"""Runs recorded with who asked for them, also those that were asked for elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.ports import RunOutcome, RunRequest, SeenRun
from polyceph.core.usecases.federation import apply_federation
from polyceph.core.usecases.runs import REQUEST_TAG, launch_run, record_runs, request_run
from polyceph.errors import NotFound
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
SCHOOLS = DatasetId("education", Zone.RAW, "schools")
BEGAN = datetime.now(UTC)


@dataclass
class PlayedLauncher:
    """A launcher that knows the runs it is given."""

    runs: list[SeenRun] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    asked_since: list[datetime | None] = field(default_factory=list)

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        self.runs.append(seen(f"r{len(self.runs)}", domain=domain, tags=tags))
        return self.runs[-1].run

    def progress(self, run: str) -> tuple[int, int]:
        return 0, 1

    def outcome(self, run: str) -> RunOutcome | None:
        if run not in {one.run for one in self.runs}:
            raise NotFound(f"run {run} does not exist")
        return RunOutcome(run, "education", self.ended[run], 3.0, checks_passed=2) if run in self.ended else None

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        self.asked_since.append(since)
        return tuple(one for one in self.runs if since is None or one.updated_at > since)


def seen(
    run: str, *, minutes: int = 0, domain: str = "education", tags: Mapping[str, str] | None = None, job: str | None = None
) -> SeenRun:
    return SeenRun(run, domain, BEGAN + timedelta(minutes=minutes), tags or {}, () if job else (SCHOOLS,), job)


@pytest.fixture
def queries(store: Engine, make_federation: Callable[..., Federation]) -> PostgresQueries:
    found = PostgresQueries(store)
    apply_federation(PostgresUnitOfWork(store), found, make_federation("education.raw.schools"), actor=ANNE, commit="c")
    return found


def recorded(store: Engine, launcher: PlayedLauncher, since: datetime | None = None, now: datetime | None = None) -> datetime | None:
    queries = PostgresQueries(store)
    return record_runs(PostgresUnitOfWork(store), queries, launcher, since=since, now=now or datetime.now(UTC))


def told(queries: PostgresQueries) -> list[tuple[str, str, str, str]]:
    entries = [entry.event for entry in queries.events(EventFilter(subject_kind="run"))]
    return [(one.action, one.actor.id, one.subject_id, one.correlation.get("run", "")) for one in entries]


@pytest.mark.parametrize(
    ("tags", "who"),
    [
        ({"dagster/schedule_name": "nightly"}, Actor(ActorKind.SCHEDULE, "nightly")),
        ({"user": "eva.simon"}, Actor(ActorKind.PERSON, "eva.simon")),
        ({}, Actor(ActorKind.SERVICE, "dagster")),
    ],
)
def test_a_run_asked_for_elsewhere_is_recorded_with_who_what_and_its_end(
    store: Engine, queries: PostgresQueries, tags: dict[str, str], who: Actor
) -> None:
    launcher = PlayedLauncher([seen("r0", tags=tags)])
    recorded(store, launcher)
    (open_run,) = queries.open_runs()
    assert (open_run.run, open_run.request) == ("r0", RunRequest("r0", "education", who, (SCHOOLS,)))

    launcher.ended["r0"] = "SUCCESS"
    recorded(store, launcher)
    assert told(queries) == [("run.requested", who.id, "r0", "r0"), ("run.finished", "polyceph", "r0", "r0")]
    run = queries.run("r0")
    assert run is not None
    assert run.outcome == RunOutcome("r0", "education", "SUCCESS", 3.0, 2)


def test_a_job_that_makes_no_dataset_is_recorded_by_its_name(store: Engine, queries: PostgresQueries) -> None:
    recorded(store, PlayedLauncher([seen("r0", job="housekeeping")]))
    (entry,) = queries.events(EventFilter(action="run.requested"))
    assert entry.event.after == {"datasets": ["housekeeping"]}


def test_a_request_whose_asker_was_stopped_after_launching_finds_its_run(store: Engine, queries: PostgresQueries) -> None:
    request_run(PostgresUnitOfWork(store), RunRequest("q1", "education", ANNE))
    launcher = PlayedLauncher([seen("r0", tags={REQUEST_TAG: "q1"})], {"r0": "FAILURE"})
    recorded(store, launcher)
    assert [(action, subject, run) for action, _, subject, run in told(queries)] == [
        ("run.requested", "q1", ""),
        ("run.launched", "q1", "r0"),
        ("run.finished", "q1", "r0"),
    ]


def test_a_run_executed_again_does_not_answer_the_request_of_the_first(store: Engine, queries: PostgresQueries) -> None:
    request = RunRequest("q1", "education", ANNE)
    request_run(PostgresUnitOfWork(store), request)
    launch_run(PostgresUnitOfWork(store), request, "r0", actor=ANNE)
    recorded(store, PlayedLauncher([seen("r0", tags={REQUEST_TAG: "q1"}), seen("r1", tags={REQUEST_TAG: "q1"})]))
    assert {(one.run, one.request.request, one.request.actor.id) for one in queries.open_runs()} == {
        ("r0", "q1", "anne.dupont"),
        ("r1", "r1", "dagster"),
    }


def test_a_request_that_was_never_launched_is_closed(store: Engine, queries: PostgresQueries) -> None:
    request_run(PostgresUnitOfWork(store), RunRequest("q1", "education", ANNE))
    recorded(store, PlayedLauncher())
    assert len(queries.open_runs()) == 1
    recorded(store, PlayedLauncher(), now=datetime.now(UTC) + timedelta(minutes=11))
    record = queries.requested_run("q1")
    assert record is not None
    assert record.outcome is not None
    assert (record.run, record.outcome.status, record.outcome.error) == (None, "CANCELED", "it was asked for and never launched")


def test_a_run_removed_from_dagster_is_closed(store: Engine, queries: PostgresQueries) -> None:
    recorded(store, PlayedLauncher([seen("r0")]))
    recorded(store, PlayedLauncher())
    run = queries.run("r0")
    assert run is not None
    assert run.outcome is not None
    assert run.outcome.status == "CANCELED"


def test_a_recorder_goes_on_where_it_stopped(store: Engine, queries: PostgresQueries) -> None:
    launcher = PlayedLauncher([seen("r0"), seen("r1", minutes=9)])
    reached = recorded(store, launcher)
    assert reached == BEGAN + timedelta(minutes=9)
    launcher.runs.append(seen("r2", minutes=9))
    assert recorded(store, launcher, reached) == reached
    assert launcher.asked_since == [None, BEGAN + timedelta(minutes=9, seconds=-30)]
    assert len(queries.open_runs()) == 3


def test_recorders_beside_each_other_record_each_run_once(store: Engine, queries: PostgresQueries) -> None:
    request_run(PostgresUnitOfWork(store), RunRequest("q1", "education", ANNE))
    given = [seen("r0", tags={REQUEST_TAG: "q1"}), *(seen(f"r{n}", minutes=n) for n in range(1, 10))]
    launcher = PlayedLauncher(given, {one.run: "SUCCESS" for one in given})
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: recorded(store, launcher), range(2)))
    events = [(action, run) for action, _, _, run in told(queries)]
    assert len(events) == len(set(events)) == 3 + 2 * 9
    assert queries.open_runs() == ()

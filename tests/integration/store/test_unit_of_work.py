"""What use cases change in the store, and what they read back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.ports import FederationChange, Queries, RunOutcome, RunRequest, SnapshotRecord, UnitOfWork
from polyceph.errors import Conflict, Invalid, Misconfigured, NotFound, Unavailable
from polyceph.settings import PostgresAddress
from polyceph.store.connection import engine
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
NIGHT = Actor(ActorKind.SCHEDULE, "nightly", on_behalf_of="education")
MakeFederation = Callable[..., Federation]


def event(action: str = "federation.applied", **changes: object) -> Event:
    values: dict[str, object] = {"actor": ANNE, "door": "cli", "action": action, "subject_kind": "federation", "subject_id": "demo"}
    return Event(**(values | changes))  # type: ignore[arg-type]


def snapshot(number: int, domain: str = "education", **changes: object) -> SnapshotRecord:
    values: dict[str, object] = {"at": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number), "author": "anne", "message": "load"}
    return SnapshotRecord(domain, number, **(values | changes))  # type: ignore[arg-type]


def apply(store: Engine, federation: Federation, expected: str | None = None) -> FederationChange:
    with PostgresUnitOfWork(store) as work:
        change = work.apply_federation(federation, commit="0" * 40, content={"federation.yaml": "name: demo"}, expected=expected)
        work.record(event())
        work.commit()
    return change


def record(store: Engine, change: Callable[[PostgresUnitOfWork], object], *actions: str) -> None:
    with PostgresUnitOfWork(store) as work:
        change(work)
        for action in actions:
            work.record(event(action))
        work.commit()


def applied(store: Engine, make_federation: MakeFederation) -> PostgresQueries:
    apply(store, make_federation("education.raw.schools", "culture.gold.museums"))
    return PostgresQueries(store)


def test_the_ports_are_kept(store: Engine) -> None:
    work: UnitOfWork = PostgresUnitOfWork(store)
    queries: Queries = PostgresQueries(store)
    with work:
        assert queries.last_declaration() is None


def test_an_event_comes_back_as_it_was_recorded(store: Engine) -> None:
    given = event(
        "read.refused", actor=NIGHT, domain="education", allowed=False, policy="purpose", reason="no purpose",
        before={"zone": "raw"}, after={"n": [1, None, 2.5, "é"]}, correlation={"run": "r1"},
    )  # fmt: skip
    with PostgresUnitOfWork(store) as work:
        work.record(given)
        work.commit()

    (entry,) = PostgresQueries(store).events(EventFilter())
    assert entry.event == given
    assert abs(entry.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_not_committed_never_happened(store: Engine, make_federation: MakeFederation) -> None:
    with PostgresUnitOfWork(store) as work:
        work.apply_federation(make_federation("education.raw.schools"), commit="c", content={}, expected=None)
        work.record(event())
    with pytest.raises(ZeroDivisionError):
        record(store, lambda work: (work.record(event()), 1 / 0))
    assert PostgresQueries(store).events(EventFilter()) == ()
    assert PostgresQueries(store).last_declaration() is None


def test_a_change_without_an_event_is_not_committed(store: Engine, make_federation: MakeFederation) -> None:
    federation = make_federation("education.raw.schools")
    with pytest.raises(Misconfigured, match="declaration changed and no event says so"):
        record(store, lambda work: work.apply_federation(federation, commit="c", content={}, expected=None))
    assert PostgresQueries(store).datasets() == ()


@pytest.mark.parametrize("what", ["request", "launch", "outcome", "snapshots"])
def test_no_change_goes_without_an_event(store: Engine, make_federation: MakeFederation, what: str) -> None:
    applied(store, make_federation)
    record(store, lambda work: work.record_run_request(RunRequest("q0", "education", ANNE)), "run.requested")
    changes: dict[str, Callable[[PostgresUnitOfWork], object]] = {
        "request": lambda work: work.record_run_request(RunRequest("q1", "education", ANNE)),
        "launch": lambda work: work.record_run_launch("q0", "r0"),
        "outcome": lambda work: work.record_run_outcome("q0", RunOutcome("r0", "education", "SUCCESS", 1.0)),
        "snapshots": lambda work: work.record_snapshots([snapshot(1)]),
    }
    with pytest.raises(Misconfigured, match="no event says so"):
        record(store, changes[what])
    assert PostgresQueries(store).last_snapshots() == {}
    assert [(run.request.request, run.run) for run in PostgresQueries(store).open_runs()] == [("q0", None)]


def test_the_database_refuses_what_a_faulty_unit_of_work_would_commit(store: Engine, make_federation: MakeFederation) -> None:
    applied(store, make_federation)
    with pytest.raises(Misconfigured, match="table snapshot was changed and no event says so"):
        record(store, lambda work: (work.record_snapshots([snapshot(1)]), work._changed.clear()))
    assert PostgresQueries(store).last_snapshots() == {}


@pytest.mark.parametrize("bad", [{"after": {"at": datetime.now(UTC)}}, {"before": {"n": float("nan")}}, {"action": "applied"}])
def test_an_event_that_cannot_be_kept_is_refused(store: Engine, bad: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        record(store, lambda work: work.record(event(**bad)))  # type: ignore[arg-type]


def test_applying_says_what_comes_changes_goes_and_comes_back(store: Engine, make_federation: MakeFederation) -> None:
    schools, pupils = DatasetId("education", Zone.RAW, "schools"), DatasetId("education", Zone.SILVER, "pupils")
    queries = PostgresQueries(store)

    first = apply(store, make_federation("education.raw.schools", "education.silver.pupils", digest="d1"))
    assert first == FederationChange(domains_added=("education",), datasets_added=(schools, pupils))
    recorded = {one.id: one for one in queries.datasets()}
    assert (recorded[schools].contract_version, recorded[schools].classification) == ("1.0.0", "internal")
    assert (recorded[pupils].contract_version, recorded[pupils].classification) == (None, None)

    second = apply(store, make_federation("education.raw.schools", digest="d2", owner="eva.simon", domains=("culture",)), "d1")
    assert second == FederationChange(("culture",), ("education",), (), (), (schools,), (pupils,))
    assert [one.owner for one in queries.datasets()] == ["eva.simon"]

    third = apply(store, make_federation("education.silver.pupils", digest="d3", owner="eva.simon"), "d2")
    assert third == FederationChange((), (), ("culture",), (pupils,), (), (schools,))
    assert [one.id for one in queries.datasets("education")] == [pupils]


def test_applying_the_same_declarations_again_changes_nothing(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools"))
    with PostgresUnitOfWork(store) as work:
        change = work.apply_federation(make_federation("education.raw.schools"), commit="c", content={}, expected="d1")
        work.commit()
    assert change == FederationChange()


def test_the_last_declaration_is_kept_with_its_content(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools"))
    last = PostgresQueries(store).last_declaration()
    assert last is not None
    assert (last.digest, last.commit, last.content) == ("d1", "0" * 40, {"federation.yaml": "name: demo"})


def test_declarations_that_changed_meanwhile_are_a_conflict(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools", digest="d1"))
    with pytest.raises(Conflict, match="d1 is in force, not none"):
        apply(store, make_federation("education.raw.pupils", digest="d2"), None)
    last = PostgresQueries(store).last_declaration()
    assert last is not None
    assert last.digest == "d1"


def test_of_two_who_apply_at_the_same_moment_one_wins(store: Engine, make_federation: MakeFederation) -> None:
    together = threading.Barrier(4)

    def attempt(number: int) -> str:
        federation = make_federation(f"education.raw.schools_{number}", digest=f"d{number}")
        together.wait()
        try:
            apply(store, federation, None)
        except Conflict:
            return "conflict"
        return f"d{number}"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(attempt, range(4)))

    assert outcomes[:3] == ["conflict"] * 3
    queries = PostgresQueries(store)
    last = queries.last_declaration()
    assert last is not None
    assert last.digest == outcomes[3]
    assert [one.id.name for one in queries.datasets()] == [f"schools_{outcomes[3][1:]}"]
    assert len(queries.events(EventFilter())) == 1


def test_units_of_work_beside_each_other_lose_no_event(store: Engine) -> None:
    def write(number: int) -> None:
        with PostgresUnitOfWork(store) as work:
            work.record(event("dataset.read", subject_id=str(number)))
            work.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(100)))
    entries = PostgresQueries(store).events(EventFilter(action="dataset.read"))
    assert sorted(int(entry.event.subject_id) for entry in entries) == list(range(100))


def test_a_run_is_kept_from_request_to_outcome(store: Engine, make_federation: MakeFederation) -> None:
    queries = applied(store, make_federation)
    request = RunRequest("q1", "education", NIGHT, (DatasetId("education", Zone.RAW, "schools"),))
    outcome = RunOutcome("r1", "education", "FAILURE", 12.5, 3, 1, "check failed")
    assert queries.last_run_moment() is None

    record(store, lambda work: work.record_run_request(request), "run.requested")
    (open_run,) = queries.open_runs()
    assert (open_run.request, open_run.run, open_run.outcome) == (request, None, None)

    record(store, lambda work: work.record_run_launch("q1", "r1"), "run.launched")
    assert [one.run for one in queries.open_runs()] == ["r1"]

    record(store, lambda work: work.record_run_outcome("q1", outcome), "run.finished")
    run = queries.run("r1")
    assert run is not None
    assert (run.request, run.outcome) == (request, outcome)
    assert queries.requested_run("q1") == run
    assert queries.open_runs() == ()
    assert (queries.run("q1"), queries.requested_run("r1")) == (None, None)
    moment = queries.last_run_moment()
    assert moment is not None
    assert moment > run.requested_at


def test_a_run_ends_once(store: Engine, make_federation: MakeFederation) -> None:
    applied(store, make_federation)
    done = RunOutcome("r1", "education", "SUCCESS", 1.0)
    news: list[bool] = []
    for _ in range(2):
        record(store, lambda work: news.append(work.record_run_request(RunRequest("q1", "education", ANNE))), "run.requested")
        record(store, lambda work: news.append(work.record_run_launch("q1", "r1")), "run.launched")
        record(store, lambda work: news.append(work.record_run_outcome("q1", done)), "run.finished")
    record(store, lambda work: news.append(work.record_run_request(RunRequest("r1", "education", ANNE), run="r1")), "run.requested")
    assert news == [True, True, True, False, False, False, False]

    with pytest.raises(Conflict, match="has ended with SUCCESS"):
        record(store, lambda work: work.record_run_outcome("q1", RunOutcome("r1", "education", "FAILURE", 2.0)), "run.finished")
    with pytest.raises(Conflict, match="answered by run r1"):
        record(store, lambda work: work.record_run_launch("q1", "r2"), "run.launched")
    with pytest.raises(NotFound, match="q9"):
        record(store, lambda work: work.record_run_launch("q9", "r9"), "run.launched")
    with pytest.raises(NotFound, match="r9"):
        record(store, lambda work: work.record_run_outcome("q9", RunOutcome("r9", "education", "SUCCESS", 1.0)), "run.finished")
    with pytest.raises(Invalid, match="SUCCESS, FAILURE, CANCELED"):
        record(store, lambda work: work.record_run_outcome("q1", RunOutcome("r1", "education", "DONE", 1.0)), "run.finished")


def test_nothing_is_kept_about_a_domain_that_was_never_declared(store: Engine) -> None:
    with pytest.raises(NotFound, match="apply the declarations first"):
        record(store, lambda work: work.record_run_request(RunRequest("r1", "sport", ANNE)), "run.requested")
    with pytest.raises(NotFound):
        record(store, lambda work: work.record_snapshots([snapshot(1, "sport")]), "snapshot.committed")


def test_snapshots_are_kept_once(store: Engine, make_federation: MakeFederation) -> None:
    queries = applied(store, make_federation)
    counts: list[int] = []
    for wanted in ([], [snapshot(1), snapshot(2), snapshot(1, "culture")], [snapshot(2), snapshot(3)]):
        record(store, lambda work, wanted=wanted: counts.append(len(work.record_snapshots(wanted))), "snapshot.committed")  # type: ignore[misc]
    assert counts == [0, 3, 1]
    assert queries.last_snapshots() == {"culture": 1, "education": 3}


def test_a_snapshot_with_another_past_is_a_conflict(store: Engine, make_federation: MakeFederation) -> None:
    applied(store, make_federation)
    record(store, lambda work: work.record_snapshots([snapshot(1)]), "snapshot.committed")
    other = snapshot(1, at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(Conflict, match="snapshot 1 of education"):
        record(store, lambda work: work.record_snapshots([other]), "snapshot.committed")
    with pytest.raises(Invalid, match="time zone"):
        record(store, lambda work: work.record_snapshots([snapshot(2, at=datetime(2026, 1, 1))]), "snapshot.committed")  # noqa: DTZ001


def test_events_are_found_by_every_side_of_a_filter(store: Engine) -> None:
    given = [
        event("run.requested", domain="education", subject_kind="run", subject_id="r1"),
        event("run.requested", domain="culture", subject_kind="run", subject_id="r2", actor=NIGHT),
        event("read.refused", domain="education", subject_kind="dataset", subject_id="r1", allowed=False),
    ]
    for one in given:
        with PostgresUnitOfWork(store) as work:
            work.record(one)
            work.commit()
    queries = PostgresQueries(store)
    times = [entry.at for entry in queries.events(EventFilter())]

    def found(wanted: EventFilter) -> list[int]:
        return [entry.number for entry in queries.events(wanted)]

    assert found(EventFilter(domain="education")) == [1, 3]
    assert found(EventFilter(action="run.requested")) == [1, 2]
    assert found(EventFilter(subject_kind="run", subject_id="r1")) == [1]
    assert found(EventFilter(actor="nightly")) == [2]
    assert found(EventFilter(allowed=False)) == [3]
    assert found(EventFilter(allowed=True)) == [1, 2]
    assert found(EventFilter(since=times[1])) == [2, 3]
    assert found(EventFilter(until=times[1])) == [1]
    assert found(EventFilter(after=1, limit=1)) == [2]


def test_a_unit_of_work_is_used_inside_its_block_and_ends_with_its_commit(store: Engine) -> None:
    work = PostgresUnitOfWork(store)
    with pytest.raises(Misconfigured, match="not open"):
        work.record(event())
    with work:
        work.record(event())
        work.commit()
        with pytest.raises(Misconfigured, match="not open"):
            work.record(event())


def test_many_events_of_one_unit_of_work_are_numbered_in_their_order(store: Engine) -> None:
    with PostgresUnitOfWork(store) as work:
        for number in range(300):
            work.record(event("dataset.read", subject_id=str(number)))
        assert PostgresQueries(store).events(EventFilter()) == (), "nothing is there before the commit"
        work.commit()
    entries = PostgresQueries(store).events(EventFilter())
    assert [one.event.subject_id for one in entries] == [str(number) for number in range(300)]


@pytest.mark.parametrize("count", [1, 3])
def test_any_text_comes_back_as_it_was_recorded(store: Engine, count: int) -> None:
    reason = 'quote " backslash \\ braces {}, comma, NULL, newline \n, é 😀, %s $1'
    with PostgresUnitOfWork(store) as work:
        for _ in range(count):
            work.record(event(reason=reason))
        work.commit()
    assert [one.event.reason for one in PostgresQueries(store).events(EventFilter())] == [reason] * count


def test_a_session_that_forgot_its_statements_records_all_the_same(store_app: PostgresAddress) -> None:
    pool = engine(store_app, pool_size=1)
    for _ in range(3):
        with PostgresUnitOfWork(pool) as work:
            work.record(event())
            work.commit()
        with pool.connect() as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")
            connection.rollback()
    assert len(PostgresQueries(pool).events(EventFilter())) == 3
    pool.dispose()


def record_and_fail(work: UnitOfWork) -> None:
    work.record(event())
    raise Misconfigured("something else went wrong")


def test_events_that_are_not_committed_are_not_there(store: Engine) -> None:
    with PostgresUnitOfWork(store) as work:
        work.record(event())
    with pytest.raises(Misconfigured), PostgresUnitOfWork(store) as work:
        record_and_fail(work)
    assert PostgresQueries(store).events(EventFilter()) == ()


def test_an_unreachable_store_is_said_so(store_app: PostgresAddress) -> None:
    pool = engine(store_app.model_copy(update={"port": 1}))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        PostgresQueries(pool).last_declaration()
    with PostgresUnitOfWork(pool) as work:
        work.record(event())
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
            work.commit()
    with PostgresUnitOfWork(pool) as work, pytest.raises(Unavailable):
        work.record_run_request(RunRequest("q0", "education", ANNE))


def test_an_engine_shows_neither_role_nor_password(store: Engine, store_app: PostgresAddress) -> None:
    assert str(store.url) == "postgresql+psycopg://"
    assert store_app.password.get_secret_value() not in repr(store)

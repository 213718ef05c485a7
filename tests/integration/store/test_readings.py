"""Readings that a domain's process said become events exactly once, whatever it said and whoever records them at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.model.reading import READ, REFUSED, SERVED, Reading, SaidReading, as_body, from_body
from polyceph.core.ports import RunRequest
from polyceph.core.usecases.evidence import record_readings
from polyceph.core.usecases.federation import apply_federation
from polyceph.core.usecases.runs import request_run
from polyceph.errors import Invalid
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
SCHOOLS = DatasetId("culture", Zone.GOLD, "schools")
BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
FULL = Reading(READ, SCHOOLS, "dagster", run="r1", purpose="statistics", columns=("id", "name"), rows=12, snapshot=7)


def said(number: int, body: object = FULL, *, role: str = "domain_education", at: datetime = BEGAN) -> SaidReading:
    text = body if isinstance(body, str) else json.dumps(as_body(body) if isinstance(body, Reading) else body)
    return SaidReading(number, role, at + timedelta(seconds=number), text)


@pytest.fixture
def queries(store: Engine, make_federation: Callable[..., Federation]) -> PostgresQueries:
    """A store that knows education, culture and run r1 of education, which Anne asked for."""
    queries = PostgresQueries(store)
    apply_federation(PostgresUnitOfWork(store), queries, make_federation("education.raw.a", str(SCHOOLS)), actor=ANNE, commit="c")
    request_run(PostgresUnitOfWork(store), RunRequest("q1", "education", ANNE), run="r1")
    return queries


def events(queries: PostgresQueries) -> list[Event]:
    found = [one.event for one in queries.events(EventFilter(limit=10_000))]
    return [one for one in found if one.action in (READ, REFUSED, SERVED)]


def test_a_reading_becomes_an_event_with_all_it_says(store: Engine, queries: PostgresQueries) -> None:
    assert record_readings(PostgresUnitOfWork(store), queries, [said(1)]) == 1
    [event] = events(queries)
    assert event.actor == Actor(ActorKind.SERVICE, "domain:education", "anne.dupont")
    assert (event.subject_kind, event.subject_id, event.domain) == ("dataset", "culture.gold.schools", "culture")
    assert (event.door, event.purpose, event.allowed) == ("dagster", "statistics", True)
    assert event.after == {"columns": ["id", "name"], "rows": 12, "at": "2026-11-01T12:00:01+00:00"}
    assert event.correlation == {"run": "r1", "snapshot": "culture@7"}


def test_a_refused_and_a_served_dataset_are_events_of_their_own(store: Engine, queries: PostgresQueries) -> None:
    served = replace(FULL, action=SERVED, door="output", where="postgresql://x@h:5432/polyceph_output/culture.schools")
    record_readings(PostgresUnitOfWork(store), queries, [said(1, Reading(REFUSED, SCHOOLS, "dagster")), said(2, served)])
    refused, found = events(queries)
    assert (refused.action, refused.allowed, refused.policy) == (REFUSED, False, "consumption")
    assert refused.reason == "education does not declare in consumes that it reads culture.gold.schools"
    assert (found.action, found.allowed, (found.after or {})["where"]) == (SERVED, True, served.where)


def test_a_query_that_does_not_tell_what_it_reads_is_known_by_its_digest(store: Engine, queries: PostgresQueries) -> None:
    record_readings(PostgresUnitOfWork(store), queries, [said(1, Reading(READ, None, "postgres", rows=3, statement="ab" * 32))])
    [event] = events(queries)
    assert (event.subject_id, event.domain, event.door) == ("unknown", "education", "postgres")
    assert (event.after or {})["statement"] == "ab" * 32


def test_nobody_reads_on_behalf_of_who_asked_another_domains_run(store: Engine, queries: PostgresQueries) -> None:
    mine = [said(1), said(2, role="domain_culture"), said(3, replace(FULL, run="unknown")), said(4, role="postgres")]
    record_readings(PostgresUnitOfWork(store), queries, mine)
    assert [(one.actor.id, one.actor.on_behalf_of) for one in events(queries)] == [
        ("domain:education", "anne.dupont"),
        ("domain:culture", None),
        ("domain:education", None),
        ("role:postgres", None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        '"text"',
        "{}",
        "[" * 5_000 + "]" * 5_000,
        '{"action": "dataset.read", "door": "dagster", "rows": ' + "9" * 5_000 + "}",
        as_body(FULL) | {"action": "grant.created"},
        as_body(FULL) | {"dataset": "culture.schools"},
        as_body(FULL) | {"dataset": "culture.platinum.schools"},
        as_body(FULL) | {"dataset": ["culture"]},
        as_body(FULL) | {"door": "My own words"},
        as_body(FULL) | {"rows": -1},
        as_body(FULL) | {"rows": True},
        as_body(FULL) | {"rows": 1.5},
        as_body(FULL) | {"rows": 2**60},
        as_body(FULL) | {"columns": "name"},
        as_body(FULL) | {"columns": ["name", None]},
        as_body(FULL) | {"columns": ["x" * 501]},
        as_body(FULL) | {"run": "a run with words"},
        as_body(FULL) | {"purpose": {"deep": 1}},
        as_body(FULL) | {"dataset": "culture.gold.85.07.30-033.28"},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_what_cannot_be_understood_is_recorded_as_that_and_stops_nothing(store: Engine, queries: PostgresQueries, body: object) -> None:
    assert record_readings(PostgresUnitOfWork(store), queries, [said(1, body), said(2)]) == 2
    strange, sound = events(queries)
    assert (strange.action, strange.allowed, strange.reason) == (READ, True, "not understood")
    assert strange.actor.id == "domain:education"
    assert len(str((strange.after or {})["sha256"])) == 64
    assert sound.subject_id == "culture.gold.schools"


@pytest.mark.parametrize("words", [{"columns": ["85.07.30-033.28"]}, {"purpose": "payment to BE68 5390 0754 7034"}], ids=str)
def test_words_that_may_not_stand_in_the_journal_leave_the_reading_in_it(
    store: Engine, queries: PostgresQueries, words: dict[str, object]
) -> None:
    record_readings(PostgresUnitOfWork(store), queries, [said(1, as_body(FULL) | words)])
    [event] = events(queries)
    assert (event.subject_id, event.purpose, event.correlation["run"]) == (str(SCHOOLS), None, "r1")
    assert set(event.after or {}) == {"rows", "at", "sha256"}


def test_a_reading_is_what_it_was_after_it_was_json() -> None:
    for one in (FULL, Reading(SERVED, SCHOOLS, "output", where="x", rows=0), Reading(READ, None, "postgres", statement="0" * 64)):
        assert from_body(json.dumps(as_body(one))) == one
    with pytest.raises(Invalid, match="columns"):
        from_body(json.dumps(as_body(FULL) | {"columns": ["c"] * 10_001}))


def test_recorders_beside_each_other_write_each_reading_once(store: Engine, queries: PostgresQueries) -> None:
    given = [said(number) for number in range(50)]
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda part: record_readings(PostgresUnitOfWork(store), queries, part), (given, given[25:] + given[:25])))
    assert sum(counts) == 50
    assert sorted(str((one.after or {})["at"]) for one in events(queries)) == sorted(one.at.isoformat() for one in given)


def test_a_recorder_that_ends_before_its_commit_loses_and_doubles_nothing(store: Engine, queries: PostgresQueries) -> None:
    class Killed(PostgresUnitOfWork):
        def commit(self) -> None:
            raise KeyboardInterrupt

    given = [said(number) for number in range(5)]
    with pytest.raises(KeyboardInterrupt):
        record_readings(Killed(store), queries, given)
    assert events(queries) == []
    assert record_readings(PostgresUnitOfWork(store), queries, given) == 5
    assert record_readings(PostgresUnitOfWork(store), queries, given) == 0
    assert len(events(queries)) == 5


def test_an_outbox_that_was_restored_and_numbers_anew_is_recorded(store: Engine, queries: PostgresQueries) -> None:
    assert record_readings(PostgresUnitOfWork(store), queries, [said(1)]) == 1
    assert record_readings(PostgresUnitOfWork(store), queries, [said(1, at=BEGAN + timedelta(days=1))]) == 1


def test_which_readings_are_recorded_is_kept_for_ever_and_only_with_an_event(app: psycopg.Connection[Any], store: Engine) -> None:
    with pytest.raises(psycopg.Error, match="no event says so"):
        app.execute("INSERT INTO polyceph.reading_seen (id, at) VALUES (1, now())")
    for statement in ("UPDATE polyceph.reading_seen SET id = 2", "DELETE FROM polyceph.reading_seen", "TRUNCATE polyceph.reading_seen"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)

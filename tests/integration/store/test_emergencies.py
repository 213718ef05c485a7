"""Emergency access in the store: one at a time, short, ended once, gone from nobody's sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, RoleGrant, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.emergency import Emergency, EmergencyState, Opening
from polyceph.core.model.event import Actor, ActorKind, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.model.person import Person
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.emergencies import lasting
from polyceph.core.usecases import emergencies
from polyceph.core.usecases.federation import apply_federation
from polyceph.errors import Conflict
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PAT = Principal(Actor(ActorKind.PERSON, "pat"), Standing.ACTIVE, {FEDERATION: frozenset({Role.PLATFORM_ENGINEER})}, "pat")
ANNE = Principal(Actor(ActorKind.PERSON, "root", "anne.dupont"), Standing.ACTIVE, {"education": frozenset({Role.OWNER})}, "anne.dupont")
READ = Question(Action.DATASET_READ, NOW, "education", "education.gold.x", Classification.SECRET)
INSERT = "INSERT INTO polyceph.emergency (domain, person, reason, opened_by, opened_at, until) VALUES ('culture', 'pat', 'x', 'pat', now(),"
OPENING = Opening("education", "pat", 2, "  the nightly load fails on a row  ")


@pytest.fixture
def declared(store: Engine, make_federation: Callable[..., Federation]) -> Federation:
    people = {name: Person(name, name, f"{name}@example.org") for name in ("pat", "luc", "anne.dupont")}
    dpo = RoleGrant(Role.DPO, None, people=frozenset({"luc"}))
    federation = replace(make_federation("education.raw.schools", "culture.raw.museums"), people=people, roles=(dpo,))
    apply_federation(PostgresUnitOfWork(store), PostgresQueries(store), federation, actor=PAT.actor, commit="c1")
    return federation


def around(federation: Federation, now: datetime = NOW) -> emergencies.Circumstances:
    return emergencies.Circumstances(federation, decide, now, date(2026, 11, 29), "cli")


def opened(store: Engine, federation: Federation, now: datetime = NOW, who: Principal = PAT, **changes: object) -> Emergency:
    asked = replace(OPENING, **changes)  # type: ignore[arg-type]
    return emergencies.open_emergency(PostgresUnitOfWork(store), PostgresQueries(store), asked, who=who, around=around(federation, now))


def test_an_administrator_reads_only_while_her_emergency_access_lasts(store: Engine, declared: Federation) -> None:
    def may(now: datetime) -> bool:
        until = lasting(PostgresQueries(store).emergencies(is_open=True), "pat", now)
        return decide(replace(PAT, emergencies=until), replace(READ, now=now)).allowed

    assert not may(NOW)
    found = opened(store, declared)
    assert found.until == NOW + timedelta(hours=2)
    assert [may(NOW + timedelta(hours=hours)) for hours in (0, 1, 2, 3)] == [True, True, False, False]
    emergencies.close_emergency(
        PostgresUnitOfWork(store), PostgresQueries(store), found.number, who=PAT, around=around(declared, NOW + timedelta(hours=1))
    )
    assert not may(NOW + timedelta(hours=1))


def test_opening_is_loud(store: Engine, declared: Federation) -> None:
    opened(store, declared)
    [entry] = PostgresQueries(store).events(EventFilter(action="emergency.opened"))
    assert entry.event.reason == "the nightly load fails on a row"
    assert entry.event.domain == "education"
    after = dict(entry.event.after or {})
    assert after["alone"] is True
    assert after["to_tell"] == ["anne.dupont", "luc", "marc.leroy"]
    assert after["until"] == "2026-11-29T14:00:00+00:00"


def test_somebody_else_may_open_it_for_longer_than_she_may_for_herself(store: Engine, declared: Federation) -> None:
    found = opened(store, declared, who=ANNE, hours=24)
    assert (found.opened_by, found.person, found.is_alone) == ("anne.dupont", "pat", False)


def test_there_is_one_at_a_time_for_a_person_and_a_domain(store: Engine, declared: Federation) -> None:
    opened(store, declared)
    with pytest.raises(Conflict):
        opened(store, declared)
    opened(store, declared, domain="culture")
    opened(store, declared, person="luc")
    again = opened(store, declared, now=NOW + timedelta(hours=2))
    states = [one.state(NOW + timedelta(hours=2)) for one in PostgresQueries(store).emergencies()]
    assert states == [EmergencyState.EXPIRED] * 3 + [EmergencyState.OPEN]
    assert again.number == PostgresQueries(store).emergencies(is_open=True)[0].number
    assert len(PostgresQueries(store).events(EventFilter(action="emergency.expired"))) == 3


def test_its_holder_may_give_it_up_and_the_owner_may_take_it(store: Engine, declared: Federation) -> None:
    luc = Principal(Actor(ActorKind.PERSON, "luc"), Standing.ACTIVE, {}, "luc")
    for who in (luc, ANNE):
        found = opened(store, declared, person="luc")
        work, queries = PostgresUnitOfWork(store), PostgresQueries(store)
        closed = emergencies.close_emergency(work, queries, found.number, who=who, around=around(declared))
        assert (closed.closed_by, closed.state(NOW)) == (who.person, EmergencyState.CLOSED)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE polyceph.emergency SET until = until + interval '1 day'", "permission denied"),
        ("UPDATE polyceph.emergency SET ended_at = NULL", "has ended and stays so"),
        ("DELETE FROM polyceph.emergency", "permission denied"),
        (f"{INSERT} now() + interval '25 hours')", "emergency_is_short"),
        (f"{INSERT} now() + interval '1 hour')", "no event says so"),
    ],
)
def test_the_database_refuses_to_stretch_reopen_or_hide_it(
    store: Engine, app: psycopg.Connection, declared: Federation, statement: str, words: str
) -> None:
    found = opened(store, declared)
    emergencies.close_emergency(PostgresUnitOfWork(store), PostgresQueries(store), found.number, who=PAT, around=around(declared))
    with pytest.raises(psycopg.Error, match=words):
        app.execute(statement)

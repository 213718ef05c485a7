"""Declarations that are refused stand in the journal: why, once, and again when they were good in the meantime."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.usecases.federation import apply_federation
from polyceph.core.usecases.refusals import Refusal, refuse_declarations
from polyceph.errors import Problem
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
FILE = "domains/culture/domain.yaml"
NOBODY = Problem("owner 'luc' of culture left on 2026-03-31", FILE, 3, 8, value="luc", hint="name a new owner", rule="accountability")
UNKNOWN = Problem("key 'onwer' is unknown", FILE, 4, 1)
MakeFederation = Callable[..., Federation]


def refuse(store: Engine, *problems: Problem, domain: str | None = "culture") -> bool:
    return refuse_declarations(PostgresUnitOfWork(store), PostgresQueries(store), Refusal("demo", domain, problems, "c1"), actor=ANNE)


def apply(store: Engine, federation: Federation, *left_out: str) -> None:
    work = PostgresUnitOfWork(store)
    apply_federation(work, PostgresQueries(store), federation, actor=ANNE, commit="c1", left_out=left_out)


def refused(store: Engine, action: str = "domain.refused") -> list[Event]:
    return [one.event for one in PostgresQueries(store).events(EventFilter(action=action))]


def test_a_refusal_says_which_rule_is_broken_where(store: Engine) -> None:
    assert refuse(store, NOBODY, UNKNOWN)

    (event,) = refused(store)
    assert (event.subject_kind, event.subject_id, event.domain) == ("domain", "culture", "culture")
    assert (event.actor, event.door, event.correlation) == (ANNE, "cli", {"commit": "c1"})
    assert (event.allowed, event.policy, event.reason) == (False, "accountability", NOBODY.message)
    assert event.after is not None
    assert event.after["number"] == 2
    assert event.after["problems"] == [
        {"file": FILE, "line": 3, "column": 8, "rule": "accountability", "message": NOBODY.message},
        {"file": FILE, "line": 4, "column": 1, "rule": None, "message": UNKNOWN.message},
    ]


def test_a_problem_without_a_rule_breaks_that_of_declarations(store: Engine) -> None:
    refuse(store, UNKNOWN)
    assert [one.policy for one in refused(store)] == ["declarations"]


def test_a_refusal_that_stands_is_recorded_once(store: Engine, make_federation: MakeFederation) -> None:
    assert refuse(store, NOBODY)
    assert not refuse(store, NOBODY)  # nothing was applied: the start failed in between
    apply(store, make_federation("education.raw.schools"), "culture")
    assert not refuse(store, NOBODY)
    apply(store, make_federation("education.raw.schools", "education.raw.pupils", digest="d2"), "culture")
    assert not refuse(store, NOBODY)
    assert len(refused(store)) == 1


def test_other_problems_and_other_domains_are_refusals_of_their_own(store: Engine) -> None:
    assert refuse(store, NOBODY)
    assert refuse(store, NOBODY, UNKNOWN)
    assert refuse(store, NOBODY, domain="education")
    assert [one.subject_id for one in refused(store)] == ["culture", "culture", "education"]


def test_the_same_problem_is_refused_again_after_it_was_mended(store: Engine, make_federation: MakeFederation) -> None:
    assert refuse(store, NOBODY)
    apply(store, make_federation("education.raw.schools"), "culture")
    apply(store, make_federation("education.raw.schools", "culture.gold.museums", digest="d2"))
    assert refuse(store, NOBODY)
    apply(store, make_federation("education.raw.schools", digest="d3"), "culture")
    assert not refuse(store, NOBODY)
    assert len(refused(store)) == 2


def test_a_federation_is_refused_as_a_whole_until_it_is_applied(store: Engine, make_federation: MakeFederation) -> None:
    assert refuse(store, UNKNOWN, domain=None)
    assert not refuse(store, UNKNOWN, domain=None)
    apply(store, make_federation("education.raw.schools"))
    assert refuse(store, UNKNOWN, domain=None)
    event, _ = refused(store, "federation.refused")
    assert (event.subject_kind, event.subject_id, event.domain, event.allowed) == ("federation", "demo", None, False)


def test_of_many_problems_fifty_are_kept_and_all_are_told_apart(store: Engine) -> None:
    many = [Problem("the file is empty", FILE, line) for line in range(1, 61)]
    assert refuse(store, *many)
    assert refuse(store, *many[:59], Problem("the file is empty", FILE, 99))
    first, _ = refused(store)
    assert first.after is not None
    assert (first.after["number"], len(first.after["problems"])) == (60, 50)  # type: ignore[arg-type]


def test_no_address_of_a_person_gets_into_the_journal(store: Engine) -> None:
    refuse(store, Problem("owner 'anne.dupont@example.org' of culture is no person of the federation", FILE, 3, 8))
    (event,) = refused(store)
    assert event.reason == "owner '(address not shown)' of culture is no person of the federation"
    assert "@" not in str(event.after)


def test_the_last_event_is_the_newest_of_its_action_and_subject(store: Engine) -> None:
    queries = PostgresQueries(store)
    assert queries.last_event("domain.refused", "domain", "culture") is None
    refuse(store, NOBODY)
    refuse(store, UNKNOWN)
    refuse(store, NOBODY, domain="education")
    last = queries.last_event("domain.refused", "domain", "culture")
    assert last is not None
    assert last.event.reason == UNKNOWN.message
    assert queries.last_event("domain.added", "domain", "culture") is None

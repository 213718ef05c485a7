"""What was declared otherwise stands in the journal with the change itself: one event a difference, and one that sums up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.usecases.federation import apply_federation
from polyceph.errors import Conflict
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")
SCHOOLS = DatasetId("education", Zone.RAW, "schools")
MakeFederation = Callable[..., Federation]


def apply(store: Engine, federation: Federation, commit: str = "c1") -> list[Event]:
    """Apply declarations and return the events that this wrote."""
    queries = PostgresQueries(store)
    last = max((one.number for one in queries.events(EventFilter())), default=0)
    apply_federation(PostgresUnitOfWork(store), queries, federation, actor=ANNE, commit=commit)
    return [one.event for one in queries.events(EventFilter(after=last))]


def with_contract(federation: Federation, change: Callable[[Contract], Contract], digest: str) -> Federation:
    """Return the federation with another contract of the schools."""
    domain = federation.domains["education"]
    dataset = domain.datasets[SCHOOLS]
    assert dataset.contract
    datasets = {**domain.datasets, SCHOOLS: replace(dataset, contract=change(dataset.contract))}
    return replace(federation, domains={**federation.domains, "education": replace(domain, datasets=datasets)}, digest=digest)


def test_the_first_declarations_are_told_one_by_one(store: Engine, make_federation: MakeFederation) -> None:
    events = apply(store, make_federation("education.raw.schools", "culture.gold.museums"))

    told = [(one.action, one.subject_kind, one.subject_id, one.domain) for one in events]
    assert told == [
        ("federation.applied", "federation", "demo", None),
        ("domain.added", "domain", "culture", "culture"),
        ("dataset.added", "dataset", "culture.gold.museums", "culture"),
        ("domain.added", "domain", "education", "education"),
        ("dataset.added", "dataset", "education.raw.schools", "education"),
    ]
    assert {(one.actor, one.door, one.correlation["commit"], one.allowed) for one in events} == {(ANNE, "cli", "c1", True)}
    assert events[0].before is None
    assert events[0].after == {"digest": "d1", "changes": {"dataset.added": 2, "domain.added": 2}}


def test_a_change_is_told_as_what_it_means(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools"))

    def change(contract: Contract) -> Contract:
        columns = (Column("town", "string", required=True),)
        return replace(contract, version="1.1.0", classification=Classification.PUBLIC, columns=columns, digest="def")

    new = with_contract(make_federation("education.raw.schools", owner="eva.simon"), change, "d2")
    summary, *events = apply(store, new, "c2")

    assert [(one.action, one.before, one.after) for one in events] == [
        ("owner.changed", {"owner": "anne.dupont"}, {"owner": "eva.simon"}),
        ("owner.changed", {"owner": "anne.dupont"}, {"owner": "eva.simon"}),
        ("classification.lowered", {"classification": "internal"}, {"classification": "public"}),
        (
            "contract.changed",
            {"contract": "1.0.0", "contract_digest": "abc"},
            {"contract": "1.1.0", "contract_digest": "def"},
        ),
        (
            "column.added",
            None,
            {
                "column": "town",
                "logical_type": "string",
                "physical_type": None,
                "required": True,
                "unique": False,
                "primary_key": False,
                "classification": None,
                "personal_data": "none",
                "rules": {},
            },
        ),
    ]
    assert [one.subject_id for one in events[:2]] == ["education", "education.raw.schools"]
    assert {one.correlation["commit"] for one in events} == {"c2"}
    assert summary.before == {"digest": "d1"}
    assert summary.after == {
        "digest": "d2",
        "changes": {"classification.lowered": 1, "column.added": 1, "contract.changed": 1, "owner.changed": 2},
    }


def test_declarations_that_mean_the_same_are_told_in_one_event(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools"))
    (event,) = apply(store, make_federation("education.raw.schools", digest="d2"))
    assert event.after == {"digest": "d2", "changes": {}}


def test_no_difference_is_told_when_nothing_was_applied(store: Engine, make_federation: MakeFederation) -> None:
    apply(store, make_federation("education.raw.schools"))
    queries = PostgresQueries(store)
    before = queries.events(EventFilter())

    class Late(PostgresQueries):
        """Asked before somebody else applied what is in force now."""

        def last_declaration(self) -> None:
            return None

    with pytest.raises(Conflict):
        apply_federation(
            PostgresUnitOfWork(store), Late(store), make_federation("culture.gold.museums", digest="d2"), actor=ANNE, commit="c"
        )
    assert queries.events(EventFilter()) == before


def test_declarations_are_applied_over_what_an_earlier_release_kept(store: Engine, make_federation: MakeFederation) -> None:
    federation = make_federation("education.raw.schools")
    kept = {
        "federation": "demo",
        "domains": {
            "education": {
                "owner": "anne.dupont",
                "steward": "marc.leroy",
                "interim_owner": None,
                "consumes": [],
                "datasets": {"education.raw.schools": {"owner": "anne.dupont", "steward": "marc.leroy", "contract": "0.9.0"}},
            }
        },
    }
    with PostgresUnitOfWork(store) as work:
        work.apply_federation(federation, commit="c", content=kept, expected=None)
        work.record(Event(ANNE, "cli", "federation.applied", "federation", "demo"))
        work.commit()

    events = apply(store, replace(federation, digest="d2"))

    assert [(one.action, one.before) for one in events[1:]] == [("contract.changed", {"contract": "0.9.0"})]

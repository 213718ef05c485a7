"""A question about a dataset is decided by what is declared of it, whatever the door says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from polyceph.core.model.access import Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.questions import completed, informed

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PLACE = Place("x")
PUPILS, STAFF = DatasetId("education", Zone.GOLD, "pupils"), DatasetId("education", Zone.SILVER, "staff")


def federation() -> Federation:
    contract = Contract(PUPILS, "p", "1.0.0", "active", "eva", "luc", Classification.SECRET, (), PLACE, "d")
    datasets = {PUPILS: Dataset(PUPILS, "eva", "luc", contract), STAFF: Dataset(STAFF, "anne", "marc", None)}
    education = Domain("education", {}, "anne", "marc", None, "c", "domains/education", PLACE, datasets=datasets)
    return Federation("demo", {}, ("en",), {}, {}, {}, {"education": education}, PLACE)


def question(action: Action = Action.DATASET_READ, dataset: str = str(PUPILS), **facts: object) -> Question:
    return Question(action, NOW, "education", dataset, **facts)  # type: ignore[arg-type]


def person(name: str, *roles: Role) -> Principal:
    return Principal(Actor(ActorKind.PERSON, name), Standing.ACTIVE, {"education": frozenset(roles)}, name)


def test_a_door_cannot_make_a_dataset_more_open_than_it_is_declared() -> None:
    ask = informed(decide, federation)
    wrong = question(classification=Classification.PUBLIC, dataset_owner="carl")
    assert decide(person("carl", Role.CONSUMER), wrong).allowed
    assert not ask(person("carl", Role.CONSUMER), wrong).allowed
    assert not ask(person("carl", Role.ANALYST), question(Action.DATASET_FIND)).allowed


def test_owner_and_steward_of_a_contract_answer_for_that_dataset_alone() -> None:
    ask = informed(decide, federation)
    for action, expected in (
        (Action.DATASET_READ, {"eva", "luc"}),
        (Action.DRIFT_DECIDE, {"eva"}),
        (Action.RUN_LAUNCH, set()),
    ):
        assert {name for name in ("eva", "luc", "carl") if ask(person(name), question(action)).allowed} == expected
    assert not ask(person("eva"), question(dataset=str(STAFF))).allowed
    assert "owner of education.gold.pupils" in ask(person("eva"), question()).reason


def test_a_refusal_names_who_answers_for_a_dataset_that_she_may_find() -> None:
    ask = informed(decide, federation)
    assert "ask anne, who answers for it" in str(ask(person("carl", Role.ANALYST), question(dataset=str(STAFF))).hint)
    assert "eva" not in str(ask(person("carl", Role.ANALYST), question()))


@pytest.mark.parametrize("text", ["", "education", "education.gold", "education.tin.pupils", "education.gold.nothing", "sport.gold.pupils"])
def test_a_dataset_that_is_not_declared_is_hidden_as_a_secret_one(text: str) -> None:
    found = completed(question(dataset=text, classification=Classification.PUBLIC, dataset_owner="carl"), federation())
    assert (found.classification, found.dataset_owner, found.dataset_steward) == (Classification.SECRET, None, None)

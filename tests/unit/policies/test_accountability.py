from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.person import Person
from polyceph.core.policies.accountability import AccountabilityFacts, somebody_answers
from polyceph.core.policies.contracts import (
    dataset_has_contract,
    dataset_is_classified,
    special_category_is_not_public,
    version_is_semantic,
)

TODAY = date(2026, 11, 22)
PEOPLE = {
    "anne": Person("anne", "Anne", "a@example.org"),
    "luc": Person("luc", "Luc", "l@example.org", left=date(2026, 3, 31)),
    "eva": Person("eva", "Eva", "e@example.org"),
}


def answers(declared, stand_in=None, role="owner"):
    return somebody_answers(AccountabilityFacts("education.pupils", role, declared, PEOPLE, TODAY, stand_in))


def test_a_living_person_answers():
    verdict = answers("anne", "eva")
    assert (verdict.decision.allowed, verdict.person, verdict.stands_in) == (True, "anne", False)


def test_the_interim_owner_answers_for_one_who_left():
    verdict = answers("luc", "eva")
    assert (verdict.decision.allowed, verdict.person, verdict.stands_in) == (True, "eva", True)
    assert verdict.decision.reason == "owner luc of education.pupils left on 2026-03-31; interim owner eva stands in"


@pytest.mark.parametrize(("declared", "stand_in"), [(None, "eva"), ("nobody", "eva"), ("luc", None), ("luc", "luc"), ("luc", "nobody")])
def test_without_a_living_person_it_is_refused(declared, stand_in):
    verdict = answers(declared, stand_in)
    assert (verdict.decision.allowed, verdict.person) == (False, None)


@given(st.integers(-400, 400))
def test_a_person_answers_exactly_until_the_first_day_without_her(days):
    left = TODAY + timedelta(days=days)
    people = {"x": Person("x", "X", "x@example.org", left=left)}
    verdict = somebody_answers(AccountabilityFacts("d", "owner", "x", people, TODAY))
    assert verdict.decision.allowed is (left > TODAY)


@given(st.sampled_from([None, "anne", "luc", "nobody"]), st.sampled_from([None, "eva", "luc", "nobody"]))
def test_whoever_answers_is_living(declared, stand_in):
    verdict = answers(declared, stand_in)
    assert (verdict.person is not None) is verdict.decision.allowed
    if verdict.person is not None:
        assert PEOPLE[verdict.person].is_living(TODAY)


@pytest.mark.parametrize("zone", list(Zone))
def test_raw_gold_and_output_need_contract_and_classification(zone):
    dataset, needed = DatasetId("education", zone, "pupils"), zone in (Zone.RAW, Zone.GOLD, Zone.OUTPUT)

    assert dataset_has_contract(dataset, has_contract=False, expected_file="f").allowed is not needed
    assert dataset_has_contract(dataset, has_contract=True, expected_file="f").allowed
    assert dataset_is_classified(None, zone, subject="x").allowed is not needed
    assert not dataset_is_classified("topsecret", zone, subject="x").allowed


@pytest.mark.parametrize("version", ["0.1.0", "1.2.3", "10.20.30", "1.0.0-rc.1", "1.0.0+build.5"])
def test_semantic_versions_are_allowed(version):
    assert version_is_semantic(version, "x").allowed


@pytest.mark.parametrize(
    ("version", "suggestion"), [("1", "1.0.0"), ("v2.3", "2.3.0"), ("01.2.3", "1.2.3"), ("1.2.3.4", "1.2.3"), ("", "0.0.0")]
)
def test_other_versions_are_refused_with_the_nearest(version, suggestion):
    decision = version_is_semantic(version, "x")
    assert (decision.allowed, decision.hint) == (False, f"write version: {suggestion}")


@pytest.mark.parametrize("personal", list(PersonalData))
@pytest.mark.parametrize("level", list(Classification))
def test_only_special_categories_in_public_datasets_are_refused(personal, level):
    refused = personal is PersonalData.SPECIAL_CATEGORY and level is Classification.PUBLIC
    assert special_category_is_not_public("c", personal, classification=level).allowed is not refused

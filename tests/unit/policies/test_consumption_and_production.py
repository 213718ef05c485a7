from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.policies.consumption import circles, consumed_exists, dataset_may_be_consumed, domains_form_no_circle, read_is_declared
from polyceph.core.policies.production import dataset_is_made_once, dataset_is_produced, output_serves_gold

TOWNS = DatasetId("office", Zone.GOLD, "towns")


def test_an_undeclared_read_is_refused_with_the_file_to_edit():
    decision = read_is_declared("education", TOWNS, consumes=set())
    assert (decision.allowed, decision.hint) == (False, "add - office.gold.towns under consumes in domains/education/domain.yaml")


def test_declared_and_own_reads_are_allowed():
    assert read_is_declared("education", TOWNS, consumes={TOWNS}).allowed
    assert read_is_declared("office", TOWNS, consumes=set()).allowed


@pytest.mark.parametrize("zone", list(Zone))
def test_only_gold_and_output_are_shared(zone):
    assert dataset_may_be_consumed("education", DatasetId("office", zone, "towns")).allowed is (zone in (Zone.GOLD, Zone.OUTPUT))
    assert not dataset_may_be_consumed("office", DatasetId("office", zone, "towns")).allowed


def test_what_does_not_exist_cannot_be_consumed():
    known = {"office": {TOWNS}}
    assert consumed_exists(TOWNS, known).allowed
    assert consumed_exists(DatasetId("office", Zone.GOLD, "town"), known).hint == "did you mean office.gold.towns?"
    assert consumed_exists(DatasetId("ofice", Zone.GOLD, "towns"), known).hint == "did you mean office?"


def test_circles_are_found_and_named_once():
    assert circles({"c": {"a"}, "b": {"c"}, "a": {"b"}, "d": {"a"}}) == (("a", "b", "c"),)
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == ()
    assert circles({"a": {"b"}, "b": {"a"}, "x": {"y"}, "y": {"x"}}) == (("a", "b"), ("x", "y"))
    assert domains_form_no_circle(("a", "b")).reason.endswith("a → b → a")


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_a_circle_is_reported_exactly_when_there_is_one(reads):
    reads = {name: others - {name} for name, others in reads.items()}
    left = dict(reads)
    while ready := [name for name, others in left.items() if not others & left.keys()]:
        for name in ready:
            del left[name]
    found = circles(reads)
    assert bool(found) is bool(left)
    for circle in found:
        assert all(following in reads[name] for name, following in zip(circle, (*circle[1:], circle[0]), strict=True))


def test_a_second_producer_is_refused_with_the_first():
    decision = dataset_is_made_once(TOWNS, [Place("a.yaml", 3, 4), Place("b.yaml")], what="producer")
    assert (decision.allowed, decision.reason) == (False, "office.gold.towns has a second producer; the first is at a.yaml:3:4")
    assert dataset_is_made_once(TOWNS, [Place("a.yaml")], what="producer").allowed


def test_what_nothing_produces_is_doubted_with_advice():
    assert "models/gold/towns.sql" in (dataset_is_produced(TOWNS, is_produced=False).hint or "")
    assert dataset_is_produced(TOWNS, is_produced=True).allowed


def test_an_output_serves_existing_gold_only():
    assert output_serves_gold("o", TOWNS, known={TOWNS}).allowed
    assert not output_serves_gold("o", DatasetId("office", Zone.SILVER, "towns"), known={TOWNS}).allowed
    assert output_serves_gold("o", DatasetId("office", Zone.GOLD, "town"), known={TOWNS}).hint == "did you mean gold.towns?"

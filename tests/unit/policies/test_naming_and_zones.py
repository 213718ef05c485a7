from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.dataset import Zone
from polyceph.core.policies.naming import column_name_is_allowed, name_is_allowed, suggested_name
from polyceph.core.policies.nearest import did_you_mean, nearest
from polyceph.core.policies.zones import folder_agrees_with_zone, model_folder_is_zone, zone_is_built, zone_is_known


@pytest.mark.parametrize("name", ["a", "pupils", "pupils_2024", "a" * 63])
def test_snake_case_names_are_allowed(name):
    assert name_is_allowed(name, "dataset").allowed


@pytest.mark.parametrize("name", ["", "Pupils", "2024", "_raw", "élèves", "a-b", "a b", "a" * 64, "a\n", "a.b"])
def test_other_names_are_refused(name):
    assert not name_is_allowed(name, "dataset").allowed


@pytest.mark.parametrize(("name", "owner"), [("select", "SQL"), ("user", "SQL"), ("context", "Dagster"), ("order", "SQL")])
def test_reserved_words_are_refused_by_name(name, owner):
    assert f"reserved word of {owner}" in name_is_allowed(name, "dataset").reason


@pytest.mark.parametrize("name", ["raw", "main", "information_schema", "gold"])
def test_a_domain_may_not_take_a_name_of_the_lake(name):
    assert not name_is_allowed(name, "domain").allowed
    assert name_is_allowed(name, "dataset").allowed


def test_a_column_may_be_a_reserved_word_because_it_is_quoted():
    assert column_name_is_allowed("order").allowed
    assert column_name_is_allowed("Code postal").hint == "write name: code_postal and keep the source's header in physicalName"


@given(st.text(max_size=80))
def test_a_suggested_name_is_always_well_formed(text):
    assert column_name_is_allowed(suggested_name(text)).allowed


def test_an_unknown_zone_lists_the_five_and_the_nearest():
    decision = zone_is_known("bronse", "education.pupils")

    assert decision.reason == "zone 'bronse' of education.pupils is unknown; zones are raw, bronze, silver, gold, output"
    assert (decision.good, decision.hint) == (("raw", "bronze", "silver", "gold", "output"), "did you mean bronze?")


def test_a_folder_named_like_another_zone_contradicts():
    assert not folder_agrees_with_zone("gold", "raw", subject="x").allowed
    assert folder_agrees_with_zone("raw", "raw", subject="x").allowed
    assert folder_agrees_with_zone("registers", "raw", subject="x").allowed


@pytest.mark.parametrize("zone", list(Zone))
def test_only_bronze_silver_and_gold_are_built(zone):
    built = zone in (Zone.BRONZE, Zone.SILVER, Zone.GOLD)
    assert zone_is_built(zone, "Shell x").allowed is built
    assert model_folder_is_zone(zone.value, "x").allowed is built
    assert not model_folder_is_zone(None, "x").allowed


def test_the_nearest_value_is_found_whatever_its_case():
    assert nearest("POSTGRS", ["files", "postgres"]) == "postgres"
    assert did_you_mean("zzz", ["files"]) is None

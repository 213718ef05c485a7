"""Positions of keys and values, and what YAML would change in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.declarations.positions import documents


def one(text):
    found, problems = documents("f.yaml", text)
    assert problems == []
    return found[0]


def test_keys_and_values_know_their_place():
    document = one("a:\n  b: [x, {c: 1}]\n")

    assert str(document.place("a", "b", 1, "c")) == "f.yaml:2:14"
    assert str(document.key_place("a", "b", 1, "c")) == "f.yaml:2:11"
    assert str(document.key_place("a", "b")) == "f.yaml:2:3"


def test_what_is_missing_is_placed_at_its_nearest_holder():
    document = one("a:\n  b: 1\n")

    assert str(document.key_place("a", "nothing")) == "f.yaml:1:1"
    assert str(document.place("a", "nothing")) == "f.yaml:2:3"


def test_columns_count_characters_not_bytes():
    assert str(one("é: {ï: ü, x: 1}\n").place("é", "x")) == "f.yaml:1:14"


def test_a_merged_key_stands_where_it_is_written():
    document = one("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n")

    assert document.value == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}
    assert document.place("b", "x").line == 2


def test_an_own_key_wins_over_a_merged_one():
    assert one("a: &a {x: 1}\nb: {x: 2, <<: *a}\nc: {<<: [*a, {x: 3, z: 4}]}\n").value["b"] == {"x": 2}


def test_dates_stay_text():
    assert one("left: 2026-03-31\n").value == {"left": "2026-03-31"}


@pytest.mark.parametrize("text", ["01234", "0777", "-012", "1:30", "12:30:45", "1:30.5"])
def test_numbers_that_lose_their_meaning_are_named(text):
    found, (problem,) = documents("f.yaml", f"code: {text}\n")

    assert found[0].value == {"code": text}
    assert (problem.line, problem.column, problem.hint) == (1, 7, f'write "{text}" in quotes')


@pytest.mark.parametrize("text", ["0", "08", "1_000", "0x1F", "1e3", "1.10", ".inf", "12345678901234567890123", "-7"])
def test_other_numbers_are_left_alone(text):
    assert documents("f.yaml", f"code: {text}\n")[1] == []


@given(st.text(max_size=60))
def test_any_text_gives_documents_or_problems(text):
    found, problems = documents("f.yaml", text)
    assert all(problem.line and problem.column for problem in problems)
    assert isinstance(found, list)


@given(st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5), st.integers(-99, 99), min_size=1))
def test_every_place_points_at_its_value(values):
    text = "".join(f'"{key}":\n    {value}\n' for key, value in values.items())
    document = one(text)

    for key, value in values.items():
        place = document.place(key)
        assert text.splitlines()[place.line - 1][place.column - 1 :] == str(value)

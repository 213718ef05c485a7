"""Values as VQL literals: what DuckDB, whose literals of these kinds are the same, reads back is the value; all else is refused."""

from __future__ import annotations

import math
from unicodedata import category

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyceph.connectors.denodo_dialect import VALUE
from polyceph.connectors.denodo_flight import bound_statement, literal, literal_statement
from polyceph.connectors.sql.dialect import Statement
from polyceph.errors import Invalid

TEXTS = st.text(st.sampled_from("'\"\\-;/*%?:x \n\x00é漢🙂")) | st.text()


@given(TEXTS)
def test_a_text_is_read_back_or_refused(text: str) -> None:
    if "\\" in text or any(category(one) in ("Cc", "Cs") for one in text):
        with pytest.raises(Invalid) as caught:
            literal(text)
        assert text not in str(caught.value) or not text.strip()
    else:
        assert duckdb.execute(f"SELECT {literal(text)}, 1").fetchall() == [(text, 1)]


@given(st.integers(-(2**63), 2**63 - 1) | st.booleans())
def test_a_number_keeps_its_sign_wherever_it_stands(value: int) -> None:
    [[found]] = duckdb.execute(f"SELECT 0::HUGEINT -{literal(value)}::HUGEINT").fetchall()
    assert found == -value


@example(0.00022191013944422922)
@given(st.floats())
def test_a_float_is_read_back_or_refused(value: float) -> None:
    if math.isfinite(value):
        assert duckdb.execute(f"SELECT {literal(value)}::DOUBLE").fetchall() == [(value,)]
    else:
        with pytest.raises(Invalid):
            literal(value)


def test_a_value_never_becomes_the_place_of_another() -> None:
    statement = Statement(f"SELECT {VALUE} WHERE a = {VALUE}", ("?", "%s"))
    assert literal_statement(statement) == Statement("SELECT '?' WHERE a = '%s'")
    assert bound_statement(statement) == Statement("SELECT ? WHERE a = ?", ("?", "%s"))

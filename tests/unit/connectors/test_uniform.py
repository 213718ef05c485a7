"""Columns of one kind are read at once, with the very answer that reading cell by cell gives."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyceph.connectors.tabular.natives import native
from polyceph.connectors.tabular.uniform import uniform
from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, Problem

INTEGER, NUMBER, MONEY = Column("c", "integer"), Column("c", "number"), Column("c", "number", "decimal(10,2)")
COLUMNS = (INTEGER, NUMBER, MONEY, Column("c", "number", "decimal(5,0)"), Column("c", "string"), Column("c", "date"))
COLUMNS += (Column("c", "timestamp"), Column("c", "timestamp", "timestamptz"), Column("c", "boolean"), Column("c", "time"))


def one_by_one(values: list[Any], column: Column) -> list[Any] | None:
    """Return what cell by cell gives; None when a cell is refused."""
    made = [None if isinstance(value, str) else native(value, column) for value in values]
    return None if any(isinstance(one, Problem) for one in made) else pa.array(made, arrow_type(column)).to_pylist()


CELLS = st.one_of(
    st.lists(st.one_of(st.just(""), st.floats(allow_nan=False, allow_infinity=False)), max_size=8),
    st.lists(st.one_of(st.just(""), st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)), max_size=8),
    st.lists(st.one_of(st.just(""), st.integers(-(2**60), 2**60).map(float)), max_size=8),
    st.lists(st.one_of(st.just(""), st.dates(date(1900, 1, 1))), max_size=8),
    st.lists(st.one_of(st.just(""), st.datetimes(datetime(1900, 1, 1))), max_size=8),  # noqa: DTZ001
    st.lists(st.one_of(st.text(max_size=3), st.floats(), st.booleans(), st.dates()), max_size=8),
)


@settings(deadline=None, max_examples=400)
@given(CELLS, st.sampled_from(COLUMNS))
def test_the_quick_way_says_what_the_slow_way_says(values: list[Any], column: Column) -> None:
    found = uniform(values, column)
    if found is None:
        return
    texts, made = found
    assert made.type == arrow_type(column)
    assert [text or None for text in texts.to_pylist()] == [value or None if isinstance(value, str) else None for value in values]
    assert made.to_pylist() == one_by_one(values, column)


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ([1.0, "", 3.0], INTEGER, [1, None, 3]),
        ([1.5, "", 0.1], NUMBER, [1.5, None, 0.1]),
        ([0.1 + 0.2, 12.5, ""], MONEY, [Decimal("0.30"), Decimal("12.50"), None]),
        ([-99_999_999.99], MONEY, [Decimal("-99999999.99")]),
    ],
)
def test_plain_columns_take_the_quick_way(values: list[Any], column: Column, expected: list[Any]) -> None:
    found = uniform(values, column)
    assert found is not None
    assert found[1].to_pylist() == expected


@pytest.mark.parametrize(("values", "column"), [([1.5], INTEGER), ([0.305], MONEY), ([1e9], MONEY), ([True], NUMBER), (["x", 1.0], NUMBER)])
def test_what_is_not_plain_is_left_to_the_slow_way(values: list[Any], column: Column) -> None:
    assert uniform(values, column) is None

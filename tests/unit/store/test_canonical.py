"""Canonical JSON: the quick way and the one by the book write the same bytes, and what JSON cannot say is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from polyceph.errors import Invalid
from polyceph.store.canonical import canonical

_SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@given(st.dictionaries(st.text(), _JSON, max_size=5))
def test_it_is_what_the_book_says_or_refused(value: dict[str, object]) -> None:
    try:
        wanted = rfc8785.dumps(value).decode()  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeError):
        with pytest.raises(Invalid):
            canonical("it", value)
        return
    if any("\x00" in text for text in texts(value)):
        with pytest.raises(Invalid, match=r"U\+0000"):
            canonical("it", value)
        return
    assert canonical("it", value) == wanted


def test_a_backslash_is_no_zero() -> None:
    assert canonical("it", {"path": "C:\\u0000"}) == '{"path":"C:\\\\u0000"}'


def test_the_examples_of_the_standard() -> None:
    numbers = [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001]
    assert canonical("it", {"numbers": numbers, "literals": [None, True, False]}) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'
    )
    keys = {"\u20ac": "Euro", "\r": "CR", "\ufb33": "Dalet", "1": "One", "\U0001f600": "Smiley", "\u0080": "Control", "\u00f6": "o"}
    assert list(json.loads(canonical("it", keys)).values()) == ["CR", "One", "Control", "o", "Euro", "Smiley", "Dalet"]


@pytest.mark.parametrize(
    "value",
    [{"a": float("nan")}, {"a": datetime.now(UTC)}, {"a": {1, 2}}, {1: "a"}, {"a": 2**53 + 1}, {"a": "\x00"}, {"a": "\ud800"}, {"a": b"x"}],
)
def test_what_is_not_json_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=r"^the part"):
        canonical("the part", value)

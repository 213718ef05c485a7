"""A path is served in its one plain form and no other."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.web.canonical import is_plain

PLAIN = [
    "/",
    "/datasets",
    "/datasets/education/gold/schools",
    "/dagster/",
    "/dagster/_next/static/chunks/pages/%5B%5B...slug%5D%5D-1a2b.js",
    "/domains/%C3%A9cole",
    "/a@b:c,d",
]
TRICKS = [
    "",
    "datasets",
    "//datasets",
    "/datasets//education",
    "/datasets/;x",
    "/datasets;x=1",
    "/datasets%3Bx",
    "/datasets/..;/secret",
    "/..",
    "/datasets/../secret",
    "/datasets/./x",
    "/datasets/%2e%2e/secret",
    "/datasets/%2E%2E/secret",
    "/datasets%2feducation",
    "/datasets%2Feducation",
    "/datasets%252Feducation",
    "/datasets/%25%32%66",
    "/%64atasets",
    "/%44atasets",
    "/datasets/%00",
    "/datasets/x%00.png",
    "/datasets/%0a",
    "/datasets\\education",
    "/datasets%5Ceducation",
    "/datasets/%5c..",
    "/datasets/%c3%a9",
    "/datasets/%C3",
    "/datasets/%C0%AE%C0%AE/x",
    "/datasets/%zz",
    "/datasets/%",
    "/datasets/a b",
    "/datasets/é",
    "/" + "x" * 3000,
]


@pytest.mark.parametrize("path", PLAIN)
def test_a_plain_path_is_served(path: str) -> None:
    assert is_plain(path.encode())


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    assert not is_plain(path.encode())


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\%;"), min_size=1), min_size=1, max_size=4))
def test_the_usual_encoding_of_any_segments_is_plain_unless_one_is_dots(segments: list[str]) -> None:
    path = "/" + "/".join(quote(one, safe="") for one in segments)
    is_short = len(path) <= 2048
    assert is_plain(path.encode()) == (is_short and not {".", ".."} & set(segments))


@given(st.binary(max_size=30))
def test_whatever_is_plain_has_one_reading(raw: bytes) -> None:
    if is_plain(b"/" + raw):
        assert b"//" not in b"/" + raw
        assert not any(trick in raw.lower() for trick in (b"%2f", b"%5c", b"%25", b"%00", b";", b"\\", b"%2e"))

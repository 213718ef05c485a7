"""What the servers of APIs read from strangers: any text is either understood or refused, and a token cannot be made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import ODATA, ODSQL, Dialect, condition, order
from polyceph.testing.federation.servers.systems import inside
from polyceph.testing.federation.servers.tokens import Tokens
from polyceph.testing.federation.servers.web import Pace
from polyceph.testing.federation.servers.xml_text import parsed

ROW: dict[str, Any] = {"n": 5, "s": "d'été", "d": "2025-10-01", "none": None, "in": {"side": True}, "decimal": "12.5"}
WORDS = (
    "n",
    "s",
    "none",
    "eq",
    "=",
    ">",
    "and",
    "or",
    "not",
    "(",
    ")",
    ",",
    "5",
    "-1.5",
    "'x'",
    '"y"',
    "date'2025-01-01'",
    "null",
    "in",
    "is",
    "like",
    "contains",
)


@pytest.mark.parametrize("dialect", [ODSQL, ODATA])
@given(text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)))
def test_a_condition_is_understood_or_refused(dialect: Dialect, text: str) -> None:
    try:
        holds = condition(text, dialect)
    except Invalid:
        return
    assert holds(ROW) in (True, False)


@given(
    text=st.text(max_size=40),
    rows=st.lists(st.dictionaries(st.sampled_from("ab"), st.none() | st.integers() | st.text(max_size=3)), max_size=6),
)
def test_an_order_is_understood_or_refused(text: str, rows: list[dict[str, Any]]) -> None:
    for wish in (text, "a desc, b"):
        try:
            key = order(wish)
        except Invalid:
            continue
        assert len(sorted(rows, key=key)) == len(rows)


@pytest.mark.parametrize(
    ("text", "dialect", "holds"),
    [
        ("n > 4 and n < 6", ODSQL, True),
        ("n = 4 or n = 5 and s = 'x'", ODSQL, False),
        ("not n = 4", ODSQL, True),
        ("none is null and n is not null", ODSQL, True),
        ("d < date'2025-10-02'", ODSQL, True),
        ("none > 1", ODSQL, False),
        ("none != 1", ODSQL, True),
        ("decimal > 12", ODSQL, True),
        ("s = 'd''été'", ODSQL, True),
        ("in/side eq true", ODATA, True),
        ("s eq 'd''été' and contains(s,'été')", ODATA, True),
        ("none eq null", ODATA, True),
        ("d ge 2025-10-01T00:00:00Z", ODATA, True),
        ("startswith(none,'x')", ODATA, False),
        ("(n ne 5 or (not (n gt 6)))", ODATA, True),
    ],
)
def test_a_condition_holds_or_not(text: str, dialect: Dialect, holds: bool) -> None:
    assert condition(text, dialect)(ROW) is holds


@given(content=st.binary(max_size=200))
def test_any_bytes_are_xml_or_refused(content: bytes) -> None:
    try:
        parsed(content)
    except Invalid:
        return


@given(token=st.text(max_size=200))
def test_a_made_up_token_opens_nothing(token: str) -> None:
    assert Tokens("key").refusal(token, "education_canteens", 0) is not None


def test_a_token_is_good_until_its_moment_for_its_subject() -> None:
    tokens = Tokens("key")
    token = tokens.issue("education_canteens", 100)
    assert tokens.refusal(token, "education_canteens", 99) is None
    assert tokens.refusal(token, "education_canteens", 100) == "The access token expired"
    assert tokens.refusal(token, "culture_museums", 99) == "The access token is for another service"
    assert Tokens("another").refusal(token, "education_canteens", 99) == "The access token is not of this server"


def test_a_pace_gives_a_second_s_worth_and_then_says_how_long_to_wait() -> None:
    pace = Pace()
    assert [pace.wait_seconds(2, 10.0) for _ in range(3)] == [0, 0, 0.5]
    assert pace.wait_seconds(2, 10.5) == 0
    assert [pace.is_faulty(3) for _ in range(6)] == [False, False, True, False, False, True]


@given(path=st.text(max_size=40))
def test_a_path_leads_into_the_folder_or_nowhere(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        found = inside(root, path)
    except NotFound:
        return
    assert found == root.resolve() or found.is_relative_to(root.resolve())

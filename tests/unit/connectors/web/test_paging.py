"""From page to page: every style, every way to end, every circle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from polyceph.connectors.rest_options import RestDataset
from polyceph.connectors.web.client import Call
from polyceph.connectors.web.paging import Page, Paging, Walk, with_parameter
from polyceph.errors import Invalid

ROWS = [{"id": n} for n in range(1, 8)]
Ask = Callable[[Call], Page]


def walk(ask: Ask, paging: dict[str, Any], call: Call | None = None, **more: Any) -> tuple[list[int], Walk]:
    made = Walk(TypeAdapter(Paging).validate_python(paging), call or Call("rows", {"q": 1}), "https://example.org/api/rows", **more)
    return [row["id"] for page in made.pages(ask) for row in page.rows], made


def page(rows: list[Any], document: Any = None, link: str | None = None) -> Page:
    return Page(rows, document or {}, httpx.Headers({"link": link} if link else {}))


class Service:
    """Seven rows, three a page, asked by number, offset or token."""

    def __init__(self, **told: Callable[[int], Any]) -> None:
        self.calls: list[Call] = []
        self.told = told

    def __call__(self, call: Call) -> Page:
        self.calls.append(call)
        given = call.params or {}
        begin = (given["page"] - 1) * 3 if "page" in given else given.get("offset", given.get("cursor", 0))
        return page(ROWS[begin : begin + 3], {name: tell(begin) for name, tell in self.told.items()})


@pytest.mark.parametrize(
    ("paging", "told", "requests"),
    [
        ({"style": "page"}, {}, 4),
        ({"style": "page", "total": "total"}, {"total": lambda _: 7}, 3),
        ({"style": "page", "pages": "pages"}, {"pages": lambda _: 3}, 3),
        ({"style": "page", "has_more": "more"}, {"more": lambda begin: begin < 6}, 3),
        ({"style": "offset"}, {}, 4),
        ({"style": "offset", "size": 5, "total": "total"}, {"total": lambda _: 7}, 3),
        ({"style": "cursor", "next": "next"}, {"next": lambda begin: begin + 3 if begin < 6 else None}, 3),
        ({"style": "cursor", "next": "meta.next"}, {"meta": lambda begin: {"next": begin + 3} if begin < 6 else {}}, 3),
        ({"style": "cursor", "next": "next", "has_more": "more"}, {"next": lambda b: b + 3, "more": lambda b: b < 6}, 3),
    ],
)
def test_every_row_comes_once(paging: dict[str, Any], told: dict[str, Any], requests: int) -> None:
    service = Service(**told)
    assert walk(service, paging)[0] == [1, 2, 3, 4, 5, 6, 7]
    assert len(service.calls) == requests
    assert all((call.params or {})["q"] == 1 for call in service.calls)


def test_a_page_that_is_shortened_by_the_service_is_no_end() -> None:
    def ask(call: Call) -> Page:
        begin = (call.params or {})["offset"]
        return page(ROWS[begin : begin + (1 if begin == 0 else 3)])

    assert walk(ask, {"style": "offset", "size": 3})[0] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "there", ["?after=3", "/api/rows?after=3", "https://example.org/api/rows?after=3", "//example.org/api/rows?after=3"]
)
@pytest.mark.parametrize("style", ["link", "next_url"])
def test_a_link_may_be_relative(style: str, there: str) -> None:
    calls = []

    def ask(call: Call) -> Page:
        calls.append(call)
        if len(calls) == 2:
            return page(ROWS[3:])
        return page(ROWS[:3], {"next": there}, f'<https://example.org/first>; rel="first", <{there}>; rel="next"')

    assert len(walk(ask, {"style": "link"} if style == "link" else {"style": "next_url", "next": "next"})[0]) == 7
    assert calls[1].url == "https://example.org/api/rows?after=3"
    assert calls[1].params is None


def test_a_search_that_is_posted_is_paged_in_its_body() -> None:
    calls = []

    def ask(call: Call) -> Page:
        calls.append(call)
        begin = call.json["page"]["from"]
        return page(ROWS[begin : begin + 3])

    search = Call("search", method="POST", json={"query": {"kind": "a"}, "page": {"sort": "id"}})
    found, _ = walk(ask, {"style": "offset", "parameter": "page.from", "size_parameter": "page.size", "size": 3}, search, place="body")
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert calls[1].json == {"query": {"kind": "a"}, "page": {"sort": "id", "size": 3, "from": 3}}
    assert search.json == {"query": {"kind": "a"}, "page": {"sort": "id"}}


@pytest.mark.parametrize(
    ("paging", "ask"),
    [
        ({"style": "page"}, lambda _: page(ROWS[:3])),
        ({"style": "offset"}, lambda _: page(ROWS[:3])),
        ({"style": "cursor", "next": "next"}, lambda _: page([], {"next": "same"})),
        ({"style": "next_url", "next": "next"}, lambda _: page([], {"next": "?page=1"})),
        ({"style": "link"}, lambda _: page([], {}, '<?page=1>; rel="next"')),
    ],
    ids=["page", "offset", "cursor", "next_url", "link"],
)
def test_a_circle_is_refused(paging: dict[str, Any], ask: Ask) -> None:
    with pytest.raises(Invalid, match="goes in a circle"):
        walk(ask, paging)


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(Invalid, match="more than 5 pages"):
        walk(lambda call: page([{"id": (call.params or {})["page"]}]), {"style": "page", "max_pages": 5})


@pytest.mark.parametrize(
    "paging",
    [
        {"style": "page", "total": "absent"},
        {"style": "page", "pages": "absent"},
        {"style": "page", "has_more": "absent"},
        {"style": "cursor", "next": "object"},
        {"style": "next_url", "next": "number"},
    ],
)
def test_what_the_answer_does_not_hold_is_told(paging: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="correct"):
        walk(lambda _: page(ROWS[:3], {"object": {"a": 1}, "number": 7}), paging)


def test_the_only_page_without_a_token_is_reported() -> None:
    _, made = walk(lambda _: page(ROWS), {"style": "cursor", "next": "meta.nxt"})
    assert [note.subject for note in made.notes] == ["paging"]
    assert "meta.nxt" in made.notes[0].text


def test_a_parameter_joins_those_that_are_there() -> None:
    assert with_parameter(Call("x", {"a": 1}), "b", 2, "query").params == {"a": 1, "b": 2}
    assert with_parameter(Call("x"), "a.b", 2, "body").json == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"body": {}}, "method: POST"),
        ({"parameters_in": "body"}, "method: POST"),
        ({"format": "ndjson", "records": "a"}, "ndjson"),
        ({"format": "ndjson", "paging": {"style": "cursor", "next": "a"}}, "ndjson"),
        ({"format": "ndjson", "paging": {"style": "page", "total": "a"}}, "ndjson"),
        ({"records": "a..b"}, "cannot be read"),
        ({"records": "a[b"}, "cannot be read"),
        ({"since": {"parameter": "s", "field": "f", "overlap": "10"}}, "no duration"),
        ({"since": {"parameter": "s", "field": "f", "format": "week"}}, "epoch"),
        ({"paging": {"style": "pages"}}, "next_url"),
        ({"paging": {"style": "page", "sise": 3}}, "extra"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RestDataset.model_validate({"path": "rows", **options})

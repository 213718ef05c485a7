"""From page to page: which request asks for the next one, and when there is none. Asks nothing itself; guards against circles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal
from urllib.parse import urljoin

import httpx
import simplejson as json
from pydantic import Field

from polyceph.connectors.web.client import Call
from polyceph.connectors.web.lines import Lines
from polyceph.connectors.web.paths import JsonPath, steps, value_at
from polyceph.sdk import Invalid, Note, Options


class _Paging(Options):
    max_pages: int = Field(default=10_000, ge=1, description="more pages than this are refused")
    total: JsonPath | None = Field(default=None, description="path to the number of all rows; then no row can be missed unnoticed")


class _Counted(_Paging):
    has_more: JsonPath | None = Field(default=None, description="path to a boolean that is false on the last page")


class NoPaging(_Paging):
    """Everything comes in one answer."""

    style: Literal["none"] = "none"


class PagePaging(_Counted):
    """Pages are numbered."""

    style: Literal["page"]
    parameter: str = Field(default="page", description="parameter with the page's number")
    first: int = Field(default=1, ge=0, description="number of the first page")
    size_parameter: str | None = Field(default=None, description="parameter with the number of rows on a page")
    size: int | None = Field(default=None, ge=1, description="rows on a page")
    pages: JsonPath | None = Field(default=None, description="path to the number of pages")


class OffsetPaging(_Counted):
    """The next page begins behind so many rows."""

    style: Literal["offset"]
    parameter: str = Field(default="offset", description="parameter with the number of rows to skip")
    first: int = Field(default=0, ge=0, description="number of the first row")
    size_parameter: str | None = Field(default="limit", description="parameter with the number of rows on a page; null for none")
    size: int | None = Field(default=100, ge=1, description="rows on a page")


class CursorPaging(_Counted):
    """An answer holds a token for the next page."""

    style: Literal["cursor"]
    parameter: str = Field(default="cursor", description="parameter with the token")
    next: JsonPath = Field(description="path to the next page's token; absent, null or empty on the last page")
    size_parameter: str | None = Field(default=None, description="parameter with the number of rows on a page")
    size: int | None = Field(default=None, ge=1, description="rows on a page")


class LinkPaging(_Paging):
    """The header Link names the next page (RFC 8288)."""

    style: Literal["link"]
    relation: str = Field(default="next", description="relation of the link to the next page")


class NextUrlPaging(_Paging):
    """An answer holds the next page's address."""

    style: Literal["next_url"]
    next: JsonPath = Field(description="path to the next page's address; absent, null or empty on the last page")


Paging = Annotated[NoPaging | PagePaging | OffsetPaging | CursorPaging | LinkPaging | NextUrlPaging, Field(discriminator="style")]
ParametersIn = Literal["query", "body"]


@dataclass(frozen=True)
class Page:
    """One answer: its rows, the document they stand in (None where there is none), its headers."""

    rows: Collection[Any] | Lines
    document: Any
    headers: httpx.Headers
    digest: str = ""
    """Of the answer, where it is not held in memory."""


@dataclass
class Walk:
    """A way through all pages, and what was seen on it."""

    paging: Paging
    first: Call
    address: str
    """The first page's absolute address, as messages show it."""
    place: ParametersIn = "query"
    base: str = ""
    """The same for links that are relative, where what is shown leaves something out."""
    number: int = 0
    rows: int = 0
    totals: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    def pages(self, ask: Callable[[Call], Page]) -> Iterator[Page]:
        """Yield the pages in turn.

        Raises:
            Invalid: the paging goes in a circle, has too many pages, or what it needs is not in the answers.
        """
        call: Call | None = self._begin()
        while call is not None:
            if self.number >= self.paging.max_pages:
                raise Invalid(f"{self.address} has more than {self.paging.max_pages} pages", hint="raise max_pages of paging")
            page = ask(call)
            self.number += 1
            self.rows += len(page.rows)
            self._remember(page)
            yield page
            call = self._after(page)

    def _begin(self) -> Call:
        paging, call = self.paging, self.first
        if isinstance(paging, PagePaging | OffsetPaging | CursorPaging) and paging.size_parameter and paging.size:
            call = with_parameter(call, paging.size_parameter, paging.size, self.place)
        if isinstance(paging, PagePaging | OffsetPaging):
            call = with_parameter(call, paging.parameter, paging.first, self.place)
        return call

    def _remember(self, page: Page) -> None:
        if page.rows:
            self._circle(page.digest or json.dumps(page.rows, use_decimal=True, sort_keys=True), "page")
        if self.paging.total is None:
            return
        found = value_at(page.document, self.paging.total)
        if not isinstance(found, int) or isinstance(found, bool):
            raise Invalid(f"{self.address} has no number at {self.paging.total!r}", hint="correct total of paging, or leave it out")
        self.totals.append(found)

    def _circle(self, text: str, what: str) -> None:
        digest = hashlib.blake2b(f"{what} {text}".encode(), digest_size=16).digest()
        if digest in self._seen:
            raise Invalid(
                f"the paging of {self.address} goes in a circle: {what} {self.number} came before",
                hint="check style and parameter of paging",
            )
        self._seen.add(digest)

    def _after(self, page: Page) -> Call | None:
        paging = self.paging
        if isinstance(paging, NoPaging) or (isinstance(paging, _Counted) and paging.has_more and not self._has_more(page, paging.has_more)):
            return None
        if isinstance(paging, LinkPaging | NextUrlPaging):
            return self._follow(page, paging)
        if isinstance(paging, CursorPaging):
            return self._turn(page, paging)
        if self._is_last(page, paging):
            return None
        at = self.number if isinstance(paging, PagePaging) else self.rows
        return with_parameter(self._begin(), paging.parameter, paging.first + at, self.place)

    def _has_more(self, page: Page, path: str) -> bool:
        found = value_at(page.document, path)
        if not isinstance(found, bool):
            raise Invalid(f"{self.address} has no boolean at {path!r}", hint="correct has_more of paging, or leave it out")
        return found

    def _is_last(self, page: Page, paging: PagePaging | OffsetPaging) -> bool:
        """A short page is no end: services shorten pages as they like. An empty one is."""
        if not page.rows or (self.totals and self.rows >= self.totals[-1]):
            return True
        if not isinstance(paging, PagePaging) or paging.pages is None:
            return False
        pages = value_at(page.document, paging.pages)
        if not isinstance(pages, int) or isinstance(pages, bool):
            raise Invalid(f"{self.address} has no number at {paging.pages!r}", hint="correct pages of paging, or leave it out")
        return self.number >= pages

    def _turn(self, page: Page, paging: CursorPaging) -> Call | None:
        token = value_at(page.document, paging.next)
        if token is None or token == "":
            self._only(f"no token at {paging.next!r}")
            return None
        if isinstance(token, dict | list | bool):
            raise Invalid(f"the token of {self.address} at {paging.next!r} is no text or number", hint="correct next of paging")
        self._circle(str(token), "token")
        return with_parameter(self._begin(), paging.parameter, token, self.place)

    def _follow(self, page: Page, paging: LinkPaging | NextUrlPaging) -> Call | None:
        if isinstance(paging, LinkPaging):
            there = httpx.Response(httpx.codes.OK, headers=page.headers).links.get(paging.relation, {}).get("url")
            missing = f"no link {paging.relation!r}"
        else:
            there, missing = value_at(page.document, paging.next), f"no address at {paging.next!r}"
        if not there:
            self._only(missing)
            return None
        if not isinstance(there, str):
            raise Invalid(f"the next address of {self.address} is no text", hint="correct next of paging")
        try:
            url = urljoin(self.base or self.address, there)
        except ValueError as error:
            raise Invalid(f"{self.address} names what is no address as its next page", hint="correct next of paging") from error
        self._circle(url, "address")
        return replace(self.first, url=url, params=None)

    def _only(self, missing: str) -> None:
        if self.number == 1 and not self.totals:
            # It may well be the only page; it may as well be a path that was written wrongly.
            self.notes.append(Note("paging", f"the first page has {missing}: it was taken for the only one"))


def with_parameter(call: Call, name: str, value: Any, place: ParametersIn) -> Call:
    """Return a call with a parameter more: in its query, or in its JSON body, where a dotted name leads inside."""
    if place == "query":
        return replace(call, params={**(call.params or {}), name: value})
    return replace(call, json=_with_member(call.json or {}, [str(step) for step in steps(name)], value))


def _with_member(document: Mapping[str, Any], names: list[str], value: Any) -> dict[str, Any]:
    name, *rest = names
    inner = document.get(name)
    return {**document, name: _with_member(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}

"""Answers of OData that come in pages, versions 2 and 4 and Microsoft Graph: rows, where the next page is, where the changes since are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.links import own_link
from polyceph.sdk import Invalid

_NEXT = ("@odata.nextLink", "@nextLink")
_DELTA = ("@odata.deltaLink", "@deltaLink")


@dataclass(frozen=True)
class Page:
    """One page. `delta` is set on the last one, by a service that tells changes."""

    rows: list[Any]
    delta: str | None
    where: str


def pages(client: WebClient, first: Call) -> Iterator[Page]:
    """Yield the pages from a call on, each link checked to stay on the source's own host.

    Raises:
        Denied: a link leads to another host.
        Invalid: an answer has no rows, or the pages go in a circle.
        NotFound, Unavailable, Misconfigured: as the client raises them.
    """
    call, number, seen = first, 0, set[str]()
    while True:
        document, _ = client.json(call)
        number += 1
        where = f"page {number} of {client.shown(first)}"
        rows, link, delta = _v2(document, where) if _is_v2(document) else _v4(document, where)
        below = client.shown(call)  # without its query, which does not matter for a relative link
        yield Page(rows, own_link(client, delta, below=below) if delta else None, where)
        if not link:
            return
        there = own_link(client, link, below=below)
        if there in seen:
            raise Invalid(f"{where} leads back to an earlier one", hint="the service is at fault; nothing was loaded")
        seen.add(there)
        call = replace(first, url=there, params=None)


def _is_v2(document: Any) -> bool:
    return isinstance(document, Mapping) and "d" in document and "value" not in document


def _v2(document: Mapping[str, Any], where: str) -> tuple[list[Any], str | None, str | None]:
    inner = document["d"]
    if isinstance(inner, list):  # version 1 of the protocol, which SAP still answers to some calls
        return inner, None, None
    return _rows(inner, "results", where), _link(inner, ("__next",)), _link(inner, ("__delta",))


def _v4(document: Any, where: str) -> tuple[list[Any], str | None, str | None]:
    return _rows(document, "value", where), _link(document, _NEXT), _link(document, _DELTA)


def _rows(document: Any, member: str, where: str) -> list[Any]:
    found = document.get(member) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise Invalid(f"{where} has no list {member!r}", hint="the address answers with something else than entities; check it")
    return found


def _link(document: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((str(document[name]) for name in names if document.get(name)), None)

"""The list of datasets somebody may know of: searched, filtered, a page at a time. What a filter offers is counted among those alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.site import Site
from polyceph.core.model.classification import Classification
from polyceph.core.model.dataset import Zone
from polyceph.portal.knowledge import Card, Known, card, known_datasets, person_name, search
from polyceph.web.pages import Open, page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_PAGE = 20
_LONGEST = 200
_FACETS: Mapping[str, Callable[[Known], str]] = {
    "domain": lambda one: one.id.domain,
    "zone": lambda one: one.id.zone.value,
    "classification": lambda one: one.classification or "",
    "owner": lambda one: one.dataset.owner,
}


@dataclass(frozen=True)
class Choice:
    """One value of a filter, with how many datasets have it."""

    value: str
    name: Mapping[str, str] | str
    count: int


@dataclass(frozen=True)
class DatasetsPage:
    """What the list shows."""

    cards: Sequence[Card]
    count: int
    words: str
    chosen: Mapping[str, str]
    choices: Mapping[str, Sequence[Choice]]
    number: int
    pages: int
    next_path: str


@page("/datasets", action=Open.SIGNED_IN)
def datasets(request: Request) -> Response:
    """Show the list."""
    site = site_of(request)
    known = known_datasets(site, principal_of(request))
    words = request.query_params.get("q", "")[:_LONGEST].strip()
    chosen = {name: request.query_params.get(name, "") for name in _FACETS}
    found = [one for one in search(site, words, known) if all(not chosen[name] or of(one) == chosen[name] for name, of in _FACETS.items())]
    pages = max(1, -(-len(found) // _PAGE))
    number = min(_number(request.query_params.get("page", "")), pages)
    cards = [card(site, one) for one in found[(number - 1) * _PAGE : number * _PAGE]]
    kept = {name: value for name, value in {"q": words, **chosen}.items() if value}
    context = DatasetsPage(
        cards, len(found), words, chosen, _choices(site, known), number, pages, f"/datasets?{urlencode({**kept, 'page': ''})}"
    )
    return render(request, "portal/datasets.html", context)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) > 0 else 1


def _choices(site: Site, known: Sequence[Known]) -> Mapping[str, Sequence[Choice]]:
    counts = {name: Counter(of(one) for one in known) for name, of in _FACETS.items()}
    domains = [Choice(name, site.federation.domains[name].title, count) for name, count in sorted(counts["domain"].items())]
    owners = [Choice(one, person_name(site, one), count) for one, count in counts["owner"].items()]
    return {
        "domain": domains,
        "zone": [Choice(one.value, one.value, counts["zone"][one.value]) for one in Zone if counts["zone"][one.value]],
        "classification": [
            Choice(one.value, one.value, counts["classification"][one.value])
            for one in Classification
            if counts["classification"][one.value]
        ],
        "owner": sorted(owners, key=lambda one: str(one.name)),
    }

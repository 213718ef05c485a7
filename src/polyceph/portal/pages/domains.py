"""Domains: a list, and a page each. What stands on it of datasets, runs and people is what somebody may see of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.site import Site, domain_of
from polyceph.core.model.access import Action, Principal
from polyceph.core.model.domain import Domain
from polyceph.core.model.drift import State
from polyceph.portal.knowledge import Card, Known, card, dataset_path, known_datasets, person_name
from polyceph.portal.runs import RunLine, run_lines
from polyceph.web.pages import Open, page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_RUNS = 8
_SHOWN = 10


@dataclass(frozen=True)
class DomainLine:
    """A domain in the list."""

    name: str
    title: Mapping[str, str]
    owner: str
    steward: str
    datasets: int
    is_mine: bool


@dataclass(frozen=True)
class DomainsPage:
    """What the list shows."""

    domains: Sequence[DomainLine]


@dataclass(frozen=True)
class SourceLine:
    """A source of a domain."""

    name: str
    connector: str


@dataclass(frozen=True)
class Waiting:
    """A drift that waits in the domain."""

    number: int
    dataset: str
    path: str
    found_at: datetime


@dataclass(frozen=True)
class DomainPage:
    """What the page of a domain shows; a list that she may not see is None."""

    name: str
    title: Mapping[str, str]
    owner: str
    steward: str
    interim_owner: str
    contact: str
    cards: Sequence[Card]
    datasets: int
    sources: Sequence[SourceLine] | None
    runs: Sequence[RunLine] | None
    shows_errors: bool
    waiting: Sequence[Waiting]
    problem: str | None
    shows_people: bool
    shows_identities: bool


@page("/domains", action=Open.SIGNED_IN)
def domains(request: Request) -> Response:
    """Show the domains that somebody may see."""
    site, who = site_of(request), principal_of(request)
    seen = [one for one in site.federation.domains.values() if site.may(who, Action.DOMAIN_VIEW, domain=one.name).allowed]
    lines = [_line(site, who, one) for one in sorted(seen, key=lambda one: one.name)]
    return render(request, "portal/domains.html", DomainsPage(lines))


@page("/domains/{domain}", action=Action.DOMAIN_VIEW, domain_from="domain", hides=True)
def domain(request: Request) -> Response:
    """Show a domain."""
    site, who = site_of(request), principal_of(request)
    return render(request, "portal/domain.html", _page(site, who, domain_of(site, request.path_params["domain"])))


def _line(site: Site, who: Principal, one: Domain) -> DomainLine:
    count = len(known_datasets(site, who, one.name))
    return DomainLine(one.name, one.title, person_name(site, one.owner), person_name(site, one.steward), count, one.name in who.roles)


def _page(site: Site, who: Principal, one: Domain) -> DomainPage:
    def may(action: Action) -> bool:
        return site.may(who, action, domain=one.name).allowed

    shows_runs, known = may(Action.RUN_VIEW), known_datasets(site, who, one.name)
    sources = [SourceLine(name, source.connector) for name, source in sorted(one.sources.items())]
    return DomainPage(
        name=one.name,
        title=one.title,
        owner=person_name(site, one.owner),
        steward=person_name(site, one.steward),
        interim_owner=person_name(site, one.interim_owner),
        contact=one.contact,
        cards=[card(site, each) for each in known[:_SHOWN]],
        datasets=len(known),
        sources=sources if shows_runs else None,
        runs=run_lines(site.overview().runs(one.name, most=_RUNS)) if shows_runs else None,
        shows_errors=may(Action.RUN_LOGS),
        waiting=_waiting(site, known),
        problem=site.declared().left_out.get(one.name) if shows_runs else None,
        shows_people=may(Action.DOMAIN_PEOPLE),
        shows_identities=may(Action.IDENTITY_CREATE) or may(Action.IDENTITY_REVOKE),
    )


def _waiting(site: Site, known: Sequence[Known]) -> list[Waiting]:
    described = {one.id for one in known if one.is_described}
    found = [one for one in site.queries().drifts(State.WAITING) if one.sighting.dataset in described]
    return [Waiting(one.number, str(one.sighting.dataset), dataset_path(one.sighting.dataset), one.found_at) for one in found]

"""The first page after sign-in: my domains, what waits for me, what has not moved for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import FEDERATION, Action, Principal
from polyceph.core.model.drift import State
from polyceph.core.ports import RunRecord
from polyceph.portal.knowledge import Card, Known, card, dataset_path, known_datasets
from polyceph.web.pages import Open, page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_STALE = 5


@dataclass(frozen=True)
class MyDomain:
    """A domain in which somebody holds roles; `last_run` is its newest run's state, None when she may not see runs or there is none."""

    name: str
    title: Mapping[str, str]
    roles: Sequence[str]
    datasets: int
    last_run: str | None


@dataclass(frozen=True)
class Task:
    """A drift that waits for a decision; `is_mine` tells whether she is the one who may decide."""

    number: int
    dataset: str
    path: str
    differences: Sequence[str]
    found_at: datetime
    is_mine: bool


@dataclass(frozen=True)
class HomePage:
    """What the first page shows."""

    name: str
    domains: Sequence[MyDomain]
    federation_roles: Sequence[str]
    tasks: Sequence[Task]
    stale: Sequence[Card]
    known: int


@page("/", action=Open.SIGNED_IN)
def home(request: Request) -> Response:
    """Show the first page."""
    site, who = site_of(request), principal_of(request)
    known = known_datasets(site, who)
    mine = [one for one in known if one.id.domain in who.roles]
    cards = sorted((one for one in (card(site, each) for each in mine) if one.changed_at), key=lambda one: str(one.changed_at))
    roles = sorted(role.value for role in who.roles.get(FEDERATION, ()))
    last, counts = site.overview().last_runs(), Counter(one.id.domain for one in mine)
    domains = [_domain(site, who, name, (counts[name], last.get(name))) for name in _mine(site, who)]
    return render(request, "portal/home.html", HomePage(who.name, domains, roles, _tasks(site, who, known), cards[:_STALE], len(known)))


def _mine(site: Site, who: Principal) -> list[str]:
    return sorted(name for name in who.roles if name in site.federation.domains)


def _domain(site: Site, who: Principal, name: str, facts: tuple[int, RunRecord | None]) -> MyDomain:
    datasets, record = facts
    if not site.may(who, Action.RUN_VIEW, domain=name).allowed:
        record = None
    status = None if record is None else record.outcome.status if record.outcome else "REQUESTED"
    roles = sorted(role.value for role in who.roles[name])
    return MyDomain(name, site.federation.domains[name].title, roles, datasets, status)


def _tasks(site: Site, who: Principal, known: Sequence[Known]) -> list[Task]:
    """Return the drifts that wait in her domains, of datasets whose description she may see; hers to decide first."""
    described = {one.id for one in known if one.is_described and one.id.domain in who.roles}
    found = []
    for drift in site.queries().drifts(State.WAITING):
        dataset = drift.sighting.dataset
        if dataset in described:
            is_mine = site.may(who, Action.DRIFT_DECIDE, domain=dataset.domain, dataset=str(dataset)).allowed
            stops = [str(one) for one in drift.sighting.differences if one.stops]
            found.append(Task(drift.number, str(dataset), dataset_path(dataset), stops, drift.found_at, is_mine))
    return sorted(found, key=lambda one: (not one.is_mine, one.number))

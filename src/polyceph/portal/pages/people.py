"""People and roles of a domain: who answers for it, and who holds which role through which declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.declared import today
from polyceph.bootstrap.site import Site, domain_of
from polyceph.core.model.access import Action, Role, RoleGrant
from polyceph.core.model.domain import Domain
from polyceph.portal.knowledge import person_name
from polyceph.web.languages import N_
from polyceph.web.pages import page
from polyceph.web.render import render
from polyceph.web.scope import site_of

_DECLARED = {
    "owner": N_("named as data owner of the domain"),
    "interim_owner": N_("named as interim owner of the domain"),
    "steward": N_("named as data steward of the domain"),
    "domain": N_("given by the domain"),
    "federation": N_("given by the federation"),
    "whole": N_("given for the whole federation"),
}


@dataclass(frozen=True)
class Holder:
    """Somebody, or a group of the directory, with a role; `source` is an English sentence on why."""

    name: str
    is_group: bool
    role: str
    source: str
    has_left: bool


@dataclass(frozen=True)
class PeoplePage:
    """What the page shows."""

    name: str
    title: Mapping[str, str]
    holders: Sequence[Holder]


@page("/domains/{domain}/people", action=Action.DOMAIN_PEOPLE, domain_from="domain", hides=True)
def people(request: Request) -> Response:
    """Show who holds which role in a domain."""
    site = site_of(request)
    domain = domain_of(site, request.path_params["domain"])
    holders = sorted(_holders(site, domain), key=lambda one: (list(Role).index(Role(one.role)), one.is_group, one.name))
    return render(request, "portal/people.html", PeoplePage(domain.name, domain.title, holders))


def _holders(site: Site, domain: Domain) -> list[Holder]:
    answering = (
        ("owner", domain.owner, Role.OWNER),
        ("interim_owner", domain.interim_owner, Role.OWNER),
        ("steward", domain.steward, Role.STEWARD),
    )
    found = [_person(site, person, role, reason) for reason, person, role in answering if person]
    for grant in domain.roles:
        found += _granted(site, grant, "domain")
    for grant in site.federation.roles:
        if grant.domain in (domain.name, None):
            found += _granted(site, grant, "federation" if grant.domain else "whole")
    return found


def _granted(site: Site, grant: RoleGrant, reason: str) -> list[Holder]:
    people = [_person(site, one, grant.role, reason) for one in grant.people]
    return people + [Holder(one, is_group=True, role=grant.role.value, source=_DECLARED[reason], has_left=False) for one in grant.groups]


def _person(site: Site, person: str, role: Role, reason: str) -> Holder:
    known = site.federation.people.get(person)
    has_left = known is None or not known.is_living(today(site.settings))
    return Holder(person_name(site, person), is_group=False, role=role.value, source=_DECLARED[reason], has_left=has_left)

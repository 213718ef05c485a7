"""Service identities: those somebody may know of; made, rotated and revoked by who may. The answer to the making shows the token once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polyceph.bootstrap.services import ServiceDesk, Wish
from polyceph.bootstrap.site import Site
from polyceph.core.model.access import FEDERATION, Action, Principal, Role
from polyceph.core.model.sentence import listed, said
from polyceph.core.model.service_identity import KnownService
from polyceph.core.policies.rights import BY_PEOPLE_ALONE
from polyceph.core.policies.service_identities import GOOD_ROLES, GOOD_SCOPES
from polyceph.errors import Invalid, NotFound
from polyceph.portal.knowledge import person_name
from polyceph.web.pages import Open, form_of, page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_DAYS = (30, 90, 180, 365)
_OVERLAP_HOURS = (0, 1, 24, 168)
_SCOPE = "scope-"
_SCOPES = tuple(one for one in GOOD_SCOPES if Action(one) not in BY_PEOPLE_ALONE)
"""What is on offer: what is for people alone would be refused whatever the scope."""


@dataclass(frozen=True)
class IdentityLine:
    """A service identity; its tokens by label, with when each ends."""

    name: str
    owner: str
    roles: Sequence[tuple[str, str]]
    scopes: Sequence[str]
    expires_at: datetime
    ended_at: datetime | None
    last_used_at: datetime | None
    tokens: Sequence[tuple[str, datetime]]
    provider: str | None
    may_rotate: bool
    may_revoke: bool


@dataclass(frozen=True)
class IdentitiesPage:
    """What the list shows; `domains` are those in which she may make one."""

    identities: Sequence[IdentityLine]
    domains: Sequence[tuple[str, Mapping[str, str]]]
    domain: str
    roles: Sequence[str]
    scopes: Sequence[str]
    days: Sequence[int]
    overlaps: Sequence[int]


@dataclass(frozen=True)
class TokenPage:
    """The one page that shows a token."""

    name: str
    token: str
    days: int


@page("/identities", action=Open.SIGNED_IN)
def identities(request: Request) -> Response:
    """Show the service identities that somebody may know of."""
    site, who = site_of(request), principal_of(request)
    found = [_line(site, who, one) for one in ServiceDesk(site.identity).list(who)]
    mine = [(one.name, one.title) for one in site.federation.domains.values() if _may_create(site, who, one.name)]
    asked = request.query_params.get("domain", "")
    context = IdentitiesPage(found, mine, asked, GOOD_ROLES, _SCOPES, _DAYS, _OVERLAP_HOURS)
    return render(request, "portal/identities.html", context)


@page("/identities", action=Open.SIGNED_IN, methods=("POST",))
def create(request: Request) -> Response:
    """Make a service identity and show its token; who may not is refused by the use case, and that is recorded."""
    site, who, form = site_of(request), principal_of(request), form_of(request)
    scopes = frozenset(Action(one) for one in _SCOPES if f"{_SCOPE}{one}" in form)
    roles = {form.get("domain", ""): frozenset({_role(form.get("role", ""))})}
    if form.get("domain", "") not in site.federation.domains:
        raise Invalid(said("a service identity works in a domain"), hint=said("choose one of yours"))
    wish = Wish(form.get("name", ""), form.get("owner") or who.person or "", roles, scopes, _days(form))
    token = ServiceDesk(site.identity).create(wish, who=who)
    return _shown(request, wish.name, token, wish.days)


@page("/identities/{name}/rotate", action=Open.SIGNED_IN, methods=("POST",))
def rotate(request: Request) -> Response:
    """Give a service identity another token and show it."""
    site, who, form = site_of(request), principal_of(request), form_of(request)
    name = _known(site, who, request.path_params["name"])
    hours = _number(form.get("overlap", ""), _OVERLAP_HOURS, "overlap")
    days = _days(form)
    token = ServiceDesk(site.identity).rotate(name, overlap=timedelta(hours=hours), days=days, who=who)
    return _shown(request, name, token, days)


@page("/identities/{name}/revoke", action=Open.SIGNED_IN, methods=("POST",))
def revoke(request: Request) -> Response:
    """End a service identity and all its tokens."""
    site, who = site_of(request), principal_of(request)
    name = _known(site, who, request.path_params["name"])
    ServiceDesk(site.identity).revoke(name, reason="revoked on its page", who=who)
    return RedirectResponse("/identities", 303)


def _shown(request: Request, name: str, token: SecretStr | None, days: int) -> Response:
    return render(request, "portal/token.html", TokenPage(name, token.get_secret_value() if token else "", days))


def _known(site: Site, who: Principal, name: str) -> str:
    """Return the name of a service identity she may know of; raise `NotFound` in the same words when there is none or it is not hers."""
    if not any(one.identity.name == name for one in ServiceDesk(site.identity).list(who)):
        hint = said("the list shows those you may know of")
        raise NotFound(said("there is no such service identity, or it is not yours to know of"), hint=hint)
    return name


def _may_create(site: Site, who: Principal, domain: str) -> bool:
    return site.may(who, Action.IDENTITY_CREATE, domain=domain).allowed


def _line(site: Site, who: Principal, known: KnownService) -> IdentityLine:
    one, now = known.identity, site.now()
    domains = [None if name == FEDERATION else name for name in one.roles]
    is_alive = one.ended_at is None and one.expires_at > now
    may_revoke = who.person == one.owner or all(site.may(who, Action.IDENTITY_REVOKE, domain=name).allowed for name in domains)
    return IdentityLine(
        name=one.name,
        owner=person_name(site, one.owner),
        roles=[(name, role.value) for name, roles in sorted(one.roles.items()) for role in sorted(roles)],
        scopes=sorted(scope.value for scope in one.scopes),
        expires_at=one.expires_at,
        ended_at=one.ended_at,
        last_used_at=max((at for at in (one.last_used_at, *(each.last_used_at for each in known.secrets)) if at), default=None),
        tokens=[(each.label, each.expires_at) for each in known.secrets if each.ended_at is None and each.expires_at > now],
        provider=one.provider,
        may_rotate=is_alive
        and one.provider is None
        and all(site.may(who, Action.IDENTITY_CREATE, domain=name).allowed for name in domains),
        may_revoke=one.ended_at is None and may_revoke,
    )


def _role(text: str) -> Role:
    if text not in GOOD_ROLES:
        raise Invalid(said("a service identity cannot have this role"), hint=said("roles are {roles}", roles=listed(GOOD_ROLES)))
    return Role(text)


def _days(form: Mapping[str, str]) -> int:
    return _number(form.get("days", ""), _DAYS, "days")


def _number(text: str, good: Sequence[int], what: str) -> int:
    if text not in map(str, good):
        hint = said("choose {values}", values=listed(tuple(map(str, good))))
        raise Invalid(said("{what} is not one of those on offer", what=what), hint=hint)
    return int(text)

"""My account: what the platform knows of me, my roles and why, my sessions; for who may, the sessions of everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import FEDERATION, Action, Principal
from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import Session
from polyceph.core.usecases import sessions as usecases
from polyceph.errors import Denied, NotFound
from polyceph.web.pages import Open, form_of, page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of


@dataclass(frozen=True)
class SessionLine:
    """A session; `name` is whose it is."""

    id: str
    name: str
    provider: str
    agent: str
    opened_at: datetime
    touched_at: datetime
    ends_at: datetime
    is_this: bool


@dataclass(frozen=True)
class Held:
    """Roles that somebody holds; a domain's title, or None for the federation as a whole."""

    name: str
    title: Mapping[str, str] | None
    roles: Sequence[str]


@dataclass(frozen=True)
class AccountPage:
    """What the page shows."""

    name: str
    actor: str
    person: str | None
    email: str
    held: Sequence[Held]
    emergencies: Sequence[tuple[str, datetime]]
    sessions: Sequence[SessionLine]
    may_end_others: bool


@dataclass(frozen=True)
class SessionsPage:
    """Every session that is open."""

    sessions: Sequence[SessionLine]


@page("/account", action=Open.SIGNED_IN)
def account(request: Request) -> Response:
    """Show what is known of who asks."""
    site, who = site_of(request), principal_of(request)
    known = site.federation.people.get(who.person or "")
    context = AccountPage(
        name=who.name,
        actor=who.actor.id,
        person=who.person,
        email=known.email if known else "",
        held=_held(site, who),
        emergencies=sorted(who.emergencies.items()),
        sessions=_lines(site.identity.queries.open_sessions(actor=who.actor.id), who),
        may_end_others=site.may(who, Action.SESSION_END).allowed,
    )
    return render(request, "portal/account.html", context)


@page("/account/sessions/{session}/end", action=Open.SIGNED_IN, methods=("POST",))
def end_session(request: Request) -> Response:
    """End a session: one's own, or another's for who may; a refusal is recorded."""
    site, who = site_of(request), principal_of(request)
    found = site.identity.queries.session_named(request.path_params["session"])
    missing = NotFound(said("there is no such session of yours"), hint=said("load your account's page again"))
    if found is None:
        raise missing
    try:
        usecases.end_of_another(site.work(), found, site.may(who, Action.SESSION_END), who=who, now=site.now())
    except Denied as error:  # recorded; whether somebody else has this session is not hers to know
        raise missing from error
    site.identity.forget(found)
    return RedirectResponse("/sessions" if form_of(request).get("back") == "all" else "/account", 303)


@page("/sessions", action=Action.SESSION_END)
def all_sessions(request: Request) -> Response:
    """Show every session that is open."""
    site, who = site_of(request), principal_of(request)
    return render(request, "portal/sessions.html", SessionsPage(_lines(site.identity.queries.open_sessions(), who)))


def _held(site: Site, who: Principal) -> list[Held]:
    domains = site.federation.domains
    return [
        Held(name, None if name == FEDERATION else domains[name].title, sorted(role.value for role in roles))
        for name, roles in sorted(who.roles.items())
        if name == FEDERATION or name in domains
    ]


def _lines(found: Sequence[Session], who: Principal) -> list[SessionLine]:
    return [
        SessionLine(
            one.id, one.name or one.actor, one.provider, one.agent, one.opened_at, one.touched_at, one.ends_at, one.id == who.session
        )
        for one in found
    ]

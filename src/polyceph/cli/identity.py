"""Commands about service identities: what CI, BI tools and scripts come in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyceph.cli import render

if TYPE_CHECKING:
    from polyceph.bootstrap.services import ServiceDesk
    from polyceph.core.model.event import Actor

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Manage service identities: CI, BI tools, scripts.")

Name = Annotated[str, typer.Argument(help="Name of the service identity.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def create(
    name: Name,
    owner: Annotated[str, typer.Option(help="Id of the person who answers for it (federation.yaml, people).")],
    role: Annotated[list[str], typer.Option(help="DOMAIN=ROLE, or ROLE for the federation as a whole; may be repeated.")],
    scope: Annotated[list[str], typer.Option(help="An action that it may do, such as run.launch; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="It ends after so many days, 366 at most.")] = 90,
    provider: Annotated[str | None, typer.Option(help="Provider whose access tokens it comes with, instead of a token of ours.")] = None,
    client: Annotated[str | None, typer.Option(help="Its client id at that provider.")] = None,
    json: Json = False,
) -> None:
    """Create a service identity and print its token, once: it is kept as a hash alone.

    Example: polyceph identity create education-ci --owner anne.dupont --role education=engineer --scope run.launch --scope run.view
    """
    from polyceph.bootstrap.services import Wish
    from polyceph.errors import Invalid

    if (provider is None) != (client is None):
        raise Invalid("a provider and a client go together", hint="give --provider and --client, or neither")
    desk, typist = _desk()
    token = desk.create(Wish(name, owner, _roles(role), _scopes(scope), days, provider, client), who=None, typist=typist)
    _show(name, token, json=json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List service identities, when their tokens end and when they were used last. Tokens themselves are kept nowhere.

    Example: polyceph identity list
    """
    desk, _ = _desk()
    found = desk.list(None)
    if json:
        render.as_json({"identities": [_document(one) for one in found]})
        return
    rows = [_row(_document(one)) for one in found]
    render.table("Service identities", ("name", "owner", "roles", "scopes", "ends (UTC)", "used last (UTC)", "state"), rows)


@app.command()
def rotate(
    name: Name,
    overlap: Annotated[
        int, typer.Option(min=0, max=720, help="Hours that the former token counts on, so that nothing stops meanwhile.")
    ] = 24,
    days: Annotated[int, typer.Option(min=1, max=366, help="The new token ends after so many days, at the latest with its identity.")] = 90,
    json: Json = False,
) -> None:
    """Give a service identity another token and print it, once.

    Example: polyceph identity rotate education-ci --overlap 48
    """
    from datetime import timedelta

    desk, typist = _desk()
    token = desk.rotate(name, overlap=timedelta(hours=overlap), days=days, who=None, typist=typist)
    _show(name, token, json=json)


@app.command()
def revoke(name: Name, reason: Annotated[str, typer.Option(help="Why; it stands in the journal.")] = "revoked") -> None:
    """End a service identity and all its tokens at once.

    Example: polyceph identity revoke education-ci --reason "the token stood in a log"
    """
    desk, typist = _desk()
    done = desk.revoke(name, reason=reason, who=None, typist=typist)
    render.line(f"{name} is ended" if done else f"{name} had ended already")


def _show(name: str, token: Any, *, json: bool) -> None:
    text = token.get_secret_value() if token else None
    if json:
        render.as_json({"name": name, **({"token": text} if text else {})})
        return
    if text:
        render.line(text)
        render.note(f"this is the token of {name}, shown once: put it where its program looks for secrets")
    else:
        render.line(f"{name} comes in with tokens of its provider")


def _roles(given: list[str]) -> dict[str, frozenset[Any]]:
    from polyceph.core.model.access import FEDERATION, Role
    from polyceph.core.policies.service_identities import GOOD_ROLES
    from polyceph.errors import Invalid

    found: dict[str, set[Role]] = {}
    for one in given:
        domain, sign, role = one.partition("=")
        domain, role = (domain, role) if sign else (FEDERATION, one)
        if role not in {known.value for known in Role}:
            raise Invalid(f"--role {one!r}: there is no role {role!r}", hint=f"good values: {', '.join(GOOD_ROLES)}")
        found.setdefault(domain, set()).add(Role(role))
    return {domain: frozenset(roles) for domain, roles in found.items()}


def _scopes(given: list[str]) -> frozenset[Any]:
    from polyceph.core.model.access import Action
    from polyceph.core.policies.service_identities import GOOD_SCOPES
    from polyceph.errors import Invalid

    known = {one.value for one in Action}
    if wrong := [one for one in given if one not in known]:
        raise Invalid(f"--scope {wrong[0]!r} is no action", hint=f"good values: {', '.join(GOOD_SCOPES)}")
    return frozenset(map(Action, given))


def _document(one: Any) -> dict[str, Any]:
    identity = one.identity
    return {
        "name": identity.name,
        "owner": identity.owner,
        "roles": {domain: sorted(role.value for role in held) for domain, held in identity.roles.items()},
        "scopes": sorted(scope.value for scope in identity.scopes),
        "expires_at": identity.expires_at,
        "last_used_at": identity.last_used_at,
        "provider": identity.provider,
        "ended_at": identity.ended_at,
        "end_reason": identity.end_reason,
        "secrets": [{"label": s.label, "expires_at": s.expires_at, "ended_at": s.ended_at, "used": s.last_used_at} for s in one.secrets],
    }


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    roles = "; ".join(f"{'federation' if domain == '*' else domain}: {', '.join(held)}" for domain, held in one["roles"].items())
    used = f"{one['last_used_at']:%Y-%m-%d %H:%M}" if one["last_used_at"] else "never"
    state = f"ended: {one['end_reason']}" if one["ended_at"] else "in force"
    return one["name"], one["owner"], roles, ", ".join(one["scopes"]), f"{one['expires_at']:%Y-%m-%d %H:%M}", used, state


def _desk() -> tuple[ServiceDesk, Actor]:
    from polyceph.bootstrap.identity import Identity
    from polyceph.bootstrap.platform import join_platform, this_actor
    from polyceph.bootstrap.services import ServiceDesk
    from polyceph.settings import load_settings

    platform = join_platform(load_settings())
    identity = Identity(platform.settings, platform.engine, lambda: platform.federation, "")
    return ServiceDesk(identity), this_actor()

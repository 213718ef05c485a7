"""Commands about emergency access: open it loudly, close it, see what lasts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Open emergency access to a domain for some hours, close it, list it.")

Person = Annotated[str | None, typer.Option("--as", help="The person who decides, when somebody else types.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("open")
def open_(
    domain: Annotated[str, typer.Argument(help="The domain to look into.")],
    reason: Annotated[str, typer.Option(help="What broke and what has to be looked at, in a sentence; it stands in the journal.")],
    hours: Annotated[int, typer.Option(help="How long: up to 4 hours for oneself, up to 24 for somebody else.")] = 1,
    holder: Annotated[str | None, typer.Option("--for", help="The person who gets it; who opens it when left out.")] = None,
    person: Person = None,
    json: Json = False,
) -> None:
    """Let a person look into a domain for some hours. Everybody sees it; it ends by itself.

    Example: polyceph emergency open education --as pat.maes --hours 2 --reason "The nightly load fails on a row nobody can see"
    """
    from polyceph.bootstrap.platform import this_actor
    from polyceph.bootstrap.rights import open_emergency
    from polyceph.core.model.emergency import Opening

    wanted = Opening(domain, holder or person or this_actor().id, hours, reason)
    found, told = open_emergency(_platform(), wanted, person)
    if json:
        render.as_json({**_document(found), "to_tell": list(told)})
        return
    render.line(f"emergency {found.number}: {found.person} may look into {found.domain} until {found.until:%Y-%m-%d %H:%M} UTC")
    render.note(f"it stands in the journal; tell {', '.join(told) or 'whoever answers for the domain'}, and close it when done:")
    render.note(f"polyceph emergency close {found.number}")


@app.command()
def close(
    number: Annotated[int, typer.Argument(help="Number of the emergency, as emergency list prints it.")],
    person: Person = None,
    json: Json = False,
) -> None:
    """End emergency access before its time.

    Example: polyceph emergency close 3 --as anne.dupont
    """
    from polyceph.bootstrap.rights import close_emergency

    found = close_emergency(_platform(), number, person)
    render.as_json(_document(found)) if json else render.line(f"emergency {found.number} is closed by {found.closed_by}")


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    json: Json = False,
) -> None:
    """List the emergency access that lasts.

    Example: polyceph emergency list --all
    """
    from polyceph.bootstrap.rights import listed_emergencies

    found = [_document(one) for one in listed_emergencies(_platform(), every=every)]
    if json:
        render.as_json({"emergencies": found})
        return
    keys = ("number", "domain", "person", "opened_by", "reason", "until", "state")
    rows = [(*(one[key] for key in keys[:5]), f"{one['until']:%Y-%m-%d %H:%M}", one["state"]) for one in found]
    render.table("Emergency access", ("number", "domain", "for", "opened by", "reason", "until (UTC)", "state"), rows)


def _document(one: Any) -> dict[str, Any]:
    from polyceph.bootstrap.declared import SystemClock

    state = one.state(SystemClock().now()).value
    return {**{key: getattr(one, key) for key in one.__dataclass_fields__}, "state": state, "alone": one.is_alone}


def _platform() -> Any:
    from polyceph.bootstrap.platform import join_platform
    from polyceph.settings import load_settings

    return join_platform(load_settings())

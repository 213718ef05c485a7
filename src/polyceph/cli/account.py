"""Commands about the local account of a federation that runs on one machine and has no provider of sign-in."""

from __future__ import annotations

from typing import Annotated

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after the local account of this machine.")


@app.command()
def reset(
    person: Annotated[
        str | None, typer.Option("--as", help="Id of the declared person as whom it acts; without, it looks after the platform.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print a new one-time link to the local account. Its password counts no more; the link sets another, within an hour.

    Example: polyceph account reset --as anne.dupont
    """
    from polyceph.bootstrap import accounts
    from polyceph.bootstrap.identity import public_address
    from polyceph.bootstrap.platform import join_platform
    from polyceph.orchestrate.services import running_process
    from polyceph.settings import load_settings

    settings = load_settings()
    platform = join_platform(settings)
    found = running_process(settings)
    running = found[1]["address"] if found is not None and settings.web.address is None else None
    address = str(running or public_address(settings))
    link = accounts.reset(settings, platform.federation, platform.engine, address, person=person)
    if json:
        render.as_json({"link": link})
        return
    render.line(link)
    render.note("open it within an hour; it works once")

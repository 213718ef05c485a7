"""Commands about one domain."""

from __future__ import annotations

from typing import Annotated

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Add domains and install their environments.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the domain: small letters, digits and _.")],
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
) -> None:
    """Add a domain with a working example: a source, contracts, dbt models, an output.

    Example: polyceph domain new sport --title "Sport"
    """
    from polyceph.scaffold.domain import write_domain
    from polyceph.settings import load_settings

    for path in write_domain(load_settings().federation, name, title or name.replace("_", " ").capitalize()):
        render.line(str(path))
    render.note(f"next: polyceph check && polyceph up, then polyceph run {name}")


@app.command()
def install(names: Annotated[list[str] | None, typer.Argument(help="Domains; all when none is named.")] = None) -> None:
    """Make the Python environment of domains anew from their locked requirements.txt.

    Example: polyceph domain install education
    """
    from polyceph.bootstrap.declared import checked_federation
    from polyceph.orchestrate.environments import install as make
    from polyceph.settings import load_settings

    settings = load_settings()
    federation = checked_federation(settings)
    for name in names or sorted(federation.domains):
        render.line(str(make(settings.state(), settings.federation / federation.domains[name].folder, name)))

"""Commands about connectors."""

from __future__ import annotations

from typing import Annotated

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See which sources can be read, and how.")


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the connectors that are installed.

    Example: polyceph connector list
    """
    from polyceph import plugins

    found = {name: plugins.load(plugins.CONNECTORS, name).summary for name in plugins.names(plugins.CONNECTORS)}
    if json:
        render.as_json(found)
    else:
        render.table("Connectors", ("name", "reads"), found.items())


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the connector.")]) -> None:
    """Print the JSON Schemas of a connector's options: of a source in domain.yaml, of a dataset in an Ingest component.

    Example: polyceph connector show postgres
    """
    from polyceph import plugins

    found = plugins.load(plugins.CONNECTORS, name)
    schemas = {"source": found.source_options.model_json_schema(), "dataset": found.dataset_options.model_json_schema()}
    render.as_json({"name": name, "summary": found.summary, **schemas})

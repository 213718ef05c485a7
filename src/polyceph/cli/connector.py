"""Commands about connectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyceph.cli import render

if TYPE_CHECKING:
    from polyceph.core.model.profile import ColumnProfile
    from polyceph.core.source_ports import SourceTable
    from polyceph.orchestrate.exploration import Looked

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See which sources can be read, and how; try one.")

_SHOWN = 50


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


@app.command("test")
def try_(
    name: Annotated[str, typer.Argument(metavar="DOMAIN/SOURCE", help="A declared source.")],
    table: Annotated[
        str | None, typer.Option(help="Show the first rows of this table, file or resource; the first one when left out.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows to show.", min=1, max=100)] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Connect to a source, list what it offers, and show the first rows with their types. Columns about persons are masked.

    Example: polyceph connector test education/register --table public.schools
    """
    from polyceph.bootstrap.source_files import given_source
    from polyceph.orchestrate.exploration import explored
    from polyceph.settings import load_settings

    settings = load_settings()
    found = explored(settings, given_source(settings, name))
    tables = found.tables()
    chosen = _chosen(name, tables, table)
    looked = found.look(chosen.options, rows=rows, shown=rows) if chosen else None
    if json:
        shown = {"columns": looked.profile.columns, "rows": looked.preview, "notes": looked.notes} if looked else None
        render.as_json(_plain({"source": name, "tables": tables, "sample": shown, "sampled": chosen.name if chosen else None}))
        return
    render.table(f"{name} offers", ("name", "rows", "description"), [(one.name, one.rows, one.description) for one in tables[:_SHOWN]])
    if len(tables) > _SHOWN:
        render.note(f"and {len(tables) - _SHOWN} more; --json lists them all")
    if looked and chosen:
        _show(chosen.name, looked)


def _chosen(source: str, tables: Sequence[SourceTable], name: str | None) -> SourceTable | None:
    from difflib import get_close_matches

    from polyceph.errors import NotFound

    if name is None:
        return tables[0] if tables else None
    found = next((one for one in tables if one.name == name), None)
    if found is None:
        near = get_close_matches(name, [one.name for one in tables], n=3)
        raise NotFound(f"{source} has no {name!r}", hint=f"did you mean {' or '.join(near)}?" if near else None)
    return found


def _show(name: str, looked: Looked) -> None:
    columns = looked.profile.columns
    types = [(one.source_name, one.source_type, one.physical_type or one.logical_type, _remark(one)) for one in columns]
    render.table(f"columns of {name}", ("column", "in the source", "in a contract", "remarks"), types)
    if looked.preview:
        render.table(f"first {len(looked.preview)} rows of {name}", [one.source_name for one in columns], looked.preview)
    for text in looked.notes:
        render.note(text)


def _remark(column: ColumnProfile) -> str:
    said = ["key" if column.primary_key else "required" if column.required else ""]
    said.append(f"{column.personal_data.value}: {column.why_personal}" if column.why_personal else "")
    return ", ".join(one for one in said if one)


def _plain(value: Any) -> Any:
    """Return dataclasses within a value as mappings."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value

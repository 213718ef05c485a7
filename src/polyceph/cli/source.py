"""Commands about the sources of domains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyceph.cli import render

if TYPE_CHECKING:
    from polyceph.orchestrate.exploration import Explored
    from polyceph.scaffold.source import NewDataset

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Add sources to a domain.")

_Name = Annotated[str, typer.Argument(metavar="DOMAIN/SOURCE", help="The domain, and what the source is called in it.")]
_Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the source; auth.kind=basic for one inside another.")
]
_Table = Annotated[list[str] | None, typer.Option("--table", help="A table, file or resource to add, as `connector test` lists it.")]


@app.command()
def add(
    name: _Name,
    connector: Annotated[str | None, typer.Option(help="The connector; left out when the source is declared already.")] = None,
    options: _Set = None,
    tables: _Table = None,
    called: Annotated[str | None, typer.Option("--as", help="Name of the dataset, for a single table.")] = None,
    rows: Annotated[int, typer.Option(help="Rows of the sample from which contracts are drafted.", min=1, max=100_000)] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files instead of writing them.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Declare a source, look into it, and draft a contract for each table you name. Everything is written, or nothing.

    Example: polyceph source add education/register --connector postgres --set host=db.example.org --set database=register
    --set user=reader --set password_env=REGISTER_PASSWORD --table public.schools
    """
    from polyceph.bootstrap.source_files import written
    from polyceph.errors import Invalid
    from polyceph.settings import load_settings

    if called and len(tables or []) != 1:
        raise Invalid("--as names the dataset of a single --table", hint="leave it out, or name one table")
    settings = load_settings()
    found, source = _explored(settings, name, connector, options or [])
    with render.progress() as progress:
        task = progress.add_task("looking into the source", total=len(tables or []) or 1)
        known = {table.name: table for table in found.tables()} if tables or connector else {}
        datasets = []
        for table in tables or []:
            datasets.append(_dataset(found, known, table, called=called, rows=rows))
            progress.advance(task)
    files = written(settings, source, datasets, is_dry=dry_run)
    _say(files, found.folder, is_dry=dry_run, json=json)


def _explored(settings: Any, name: str, connector: str | None, given: Sequence[str]) -> tuple[Explored, Any]:
    from polyceph.bootstrap.source_files import given_source
    from polyceph.orchestrate.exploration import explored

    source = given_source(settings, name, connector=connector, options=_options(given))
    return explored(settings, source), source


def _options(given: Sequence[str]) -> dict[str, Any]:
    """Return options from words `key=value`; a value is YAML, a dot leads inside."""
    import yaml

    from polyceph.errors import Invalid

    made: dict[str, Any] = {}
    for word in given:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise Invalid(f"--set {key!r} gives no value", hint="write --set KEY=VALUE")
        here = made
        *outer, last = key.split(".")
        for part in outer:
            here = here.setdefault(part, {})
        here[last] = yaml.safe_load(text)
    return made


def _dataset(found: Explored, known: dict[str, Any], table: str, *, called: str | None, rows: int) -> NewDataset:
    from difflib import get_close_matches

    from polyceph.errors import Invalid, NotFound
    from polyceph.scaffold.source import NewDataset, dataset_name

    if table not in known:
        near = get_close_matches(table, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "polyceph connector test DOMAIN/SOURCE lists them"
        raise NotFound(f"the source has no {table!r}", hint=hint)
    looked = found.look(known[table].options, rows=rows)
    if not looked.profile.columns:
        raise Invalid(f"{table} has no columns", hint="nothing was written")
    return NewDataset(called or dataset_name(table), known[table].options, looked.profile)


def _say(files: dict[Path, str], folder: Path, *, is_dry: bool, json: bool) -> None:
    if json:
        render.as_json({"written": not is_dry, "files": {str(path): text for path, text in files.items()}})
        return
    for path, text in files.items():
        render.line(f"{'would write' if is_dry else 'wrote'} {path.relative_to(folder)}")
        if is_dry:
            render.line(text)
    render.note("next: review the drafted contracts, then polyceph check")

"""Commands about the federation as it is declared: init, check, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyceph.cli import render


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(init)
    app.command()(check)
    app.command()(schema)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    name: Annotated[str | None, typer.Option(help="Name of the federation; the folder's name when left out.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Language of titles: fr, nl, de, en; may be repeated.")] = None,
) -> None:
    """Make a new federation folder.

    Example: polyceph init my_federation --language fr --language en
    """
    from polyceph.scaffold.federation import write_federation

    for path in write_federation(folder, name or folder.resolve().name, tuple(language or ("fr", "en"))):
        render.line(str(path))
    render.note(f"next: cd {folder} && polyceph domain new NAME")


def check(
    defs: Annotated[bool, typer.Option("--defs", help="Also load every domain's code, as its code location will.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check everything that can be known without running: declarations, contracts, rules.

    Example: polyceph check --defs
    """
    from polyceph.bootstrap.declared import checked_federation
    from polyceph.settings import load_settings

    settings = load_settings()
    found = checked_federation(settings)
    if defs:
        from polyceph.orchestrate.preflight import check_definitions

        check_definitions(settings, found)
    datasets = sum(len(d.datasets) for d in found.domains.values())
    if json:
        render.as_json({"domains": len(found.domains), "datasets": datasets, "warnings": [str(w) for w in found.warnings]})
        return
    for warning in found.warnings:
        render.line(f"warning: {warning}")
    domains = f"{len(found.domains)} domain{'' if len(found.domains) == 1 else 's'}"
    render.line(f"{found.name}: {domains}, {datasets} datasets, nothing is wrong")


def schema(
    name: Annotated[str | None, typer.Argument(help="One schema: federation, domain, contract, components.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all schemas into this folder, for editors.")] = None,
) -> None:
    """Print or write the JSON Schemas of the declarations.

    Example: polyceph schema --out .schemas
    """
    from polyceph.bootstrap.declared import published_schemas
    from polyceph.errors import NotFound

    schemas = published_schemas()
    if out is not None:
        import json

        out.mkdir(parents=True, exist_ok=True)
        for key, value in schemas.items():
            path = out / f"{key}.schema.json"
            path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            render.line(str(path))
    elif name is None:
        render.as_json(schemas)
    elif name in schemas:
        render.as_json(schemas[name])
    else:
        raise NotFound(f"there is no schema {name!r}", hint=f"schemas are {', '.join(sorted(schemas))}")

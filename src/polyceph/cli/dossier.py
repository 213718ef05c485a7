"""The command that makes the dossier of a dataset and a period."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyceph.cli import render

_DAY = "YYYY-MM-DD, or with a time: 2026-11-24T08:00; in UTC."


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(dossier)


def dossier(
    dataset: Annotated[str, typer.Argument(help="Which dataset: domain.zone.name.")],
    since: Annotated[str, typer.Option("--from", help=f"First moment of the period: {_DAY}")],
    until: Annotated[str, typer.Option("--to", help=f"First moment after the period, not in it any more: {_DAY}")],
    out: Annotated[Path | None, typer.Option(help="New file, a zip; named after dataset and period when left out.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the auditor's dossier: who could read a dataset in a period, who did, who changed what on whose decision, with proofs.

    Example: polyceph dossier education.gold.pupils_by_municipality --from 2026-10-01 --to 2026-11-01
    """
    from polyceph.bootstrap.dossier import Wanted, make_dossier
    from polyceph.bootstrap.platform import join_platform
    from polyceph.bootstrap.review import moment
    from polyceph.settings import load_settings

    wanted = Wanted(dataset, moment(since), moment(until), out)
    platform = join_platform(load_settings())
    with render.progress() as display:
        task = display.add_task("verify", total=None)
        done = make_dossier(platform, wanted, heard=lambda made, total: display.update(task, completed=made, total=total))
    if json:
        render.as_json(done)
    else:
        render.line(f"{done['file']}: {done['events']} events, SHA-256 {done['sha256']}")
    if not done["whole"]:
        render.note("THE JOURNAL IS NOT WHOLE, and the dossier says so: polyceph journal verify")
        raise typer.Exit(1)

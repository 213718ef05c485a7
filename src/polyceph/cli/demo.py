"""The command `polyceph demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from polyceph.cli import render
from polyceph.cli.platform import run_plan, show_outcomes, stop_on_signals


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Verify the result, stop everything and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    scale: Annotated[int, typer.Option(help="Size of the sources; 1 is 50,000 rows.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="The same seed makes the same sources.")] = 2025,
    folder: Annotated[Path, typer.Option(help="Where the demo federation is kept.")] = Path(".polyceph/demo"),
) -> None:
    """Run a federation of four domains end to end on generated sources, and show it.

    Example: polyceph demo --once --json
    """
    from polyceph.orchestrate import demonstration, runs, services
    from polyceph.settings import load_settings

    began = time.monotonic()
    stop_on_signals()
    settings = load_settings(federation=folder)
    services.refuse_second_start(settings)
    demonstration.place_federation(folder)
    made: list[Any] = []

    def prepare(platform: Any) -> None:
        made.append(demonstration.prepare_sources(platform, seed=seed, scale=scale))

    running = services.start(settings, heard=render.note, prepare=prepare)
    try:
        ran = time.monotonic()
        outcomes = run_plan(running.platform, running.launcher, runs.plan(running.platform.federation, ()))
        result = demonstration.measured(running, outcomes, made[0], began=began, ran=ran)
        render.as_json(vars(result)) if json else _show(result, outcomes)
        if not once:
            _stay(running)
    except KeyboardInterrupt:
        render.note("stopping")
        return
    finally:
        running.stop()
    if result.wrong:
        raise typer.Exit(1)


def _stay(running: Any) -> None:
    render.note(f"open {running.address} ; Ctrl-C stops everything")
    while True:
        time.sleep(5)
        running.record()


def _show(result: Any, outcomes: list[Any]) -> None:
    show_outcomes(outcomes)
    zones = [(zone, number, result.rows_by_zone.get(zone)) for zone, number in result.datasets_by_zone.items()]
    render.table(f"{len(result.domains)} domains, {result.datasets} datasets", ("zone", "datasets", "rows"), zones)
    outputs = [(name, one["rows"], one["address"]) for name, one in result.outputs.items()]
    render.table("Outputs served", ("output", "rows", "where"), outputs)
    render.line(f"checks: {result.checks['passed']} passed, {result.checks['failed']} failed; {result.events} events in the journal")
    render.line(f"pipelines {result.seconds} s after {result.start_seconds} s of start; at most {result.peak_mb} MiB of memory")
    render.line(f"Dagster: {result.address} (this machine only)")
    for problem in result.wrong:
        render.line(f"WRONG: {problem}")

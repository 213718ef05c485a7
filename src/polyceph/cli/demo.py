"""The command `polyceph demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from polyceph.cli import render
from polyceph.cli.platform import run_plan, say_first_link, show_outcomes, stop_on_signals


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Verify the result, stop everything and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    month: Annotated[str | None, typer.Option(help="Play time on to a month, YYYY-MM.", metavar="MONTH")] = None,
    scale: Annotated[int, typer.Option(help="Size of the sources; 1 is about 200,000 rows.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="The same seed makes the same sources.")] = 2025,
    folder: Annotated[Path, typer.Option(help="Where the demo federation is kept.")] = Path(".polyceph/demo"),
) -> None:
    """Run a federation of six domains end to end on generated sources, and hold what was found against what was planted.

    Example: polyceph demo --once --month 2025-11
    """
    from polyceph.orchestrate import runs, services
    from polyceph.orchestrate.demo import place, result, systems
    from polyceph.settings import load_settings

    began = time.monotonic()
    stop_on_signals()
    scenario = place.scenario_of(folder, seed=seed, scale=scale, month=month)
    settings = load_settings(federation=folder, today=scenario.today)
    services.refuse_second_start(settings)
    place.place_federation(folder, scenario)
    planted: list[Any] = []

    def prepare(platform: Any, supervisor: Any) -> None:
        planted.append(systems.prepare_systems(platform, supervisor, scenario))

    running = services.start(settings, heard=render.note, prepare=prepare)
    try:
        ran = time.monotonic()
        outcomes = run_plan(running.platform, running.launcher, runs.plan(running.platform.federation, ()))
        found = result.measured(running, outcomes, planted[0], began=began, ran=ran)
        render.as_json(found.document()) if json else _show(found, outcomes)
        if not once:
            _stay(running)
    except KeyboardInterrupt:
        render.note("stopping")
        return
    finally:
        running.stop()
    if found.wrong:
        raise typer.Exit(1)


def _stay(running: Any) -> None:
    render.note(f"open {running.address} ; Ctrl-C stops everything")
    say_first_link(running.platform, running.address)
    while True:
        time.sleep(5)
        running.record()


def _show(result: Any, outcomes: list[Any]) -> None:
    show_outcomes(outcomes)
    zones = [(zone, number, result.rows_by_zone.get(zone)) for zone, number in result.datasets_by_zone.items()]
    render.table(f"{len(result.domains)} domains, {result.datasets} datasets", ("zone", "datasets", "rows"), zones)
    outputs = [(name, one["rows"], one["address"]) for name, one in result.outputs.items()]
    render.table("Outputs served", ("output", "rows", "where"), outputs)
    facts = [(one.kind, one.planted, "" if one.found is None else one.found, one.by) for one in result.findings]
    render.table("Planted, and found", ("what", "planted", "found", "by"), facts)
    checks = ", ".join(f"{number} {how}" for how, number in result.checks.items())
    render.line(f"checks: {checks}; {result.events} events in the journal")
    render.line(f"pipelines {result.seconds} s after {result.start_seconds} s of start; at most {result.peak_mb} MiB of memory")
    render.line(f"pages: {result.address} (this machine only)")
    for domain, reason in result.excused.items():
        render.line(f"{domain} is stopped by what was planted: {reason}")
    for problem in result.wrong:
        render.line(f"WRONG: {problem}")

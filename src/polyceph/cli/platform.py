"""Commands about the running platform: up, down, run, status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Annotated, Any

import typer

from polyceph.cli import render

_RECORD_S = 5.0
_DETACH_S = 300.0
_STOP_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(up)
    app.command()(down)
    app.command()(run)
    app.command()(status)


def up(detach: Annotated[bool, typer.Option("--detach", help="Return when everything runs; stop it with polyceph down.")] = False) -> None:
    """Start PostgreSQL, the code locations, the daemon and the pages, and keep them running.

    Example: polyceph up --detach
    """
    from polyceph.orchestrate.services import start
    from polyceph.settings import load_settings

    settings = load_settings()
    if detach:
        _detach(settings)
        return
    stop_on_signals()
    running = start(settings, heard=render.note)
    try:
        say_running(running)
        while True:
            time.sleep(_RECORD_S)
            running.record()
    except KeyboardInterrupt:
        render.note("stopping")
    finally:
        running.stop()


def _detach(settings: Any) -> None:
    from polyceph.errors import Unavailable
    from polyceph.orchestrate.services import refuse_second_start, running_process
    from polyceph.orchestrate.supervisor import last_lines

    refuse_second_start(settings)
    log = settings.state() / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "polyceph.cli", "up"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    end = time.monotonic() + _DETACH_S
    while time.monotonic() < end and child.poll() is None:
        found = running_process(settings)
        if found is not None and found[1]["address"]:
            render.line(f"running at {found[1]['address']}")
            _say_link_of(settings, str(found[1]["address"]))
            return
        time.sleep(0.2)
    raise Unavailable("the federation did not start", hint=f"end of {log}:\n{last_lines(log)}")


def _say_link_of(settings: Any, address: str) -> None:
    from polyceph.bootstrap.platform import join_platform

    if sys.stdout.isatty():
        say_first_link(join_platform(settings), address)


def stop_on_signals() -> None:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that every process we started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def say_running(running: Any) -> None:
    """Print where the federation is reached and which domains could not be started."""
    render.line(f"{running.platform.federation.name} runs at {running.address} (this machine only)")
    for domain, reason in sorted(running.left_out.items()):
        render.line(f"{domain} does not run: {reason}")
    say_first_link(running.platform, running.address)


def say_first_link(platform: Any, address: str) -> None:
    """Print how to sign in for the first time. The link itself is a secret: it goes to a terminal, never into a log."""
    from polyceph.bootstrap.accounts import first_link

    if not sys.stdout.isatty():
        return
    link = first_link(platform.settings, platform.federation, platform.engine, address)
    if link is not None:
        render.line(f"sign in for the first time, within the hour: {link}")


def down() -> None:
    """Stop a federation that runs on this machine, and every process it started.

    Example: polyceph down
    """
    from polyceph.errors import Unavailable
    from polyceph.orchestrate.services import running_process
    from polyceph.settings import load_settings

    found = running_process(load_settings())
    if found is None:
        render.line("it does not run")
        return
    process, _ = found
    process.terminate()
    try:
        process.wait(_STOP_S)
    except Exception as error:
        raise Unavailable(f"process {process.pid} has not stopped after {_STOP_S:.0f} s", hint=f"kill {process.pid}") from error
    render.line("stopped")


def run(
    what: Annotated[list[str] | None, typer.Argument(help="Domains or datasets: education, education/pupils, education.gold.x.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run pipelines of the running federation in the order in which domains feed each other, and wait for them.

    Example: polyceph run education
    """
    from polyceph.bootstrap.platform import join_platform
    from polyceph.errors import PolycephError
    from polyceph.orchestrate import runs, services
    from polyceph.settings import load_settings

    settings = load_settings()
    launcher = services.launcher_of(settings)
    platform = join_platform(settings)
    try:
        plan = runs.plan(platform.federation, tuple(what or ()))
    except PolycephError as error:
        platform.refuse_run(what or (), error)
        raise
    outcomes = run_plan(platform, launcher, plan)
    if json:
        render.as_json({"runs": [vars(o) for o in outcomes]})
    else:
        show_outcomes(outcomes)
    if any(o.status != "SUCCESS" for o in outcomes):
        raise typer.Exit(1)


def run_plan(platform: Any, launcher: Any, plan: Any) -> list[Any]:
    """Run a plan with a progress display; every request and its end are recorded."""
    from polyceph.orchestrate import runs

    recorded = runs.Recorded(launcher, platform)
    with render.progress() as display:
        tasks = {d: display.add_task(f"{d}: waiting", total=None) for d in plan.datasets}

        def heard(domain: str, news: str) -> None:
            if "/" in news:
                made, planned = (int(part) for part in news.split("/"))
                display.update(tasks[domain], description=f"{domain}: running", completed=made, total=planned or None)
            elif news == "started":
                display.update(tasks[domain], description=f"{domain}: running")
            else:
                total = display.tasks[tasks[domain]].total or 1
                completed = total if news == "SUCCESS" else display.tasks[tasks[domain]].completed
                display.update(tasks[domain], description=f"{domain}: {news}", total=total, completed=completed)

        most = platform.settings.limits.runs_at_once or max(2, os.cpu_count() or 1)
        outcomes = runs.execute(recorded, plan, tags={}, heard=heard, most=most)
    platform.record_snapshots()
    platform.record_readings()
    platform.record_drifts()
    return outcomes


def show_outcomes(outcomes: list[Any]) -> None:
    """Print how runs ended, and the reason of each that did not succeed."""
    rows = [(o.domain, o.status, o.seconds, o.checks_passed, o.checks_warned, o.checks_failed - o.checks_warned, o.run) for o in outcomes]
    render.table("Runs", ("domain", "ended", "seconds", "checks passed", "warned", "failed", "run"), rows)
    for one in outcomes:
        if one.error:
            render.note(f"{one.domain}: {one.error}")


def status(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Say what runs, and which domains cannot and why.

    Example: polyceph status --json
    """
    from polyceph.bootstrap.rights import lasting_emergencies
    from polyceph.errors import PolycephError
    from polyceph.orchestrate.confinement import described
    from polyceph.orchestrate.services import launcher_of, running_process
    from polyceph.settings import load_settings

    settings = load_settings()
    found = running_process(settings)
    if found is None:
        render.as_json({"running": False}) if json else render.line("it does not run; start it with polyceph up")
        return
    process, known = found
    if known["address"] is None:
        state = {"running": False, "starting": True, "pid": process.pid}
        render.as_json(state) if json else render.line(f"it is starting (process {process.pid})")
        return
    address = str(known["address"])
    try:
        domains = {name: reason or "runs" for name, reason in launcher_of(settings).locations().items()}
    except PolycephError as error:
        domains = {"web": error.message}
    domains |= {k: str(v) for k, v in dict(known["left_out"]).items() if k not in domains}  # type: ignore[call-overload]
    lasting = [f"{one.person} in {one.domain} until {one.until:%Y-%m-%d %H:%M} UTC" for one in lasting_emergencies(load_settings())]
    if json:
        running: dict[str, Any] = {"running": True, "pid": process.pid, "address": address, "confinement": described(settings)}
        render.as_json({**running, "domains": domains, "emergencies": lasting})
        return
    render.line(f"runs at {address} (process {process.pid})")
    render.line(f"domains are kept apart: {described(settings)}")
    render.table("Domains", ("domain", "state"), sorted(domains.items()))
    for one in lasting:
        render.line(f"emergency access: {one}")

"""Runs of several domains in the order in which they feed each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.federation import Federation
from polyceph.core.ports import RunLauncher, RunOutcome, SeenRun
from polyceph.core.usecases.runs import REQUEST_TAG
from polyceph.errors import Invalid, NotFound, PolycephError, Unavailable
from polyceph.logs import log

_POLL_S = 0.5
_TOLD_S = 4.0
"""Between two looks at how far a run is: serving that takes a tenth of a second, which the runs themselves then lack."""
_PATIENCE_S = 120.0
"""How long nobody may answer before a run is left to itself: a serving process that is restarted needs half a minute."""
SKIPPED = "SKIPPED"
UNKNOWN = "UNKNOWN"
Heard = Callable[[str, str], None]


@dataclass(frozen=True)
class Plan:
    """What to make, by domain; an empty tuple means everything the domain makes. `after` names what must end first."""

    datasets: Mapping[str, tuple[DatasetId, ...]]
    after: Mapping[str, frozenset[str]]


@dataclass
class _Progress:
    waiting: set[str]
    running: dict[str, str] = field(default_factory=dict)
    done: dict[str, RunOutcome] = field(default_factory=dict)
    silent_since: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)


def plan(federation: Federation, wanted: tuple[str, ...]) -> Plan:
    """Return the plan for arguments such as `education`, `education/pupils`, `education.gold.pupils`; all when there are none.

    Raises:
        NotFound: a domain or dataset that is not declared; the message names those that are.
        Invalid: domains consume from each other in a circle.
    """
    chosen: dict[str, tuple[DatasetId, ...]] = {}
    for text in wanted or tuple(federation.domains):
        domain, datasets = _chosen(federation, text)
        whole = domain in chosen and not chosen[domain]
        chosen[domain] = () if whole or not datasets else tuple(dict.fromkeys(chosen.get(domain, ()) + datasets))
    after = {d: frozenset(c.domain for c in federation.domains[d].consumes) & chosen.keys() for d in chosen}
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise Invalid(f"domains consume from each other in a circle: {circle}", hint="run one of them, or datasets of it, alone") from error
    return Plan(chosen, after)


def _chosen(federation: Federation, text: str) -> tuple[str, tuple[DatasetId, ...]]:
    name, _, rest = text.partition("/") if "/" in text else text.partition(".")
    if name not in federation.domains:
        raise NotFound(f"domain {name!r} is not declared", hint=f"domains are {', '.join(sorted(federation.domains))}")
    if not rest:
        return name, ()
    known = federation.domains[name].datasets
    found = tuple(d for d in known if rest in (d.name, f"{d.zone}.{d.name}"))
    if not found:
        raise NotFound(f"{name} has no dataset {rest!r}", hint=f"datasets are {', '.join(sorted(str(d) for d in known))}")
    return name, found


def execute(
    launcher: RunLauncher, what: Plan, *, tags: Mapping[str, str], heard: Heard, patience_s: float = _PATIENCE_S, most: int = 64
) -> list[RunOutcome]:
    """Run the plan, at most so many domains side by side, and return every outcome.

    A domain whose run cannot start or fails does not stop the others; those that consume from it are skipped and say so.
    A run about which nobody answers for `patience_s` ends as UNKNOWN: it goes on, and what is known of the others is returned.
    `heard(domain, news)` is told "started", "3/12" (datasets made of those to make), "SUCCESS", "FAILURE", "SKIPPED", "UNKNOWN".
    """
    state = _Progress(set(what.datasets))
    while state.waiting or state.running:
        for domain in sorted(state.waiting, key=lambda name: (-_awaited(what, name), name)):
            if what.after[domain] <= state.done.keys() and len(state.running) < most:
                state.waiting.discard(domain)
                _start(launcher, domain, what, state, tags=tags, heard=heard)
        for domain in list(state.running):
            outcome = _outcome(launcher, domain, state, patience_s)
            if outcome is not None:
                del state.running[domain]
                state.done[domain] = outcome
                heard(domain, outcome.status)
            else:
                _tell_progress(launcher, domain, state, heard)
        time.sleep(_POLL_S if state.running else 0)
    return list(state.done.values())


def _awaited(what: Plan, domain: str) -> int:
    """Return how many domains wait for this one: it begins before others."""
    return sum(domain in others for others in what.after.values())


def _outcome(launcher: RunLauncher, domain: str, state: _Progress, patience_s: float) -> RunOutcome | None:
    run = state.running[domain]
    try:
        outcome = launcher.outcome(run)
    except Unavailable as error:
        if time.monotonic() - state.silent_since.setdefault(domain, time.monotonic()) < patience_s:
            return None
        return RunOutcome(run, domain, UNKNOWN, 0.0, error=f"{error.message}; see polyceph status, the run may go on")
    except PolycephError as error:
        return RunOutcome(run, domain, UNKNOWN, 0.0, error=str(error))
    state.silent_since.pop(domain, None)
    return outcome


def _tell_progress(launcher: RunLauncher, domain: str, state: _Progress, heard: Heard) -> None:
    now = time.monotonic()
    if now - state.told.get(domain, 0.0) < _TOLD_S:
        return
    state.told[domain] = now
    with suppress(PolycephError):  # a bar that stands still does no harm
        heard(domain, "{}/{}".format(*launcher.progress(state.running[domain])))


def _start(launcher: RunLauncher, domain: str, what: Plan, state: _Progress, *, tags: Mapping[str, str], heard: Heard) -> None:
    broken = sorted(up for up in what.after[domain] if state.done[up].status != "SUCCESS")
    if broken:
        reason = f"not run, because {', '.join(broken)} did not succeed"
        state.done[domain] = RunOutcome("", domain, SKIPPED, 0.0, error=reason)
        heard(domain, SKIPPED)
        return
    try:
        state.running[domain] = launcher.launch(domain, what.datasets[domain], tags)
        heard(domain, "started")
    except PolycephError as error:
        state.done[domain] = RunOutcome("", domain, "FAILURE", 0.0, error=str(error))
        heard(domain, "FAILURE")


class RunBook(Protocol):
    """Who keeps what was asked for, which run it became and how that ended."""

    def request_run(self, domain: str, datasets: tuple[DatasetId, ...]) -> str:
        """Keep who asks for a run and return the id of the request."""
        ...

    def launch_run(self, request: str, run: str) -> None:
        """Keep which run answers a request."""
        ...

    def finish_run(self, request: str, outcome: RunOutcome) -> None:
        """Keep how a requested run ended."""
        ...


class Recorded:
    """A launcher whose every request is recorded before it launches, and whose every outcome is; what cannot be recorded is not run.

    The run carries its request as a tag, so that it is found again when this process ends between the two.
    """

    def __init__(self, launcher: RunLauncher, book: RunBook) -> None:
        self._launcher = launcher
        self._book = book
        self._requests: dict[str, str] = {}

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        """Keep who asks for a run, start it and return its id."""
        request = self._book.request_run(domain, datasets)
        try:
            run = self._launcher.launch(domain, datasets, {**tags, REQUEST_TAG: request})
        except Unavailable:
            raise  # it may have been launched all the same: the request stays open until its run is seen, or was not for long enough
        except PolycephError as error:
            self._book.finish_run(request, RunOutcome("", domain, "FAILURE", 0.0, error=str(error)))
            raise
        self._requests[run] = request
        try:
            self._book.launch_run(request, run)
        except Unavailable as error:
            log.warning("run %s goes on and is recorded later: %s", run, error.message)
        return run

    def progress(self, run: str) -> tuple[int, int]:
        """Return how far a run is."""
        return self._launcher.progress(run)

    def outcome(self, run: str) -> RunOutcome | None:
        """Return how a run ended, and keep it."""
        outcome = self._launcher.outcome(run)
        if outcome is not None:
            self._book.finish_run(self._requests[run], outcome)
        return outcome

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        """Return the runs that changed after a moment."""
        return self._launcher.updated_runs(since)

"""Runs of several domains in the order in which they feed each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.federation import Federation
from polyceph.core.ports import RunLauncher, RunOutcome
from polyceph.errors import Invalid, NotFound, PolycephError

_POLL_S = 0.3
SKIPPED = "SKIPPED"
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


def plan(federation: Federation, wanted: tuple[str, ...]) -> Plan:
    """Return the plan for arguments such as `education`, `education/pupils`, `education.gold.pupils`; all when there are none.

    Raises:
        NotFound: a domain or dataset that is not declared; the message names those that are.
    """
    chosen: dict[str, tuple[DatasetId, ...]] = {}
    for text in wanted or tuple(federation.domains):
        domain, datasets = _chosen(federation, text)
        whole = domain in chosen and not chosen[domain]
        chosen[domain] = () if whole or not datasets else tuple(dict.fromkeys(chosen.get(domain, ()) + datasets))
    after = {d: frozenset(c.domain for c in federation.domains[d].consumes) & chosen.keys() for d in chosen}
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


def execute(launcher: RunLauncher, what: Plan, *, tags: Mapping[str, str], heard: Heard) -> list[RunOutcome]:
    """Run the plan, domains side by side where they may, and return every outcome.

    A domain whose run cannot start or fails does not stop the others; those that consume from it are skipped and say so.
    `heard(domain, news)` is told "started", "SUCCESS", "FAILURE", "SKIPPED".
    """
    state = _Progress(set(what.datasets))
    while state.waiting or state.running:
        for domain in sorted(state.waiting):
            if what.after[domain] <= state.done.keys():
                state.waiting.discard(domain)
                _start(launcher, domain, what, state, tags=tags, heard=heard)
        for domain, run in list(state.running.items()):
            outcome = launcher.outcome(run)
            if outcome is not None:
                del state.running[domain]
                state.done[domain] = outcome
                heard(domain, outcome.status)
        if state.waiting and not state.running and not any(what.after[d] <= state.done.keys() for d in state.waiting):
            raise Invalid(f"domains consume from each other in a circle: {', '.join(sorted(state.waiting))}")
        time.sleep(_POLL_S if state.running else 0)
    return list(state.done.values())


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
    """Who keeps what was asked for and how it ended."""

    def request_run(self, run: str, domain: str, datasets: tuple[DatasetId, ...]) -> None:
        """Keep who asked for a run."""
        ...

    def finish_run(self, outcome: RunOutcome) -> None:
        """Keep how a requested run ended."""
        ...


class Recorded:
    """A launcher whose every request and outcome is recorded; a run that cannot be recorded is not waited for."""

    def __init__(self, launcher: RunLauncher, book: RunBook) -> None:
        self._launcher = launcher
        self._book = book

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        """Start a run and keep who asked for it."""
        run = self._launcher.launch(domain, datasets, tags)
        self._book.request_run(run, domain, datasets)
        return run

    def outcome(self, run: str) -> RunOutcome | None:
        """Return how a run ended, and keep it."""
        outcome = self._launcher.outcome(run)
        if outcome is not None:
            self._book.finish_run(outcome)
        return outcome

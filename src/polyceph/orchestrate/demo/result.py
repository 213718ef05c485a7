"""What the demo did, verified against the lakes, the outputs, the journal and what was planted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from polyceph.bootstrap.platform import Platform
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import EventFilter
from polyceph.core.ports import CheckOutcome, RunOutcome
from polyceph.errors import NotFound
from polyceph.orchestrate.demo.findings import Finding, compare
from polyceph.orchestrate.runs import SKIPPED
from polyceph.orchestrate.services import Running
from polyceph.testing.federation.truth import Truth

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class DemoResult:
    """What the demo did. `seconds` is the time of the pipelines alone; `start_seconds` what came before them."""

    domains: tuple[str, ...]
    datasets: int
    rows_by_zone: Mapping[str, int]
    datasets_by_zone: Mapping[str, int]
    checks: Mapping[str, int]
    outputs: Mapping[str, Mapping[str, object]]
    events: int
    address: str
    start_seconds: float
    seconds: float
    peak_mb: int
    findings: tuple[Finding, ...]
    excused: Mapping[str, str]
    """Domains that something planted has stopped, and what: a source that changed its form, a person who left."""
    wrong: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """Return the result as JSON holds it."""
        return asdict(self)


def measured(running: Running, outcomes: Sequence[RunOutcome], truth: Truth, *, began: float, ran: float) -> DemoResult:
    """Return what the demo did, verified against the lakes, the outputs and the journal. Times are of `time.monotonic`."""
    ended = time.monotonic()
    platform = running.platform
    checks = [check for one in outcomes if one.run for check in running.launcher.checks(one.run)]
    excused = _excused(running, outcomes, truth, checks)
    findings = compare(platform, truth, checks, excused)
    datasets = [d for domain in platform.federation.domains.values() for d in domain.datasets]
    rows, wrong = _rows(platform, datasets, excused)
    outputs = _outputs(platform, datasets, excused, wrong)
    wrong.extend(f"{f.kind}: {f.found} of {f.planted} found, {f.unplanted} that nobody planted" for f in findings if f.is_broken)
    _verify(running, [one for one in outcomes if one.domain not in excused], excused, wrong)
    warned = sum(o.checks_warned for o in outcomes)
    failed = sum(o.checks_failed for o in outcomes) - warned
    return DemoResult(
        domains=tuple(sorted(platform.federation.domains)),
        datasets=len(datasets),
        rows_by_zone={z: sum(n for d, n in rows.items() if d.zone == z) for z in Zone if z != Zone.OUTPUT},
        datasets_by_zone={z: sum(d.zone == z for d in datasets) for z in Zone},
        checks={"passed": sum(o.checks_passed for o in outcomes), "warned": warned, "failed": failed},
        outputs=outputs,
        events=len(platform.queries().events(EventFilter(limit=1_000_000))),
        address=running.address,
        start_seconds=round(ran - began, 1),
        seconds=round(ended - ran, 1),
        peak_mb=running.supervisor.peak_bytes // _MEBIBYTE,
        findings=findings,
        excused=excused,
        wrong=tuple(wrong),
    )


def _excused(running: Running, outcomes: Sequence[RunOutcome], truth: Truth, checks: Sequence[CheckOutcome]) -> Mapping[str, str]:
    """Return the domains that are stopped by what was planted, and by what: a source of another form, or a person who left."""
    drifted = {entry["dataset"] for entry in truth.of("drift")}
    found = {c.dataset.domain: f"{c.dataset} changed its form" for c in checks if str(c.dataset) in drifted and not c.passed}
    gone = [(role["domain"], entry["person"]) for entry in truth.of("move") for role in entry["roles"]]
    found |= {domain: f"{person} left" for domain, person in gone if person in running.left_out.get(domain, "")}
    domains = running.platform.federation.domains
    for one in outcomes:  # in the order in which they ended: those that others wait for come first
        stopped = found.keys() & {consumed.domain for consumed in domains[one.domain].consumes}
        if one.status == SKIPPED and stopped:
            found[one.domain] = f"it waits for {', '.join(sorted(stopped))}"
    return found


def _rows(platform: Platform, datasets: Sequence[DatasetId], excused: Mapping[str, str]) -> tuple[dict[DatasetId, int], list[str]]:
    rows: dict[DatasetId, int] = {}
    wrong: list[str] = []
    for name in platform.federation.domains:
        lake = platform.lake(name)
        for dataset in (d for d in datasets if d.domain == name and d.zone != Zone.OUTPUT):
            try:
                rows[dataset] = lake.facts(dataset).rows or 0
            except NotFound:
                wrong.extend([f"{dataset} is declared and not in the lake"] if name not in excused else [])
                continue
            if not rows[dataset]:
                wrong.append(f"{dataset} is empty")
        wrong.extend(f"snapshot {s.snapshot} of {name} does not say who made it" for s in lake.snapshots(0) if not s.author)
    return rows, wrong


def _outputs(
    platform: Platform, datasets: Sequence[DatasetId], excused: Mapping[str, str], wrong: list[str]
) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for dataset in (d for d in datasets if d.zone == Zone.OUTPUT):
        served = platform.served(dataset)
        if served is not None and served["rows"]:
            found[str(dataset)] = served
        elif dataset.domain not in excused:
            wrong.append(f"{dataset} is not served")
    return found


def _verify(running: Running, outcomes: Sequence[RunOutcome], excused: Mapping[str, str], wrong: list[str]) -> None:
    wrong.extend(f"{o.domain} ended with {o.status}: {o.error or 'no reason given'}" for o in outcomes if o.status != "SUCCESS")
    wrong.extend(f"{o.domain}: {o.checks_failed - o.checks_warned} checks failed" for o in outcomes if o.checks_failed > o.checks_warned)
    wrong.extend(f"{domain} does not run: {reason}" for domain, reason in running.left_out.items() if domain not in excused)
    missing = running.platform.federation.domains.keys() - {o.domain for o in outcomes} - excused.keys()
    wrong.extend(f"{domain} was not run" for domain in sorted(missing))
    if not running.platform.queries().events(EventFilter(action="snapshot.committed", limit=1)):
        wrong.append("the journal holds no snapshot")

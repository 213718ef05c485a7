"""What the demo did, verified against the lakes, the outputs, the journal and what was planted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from polyceph.bootstrap.platform import Platform
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import EventFilter
from polyceph.core.ports import RunOutcome
from polyceph.errors import NotFound
from polyceph.orchestrate.demo.findings import Finding, compare
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
    wrong: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """Return the result as JSON holds it."""
        return asdict(self)


def measured(running: Running, outcomes: Sequence[RunOutcome], truth: Truth, *, began: float, ran: float) -> DemoResult:
    """Return what the demo did, verified against the lakes, the outputs and the journal. Times are of `time.monotonic`."""
    ended = time.monotonic()
    platform = running.platform
    datasets = [d for domain in platform.federation.domains.values() for d in domain.datasets]
    rows, wrong = _rows(platform, datasets)
    outputs = _outputs(platform, datasets, wrong)
    findings = compare(platform, truth, [c for o in outcomes if o.run for c in running.launcher.checks(o.run)])
    wrong.extend(f"{f.kind}: {f.unplanted} found that nobody planted" for f in findings if f.unplanted)
    wrong.extend(f"{f.kind}: {f.found} of {f.planted} found" for f in findings if f.found is not None and f.found < f.planted)
    events = len(platform.queries().events(EventFilter(limit=1_000_000)))
    _verify(running, outcomes, wrong)
    warned = sum(o.checks_warned for o in outcomes)
    failed = sum(o.checks_failed for o in outcomes) - warned
    checks = {"passed": sum(o.checks_passed for o in outcomes), "warned": warned, "failed": failed}
    return DemoResult(
        domains=tuple(sorted(platform.federation.domains)),
        datasets=len(datasets),
        rows_by_zone={z: sum(n for d, n in rows.items() if d.zone == z) for z in Zone if z != Zone.OUTPUT},
        datasets_by_zone={z: sum(d.zone == z for d in datasets) for z in Zone},
        checks=checks,
        outputs=outputs,
        events=events,
        address=running.address,
        start_seconds=round(ran - began, 1),
        seconds=round(ended - ran, 1),
        peak_mb=running.supervisor.peak_bytes // _MEBIBYTE,
        findings=findings,
        wrong=tuple(wrong),
    )


def _rows(platform: Platform, datasets: Sequence[DatasetId]) -> tuple[dict[DatasetId, int], list[str]]:
    rows: dict[DatasetId, int] = {}
    wrong: list[str] = []
    for name in platform.federation.domains:
        lake = platform.lake(name)
        for dataset in (d for d in datasets if d.domain == name and d.zone != Zone.OUTPUT):
            try:
                rows[dataset] = lake.facts(dataset).rows or 0
            except NotFound:
                wrong.append(f"{dataset} is declared and not in the lake")
                continue
            if not rows[dataset]:
                wrong.append(f"{dataset} is empty")
        wrong.extend(f"snapshot {s.snapshot} of {name} does not say who made it" for s in lake.snapshots(0) if not s.author)
    return rows, wrong


def _outputs(platform: Platform, datasets: Sequence[DatasetId], wrong: list[str]) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for dataset in (d for d in datasets if d.zone == Zone.OUTPUT):
        served = platform.served(dataset)
        if served is None or not served["rows"]:
            wrong.append(f"{dataset} is not served")
        else:
            found[str(dataset)] = served
    return found


def _verify(running: Running, outcomes: Sequence[RunOutcome], wrong: list[str]) -> None:
    wrong.extend(f"{o.domain} ended with {o.status}: {o.error or 'no reason given'}" for o in outcomes if o.status != "SUCCESS")
    wrong.extend(f"{o.domain}: {o.checks_failed - o.checks_warned} checks failed" for o in outcomes if o.checks_failed > o.checks_warned)
    wrong.extend(f"{domain} does not run: {reason}" for domain, reason in running.left_out.items())
    missing = running.platform.federation.domains.keys() - {o.domain for o in outcomes}
    wrong.extend(f"{domain} was not run" for domain in sorted(missing))
    if not running.platform.queries().events(EventFilter(action="snapshot.committed", limit=1)):
        wrong.append("the journal holds no snapshot")

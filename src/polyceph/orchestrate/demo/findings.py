"""What the platform found, held against what was planted. The truth is read here, to compare, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyceph.bootstrap.platform import Platform
from polyceph.core.model.dataset import Zone
from polyceph.core.model.drift import Kind
from polyceph.core.ports import CheckOutcome
from polyceph.orchestrate.demo.place import SYSTEMS
from polyceph.testing.federation.truth import Truth

NOT_BUILT = "not built yet"
_BY_CHECKS = ("duplicate", "orphan", "out_of_range")
_CHANGES = {
    "column_added": Kind.ADDED,
    "column_missing": Kind.REMOVED,
    "column_renamed": Kind.RENAMED,
    "type_changed": Kind.RETYPED,
}
Column = tuple[str, str, str]
"""Domain, name of the dataset and column: a fault that came in raw is found by a check further on."""


@dataclass(frozen=True)
class Finding:
    """One line of the table: of so many planted faults of a kind so many were found; `found` is None where nothing looks for them."""

    kind: str
    planted: int
    found: int | None
    unplanted: int
    by: str
    """What found them, or that nothing looks for them yet."""
    is_promised: bool = True
    """Whether every planted one must be found."""

    @property
    def is_broken(self) -> bool:
        """Tell whether something was found that nobody planted, or less than is promised."""
        return bool(self.unplanted) or (self.is_promised and self.found is not None and self.found < self.planted)


def compare(platform: Platform, truth: Truth, checks: Sequence[CheckOutcome], stopped: Collection[str]) -> tuple[Finding, ...]:
    """Return one line for each kind of planted fact; `stopped` are domains that something planted stops: their checks do not run."""
    failing = _failing_rows(platform, checks)
    return (
        *_cells(platform, truth),
        *_quality(truth, failing, stopped),
        _drift(platform, truth, checks),
        _accountable(platform, truth),
        *_personal(platform, truth),
        *(Finding(kind, len(truth.of(kind)), None, 0, NOT_BUILT) for kind in ("person", "series", "lineage", "small_cell")),
    )


def _cells(platform: Platform, truth: Truth) -> Iterator[Finding]:
    """Compare cells that the reader of workbooks refuses with those that were made wrong, in workbooks that wait for acceptance."""
    from polyceph.orchestrate.demo.workbooks import DATASET, compare_cells, inspect_inbox  # DuckDB and Arrow

    if DATASET.domain not in platform.federation.domains:
        return
    systems = platform.settings.federation.resolve() / SYSTEMS
    compared = compare_cells(truth, inspect_inbox(platform.federation, platform.settings, systems))
    seen = [one for one in compared.faults if one.found]
    planted, found = sum(one.planted for one in seen), sum(one.found for one in seen)
    yield Finding(f"wrong cell ({len(seen)} kinds)", planted, found, len(compared.unplanted), "reader of workbooks", is_promised=False)
    others = [one for one in compared.faults if not one.found]
    if others:
        kinds = ", ".join(one.fault.replace("_", " ") for one in others)
        yield Finding(f"wrong cell ({len(others)} kinds: {kinds})", sum(one.planted for one in others), None, 0, NOT_BUILT)


def _drift(platform: Platform, truth: Truth, checks: Sequence[CheckOutcome]) -> Finding:
    """Compare the drifts that wait for a data owner with the changes of sources that were planted.

    A load that was refused for anything else is one that nobody planted.
    """
    platform.record_drifts()
    drifts = platform.queries().drifts()
    told = {(str(one.sighting.dataset), difference.kind) for one in drifts for difference in one.sighting.differences if difference.stops}
    planted = [(entry["dataset"], _CHANGES[entry["change"]]) for entry in truth.of("drift")]
    refused = {str(check.dataset) for check in checks if check.dataset.zone is Zone.RAW and not check.passed}
    others = (refused | {dataset for dataset, _ in told}) - {dataset for dataset, _ in planted}
    return Finding("change of a source's form", len(planted), sum(one in told for one in planted), len(others), "loads", is_promised=False)


def _quality(truth: Truth, failing: Mapping[Column, int], stopped: Collection[str]) -> Iterator[Finding]:
    """Compare rows that checks of one column refuse with rows planted there."""
    planted = {fault: Counter(map(_column, (e for e in truth.of("quality") if e["fault"] == fault))) for fault in _BY_CHECKS}
    planted["unknown code"] = Counter(map(_column, truth.of("unknown_code")))
    claimed: set[Column] = set()
    for fault, columns in planted.items():
        claimed |= columns.keys()
        found = sum(min(count, failing.get(column, 0)) for column, count in columns.items())
        extra = sum(max(0, failing.get(column, 0) - count) for column, count in columns.items())
        runs = not any(domain in stopped for domain, _, _ in columns)
        yield Finding(fault.replace("_", " "), columns.total(), found, extra, "checks of the datasets", is_promised=runs)
    others = sum(rows for column, rows in failing.items() if column not in claimed)
    yield Finding("refused rows where none was planted", 0, 0, others, "checks of the datasets")
    for fault in ("late_file", "volume_drop"):
        yield Finding(fault.replace("_", " "), truth.faults("quality").get(fault, 0), None, 0, NOT_BUILT)


def _column(entry: Mapping[str, str]) -> Column:
    domain, _, name = entry["dataset"].split(".")
    return domain, name, entry["column"]


def _failing_rows(platform: Platform, checks: Iterable[CheckOutcome]) -> Mapping[Column, int]:
    """Return how many rows fail, by the column that a dbt test looks at."""
    columns = {name: _tested_columns(platform.settings.state() / "dbt" / name) for name in platform.federation.domains}
    rows: Counter[Column] = Counter()
    for check in checks:
        column = columns[check.dataset.domain].get(check.name)
        if column is not None and check.failed_rows:
            rows[check.dataset.domain, check.dataset.name, column] += check.failed_rows
    return rows


def _tested_columns(state: Path) -> Mapping[str, str]:
    """Return the column of each test of a domain's parsed dbt projects."""
    found: dict[str, str] = {}
    for manifest in state.glob("*/target/manifest.json"):
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
        found |= {n["name"]: n["column_name"] for n in nodes if n["resource_type"] == "test" and n.get("column_name")}
    return found


def _accountable(platform: Platform, truth: Truth) -> Finding:
    """Count the people who have left while the declarations still name them: a warning or a refusal names each."""
    today = platform.settings.today
    gaps = [m for m in truth.of("move") if today is not None and m["left"] <= today.isoformat() < m["successor_from"]]
    said = " ".join([*(p.message for p in platform.federation.warnings), *platform.left_out.values()])
    return Finding("owner or steward gone, nobody named yet", len(gaps), sum(m["person"] in said for m in gaps), 0, "declarations")


def _personal(platform: Platform, truth: Truth) -> Iterator[Finding]:
    """Compare columns that contracts mark as personal; those that nobody marked wait for a search in the data."""
    marked = {
        (str(contract.dataset), column.name)
        for domain in platform.federation.domains.values()
        for contract in domain.contracts.values()
        for column in contract.columns
        if column.personal_data != "none"
    }
    declared = {str(dataset) for domain in platform.federation.domains.values() for dataset in domain.contracts}
    entries = [e for e in truth.of("personal_data") if e["dataset"] in declared]
    known = {(e["dataset"], e["column"]) for e in entries if e["marked"]}
    raw = {one for one in marked if one[0].split(".")[1] == "raw"}
    yield Finding("personal column, marked", len(known), len(known & marked), len(raw - known), "contracts")
    yield Finding("personal column, not marked", sum(not e["marked"] for e in entries), None, 0, NOT_BUILT)

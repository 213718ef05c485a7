"""A year of the synthetic federation's files, read as they come: every planted change of a form is found, and nothing else stops."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from polyceph.connectors.files_formats import kind_of
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.reading import SourceFile, job_of
from polyceph.connectors.tabular.worker import report_on
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Form, Kind, form_of
from polyceph.core.policies.drift import differences, stops
from polyceph.core.source_ports import PLATFORM_KEYS
from polyceph.declarations.federation import load_federation
from polyceph.orchestrate.demo.place import examples
from polyceph.testing.federation.generate import Generated, generate
from polyceph.testing.federation.scenario import LAST, Scenario

CHANGES = {
    "column_added": Kind.ADDED,
    "column_missing": Kind.REMOVED,
    "column_renamed": Kind.RENAMED,
    "type_changed": Kind.RETYPED,
}
Found = dict[str, set[Kind]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return generate(tmp_path_factory.mktemp("systems"), Scenario(month=LAST))


def entries(systems: Path) -> list[tuple[Contract, Path, dict[str, object]]]:
    """Return what is loaded from files that lie in a folder: the contract, the folder, the entry's options."""
    home = examples() / "federation"
    domains = load_federation(home, today=Scenario().today).domains
    found = []
    for name, domain in sorted(domains.items()):
        for path in sorted((home / "domains" / name / "defs").rglob("defs.yaml")):
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                attributes = document.get("attributes", {})
                source = domain.sources.get(attributes.get("source", ""))
                folders = list(systems.glob(f"*/{name}_{attributes.get('source')}"))
                if source is not None and source.connector == "files" and folders:
                    for entry in attributes["datasets"]:
                        options = {key: value for key, value in entry.items() if key not in PLATFORM_KEYS}
                        found.append((domain.contracts[DatasetId(name, Zone.RAW, entry["name"])], folders[0], options))
    return found


def forms(contract: Contract, folder: Path, options: dict[str, object], workspace: Path) -> Iterator[Form]:
    """Yield the forms of a dataset's files, oldest first; read here and not in a process for each, for there are hundreds."""
    dataset = FilesDataset.model_validate(options)
    for path in sorted(folder.glob(dataset.path), key=lambda path: (path.stat().st_mtime, path.name)):
        kind, whole = kind_of(path.name, dataset)
        report = report_on(job_of(SourceFile(path, path.name, kind), contract.columns, whole), workspace)
        assert "form" in report, report
        yield form_of(json.loads(json.dumps(report["form"])))


def test_every_planted_change_of_a_file_stops_and_nothing_else_does(played: Generated, tmp_path: Path) -> None:
    planted: Found = defaultdict(set)
    for entry in played.truth.of("drift"):
        planted[entry["dataset"]].add(CHANGES[entry["change"]])
    found: Found = defaultdict(set)
    read = set()
    for contract, folder, options in entries(played.folder):
        last: Form | None = None
        read.add(str(contract.dataset))
        for form in forms(contract, folder, options, tmp_path):
            differs = differences(contract, last, form)
            found[str(contract.dataset)] |= {one.kind for one in differs if one.stops}
            last = last if stops(differs) else form
    told = {dataset: kinds for dataset, kinds in found.items() if kinds}
    assert told == {dataset: kinds for dataset, kinds in planted.items() if dataset in read}
    assert len(told) >= 5

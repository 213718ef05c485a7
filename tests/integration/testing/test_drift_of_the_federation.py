"""A year of the synthetic federation's files, read as they come: every planted change of a form is found, and nothing else stops."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.files_options import FilesSource
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Form, Kind
from polyceph.core.policies.drift import differences, stops
from polyceph.core.source_ports import PLATFORM_KEYS, Admission, Arrival, Demand
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


def test_every_planted_change_of_a_file_stops_and_nothing_else_does(played: Generated, tmp_path: Path) -> None:
    found: Found = defaultdict(set)
    read = set()
    for number, (contract, folder, options) in enumerate(entries(played.folder)):
        read.add(str(contract.dataset))
        forms: list[Form] = []

        def admits(arrival: Arrival, contract: Contract = contract, forms: list[Form] = forms) -> Admission:
            differs = differences(contract, forms[-1] if forms else None, arrival.form)
            if stops(differs):
                found[str(contract.dataset)] |= {one.kind for one in differs if one.stops}
                return Admission.WAIT
            forms.append(arrival.form)
            return Admission.LOAD

        workspace = tmp_path / str(number)
        workspace.mkdir()
        demand = Demand(contract.dataset, contract, options, None, lambda _: False, workspace, folder, admits=admits)
        for delivery in FilesConnector(FilesSource(folder=str(folder)), base=folder).deliveries(demand):
            assert delivery.form is not None
    planted: Found = defaultdict(set)
    for entry in played.truth.of("drift"):
        if entry["dataset"] in read:
            planted[entry["dataset"]].add(CHANGES[entry["change"]])
    assert len(planted) >= 5
    assert found == planted

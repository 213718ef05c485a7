"""The published schemas accept what loads, refuse what does not, and explain every key."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
import yaml

from polyceph.declarations.schemas import published, write
from polyceph.testing.small_federation import federation_files

KINDS = {"federation.yaml": "federation", "domain.yaml": "domain", "defs.yaml": "components", ".odcs.yaml": "contract"}


def documents():
    for path, text in federation_files().items():
        kind = next((kind for ending, kind in KINDS.items() if path.endswith(ending)), None)
        if kind:
            yield from ((path, kind, document) for document in yaml.safe_load_all(text.replace("2026-03-31", '"2026-03-31"')))


@pytest.mark.parametrize("with_options", [False, True], ids=["without connectors", "with connectors"])
def test_what_loads_is_accepted(connectors, with_options):
    schemas = published(connectors if with_options else None)
    for path, kind, document in documents():
        errors = [(error.message, error.instance_path) for error in jsonschema_rs.validator_for(schemas[kind]).iter_errors(document)]
        assert errors == [], path


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("federation", {"name": "x"}),
        ("domain", {"name": "Education"}),
        ("components", {"type": "polyceph.orchestrate.components.Ingst", "attributes": {}}),
        (
            "components",
            {"type": "polyceph.orchestrate.components.Ingest", "attributes": {"source": "x", "datasets": [{"name": "s", "tabel": 1}]}},
        ),
        ("contract", {"apiVersion": "v3.0.2", "kind": "DataContract", "id": "a", "version": "1.0.0"}),
    ],
)
def test_what_does_not_load_is_refused(connectors, kind, document):
    assert not jsonschema_rs.validator_for(published(connectors)[kind]).is_valid(document)


def test_every_key_of_ours_is_described(connectors):
    for kind in ("federation", "domain", "components"):
        for name, prop in _properties(published()[kind]):
            assert "description" in prop or "$ref" in prop, (kind, name)


def _properties(node):
    if isinstance(node, dict):
        if node.get("type") == "object" and isinstance(node.get("properties"), dict):
            yield from node["properties"].items()
        for inner in node.values():
            yield from _properties(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _properties(inner)


def test_the_schemas_are_written_for_editors(tmp_path):
    files = write(tmp_path / "schemas")

    assert sorted(file.name for file in files) == [
        "components.schema.json",
        "contract.schema.json",
        "domain.schema.json",
        "federation.schema.json",
    ]
    assert all(json.loads(file.read_text())["$schema"].startswith("https://json-schema.org/") for file in files)

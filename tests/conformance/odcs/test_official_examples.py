"""The official example contracts validate; each of them, broken, is refused at the place where it was broken."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from polyceph.declarations.findings import Findings
from polyceph.declarations.odcs import check_standard, official_schema
from polyceph.declarations.positions import documents
from polyceph.declarations.yaml_files import RawFile, parse_one

SHARED = Path(os.environ.get("POLYCEPH_SHARED", Path(__file__).parents[4] / "shared"))
EXAMPLES = sorted((SHARED / "corpora/odcs/docs").rglob("*.odcs.yaml"))

if not EXAMPLES and os.environ.get("CI") == "true":
    raise FileNotFoundError(f"the official ODCS examples are not in {SHARED}/corpora/odcs; set POLYCEPH_SHARED")
pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the official ODCS examples are not here; set POLYCEPH_SHARED")


def checked(text: str) -> Findings:
    findings = Findings()
    data = text.encode()
    document = parse_one(RawFile("c.odcs.yaml", data, hashlib.sha256(data).hexdigest()), findings)
    if document is not None:
        check_standard(document, findings)
    return findings


def where(text: str, marker: str) -> tuple[int, int]:
    before = text[: text.index(marker)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_official_example_validates(file):
    assert [str(problem) for problem in checked(file.read_text()).problems] == []


def variants(text: str):
    """Yield a name, a broken text with § at the place, and words of the message."""
    lines = text.splitlines(keepends=True)

    def replaced(start: str, new: str) -> str:
        number = next(n for n, line in enumerate(lines) if line.startswith(start))
        return "".join([*lines[:number], new, *lines[number + 1 :]])

    yield "unknown key", text + "\n§knid: x\n", "key 'knid' is unknown"
    yield "kind", replaced("kind:", "kind: §DataContrct\n"), "did you mean DataContract?"
    yield "version as a number", replaced("version:", "version: §1.10\n"), "version must be text"
    yield "standard", replaced("apiVersion:", "apiVersion: §v9.9.9\n"), "apiVersion 'v9.9.9' is unknown"
    yield "key twice", text + "\n§kind: DataContract\n", "key 'kind' is written twice"
    yield "id as a list", replaced("id:", "id: §[a, b]\n"), "id must be text"
    without_id = replaced("id:", "").splitlines(keepends=True)
    first = next(n for n, line in enumerate(without_id) if line[0] not in "#\n")
    yield "id missing", "".join([*without_id[:first], "§", *without_id[first:]]), "key 'id' is missing"
    yield "broken YAML", text + "\nx: §[a\ny: b\n", "not YAML"
    if "\n    properties:\n" in text:
        broken = text.replace("\n    properties:\n", "\n    §propertis:\n", 1)
        yield "inner key", broken, "did you mean properties?"
    if "logicalType: string" in text:
        yield "inner value", text.replace("logicalType: string", "logicalType: §strng", 1), "logicalType 'strng' is unknown"
    if "required: true" in text:
        yield "inner type", text.replace("required: true", "required: §oui", 1), "required must be true or false"


BROKEN = [(file.name, *variant) for file in EXAMPLES for variant in variants(file.read_text())]


@pytest.mark.parametrize(("text", "words"), [pytest.param(b[2], b[3], id=f"{b[0]}: {b[1]}") for b in BROKEN])
def test_a_broken_example_is_refused_at_its_place(text, words):
    line, column = where(text, "§")
    problems = checked(text.replace("§", "")).problems

    found = [(p.line, p.column) for p in problems if words in str(p)]
    assert (line, column) in found, [str(p) for p in problems]


def test_the_shipped_schema_is_the_standard():
    """A later edition of the schema may know more and ask for less; what it drops, the contract reader asks for itself."""
    standard = json.loads((SHARED / "corpora/odcs/schema/odcs-json-schema-v3.1.0.json").read_text())
    shipped = official_schema()

    assert set(standard["required"]) <= {*shipped["required"], "status"}
    assert set(standard["properties"]) <= set(shipped["properties"])
    assert set(standard["properties"]["apiVersion"]["enum"]) <= set(shipped["properties"]["apiVersion"]["enum"])


def test_a_contract_of_ours_is_a_contract_of_the_standard():
    import jsonschema_rs

    from polyceph.testing.small_federation import contract_text

    validator = jsonschema_rs.validator_for(json.loads((SHARED / "corpora/odcs/schema/odcs-json-schema-v3.1.0.json").read_text()))
    (document,), _ = documents("c", contract_text("education", "raw", "schools"))
    assert validator.is_valid(document.value)

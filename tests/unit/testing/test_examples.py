"""The example federations as text: contracts that the standard accepts, and no personal column in what leaves a domain."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from polyceph.bootstrap.declared import connector_options
from polyceph.declarations.federation import load_federation
from polyceph.testing.federation.generate import DOMAINS

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CONTRACTS = sorted(EXAMPLES.glob("*/domains/*/contracts/**/*.odcs.yaml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def columns(contract: dict[str, Any]) -> dict[str, str]:
    """Return the columns of a contract with what they say about personal data."""
    found = {}
    for column in contract["schema"][0]["properties"]:
        said = [item["value"] for item in column.get("customProperties", []) if item["property"] == "personalData"]
        found[column["name"]] = said[0] if said else "none"
    return found


@pytest.fixture(scope="module")
def standard() -> Any:
    text = files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    return jsonschema_rs.validator_for(json.loads(text))


def test_there_are_contracts_to_look_at() -> None:
    assert {path.relative_to(EXAMPLES).parts[0] for path in CONTRACTS} == {"federation", "belgium"}


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_contract_is_valid_odcs(path: Path, standard: Any) -> None:
    assert [f"{error.instance_path}: {error.message}" for error in standard.iter_errors(load(path))] == []


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_contract_says_where_it_stands(path: Path) -> None:
    contract, (_, domains, domain, _, zone, file) = load(path), path.relative_to(EXAMPLES).parts
    assert domains == "domains"
    assert contract["id"] == f"{domain}.{zone}.{contract['name']}"
    assert file == f"{contract['name']}.odcs.yaml"
    assert contract["schema"][0]["name"] == contract["name"]


def test_no_personal_column_reaches_gold_or_output() -> None:
    personal = {name for path in CONTRACTS for name, kind in columns(load(path)).items() if kind != "none"}
    assert {"national_number", "last_name", "birth_date", "philosophy_course"} <= personal
    names = personal - {"street", "postcode"}  # of a person in education, of a building or a list elsewhere
    leaving = [path for path in CONTRACTS if path.parent.name in {"gold", "output"}]
    assert leaving
    assert {path.stem: set(columns(load(path))) & names for path in leaving if set(columns(load(path))) & names} == {}
    assert all(set(columns(load(path)).values()) == {"none"} for path in leaving)


@pytest.mark.parametrize("name", ["federation", "belgium"])
def test_an_example_federation_has_no_mistake(name: str) -> None:
    loaded = load_federation(EXAMPLES / name, today=date(2026, 1, 1), connectors=connector_options())
    assert loaded.warnings == ()


def test_the_demo_has_six_domains_and_loads_every_source() -> None:
    loaded = load_federation(EXAMPLES / "federation", today=date(2026, 1, 1))
    assert set(loaded.domains) == set(DOMAINS)
    assert sum(len(domain.datasets) for domain in loaded.domains.values()) > 170
    assert sum(len(domain.sources) for domain in loaded.domains.values()) == 41

"""The files that a new source of a domain becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from polyceph.core.model.classification import PersonalData
from polyceph.core.model.profile import ColumnProfile, TableProfile
from polyceph.errors import Conflict, Invalid
from polyceph.scaffold.source import NewDataset, NewSource, dataset_name, drafted

DOMAIN = """\
# Why this domain is as it is.
name: education
owner: anne.dupont      # she decides
steward: marc.leroy

sources:
  register:             # the old one
    connector: postgres
    host: {env: REGISTER_HOST}
consumes:
  - data_office.gold.codes
"""
COLUMNS = (
    ColumnProfile("School ID", "int4", "integer", primary_key=True, required=True),
    ColumnProfile("Nom", "text", "string", personal_data=PersonalData.PERSONAL, why_personal="the name says a person's name"),
    ColumnProfile("nom", "text", "string", pattern=r"^\d{4}$", description="Name: of the school"),
)


def _source(connector: str | None = "files", name: str = "shares") -> NewSource:
    return NewSource("education", name, connector, {"folder": {"env": "SHARES_FOLDER"}}, "anne.dupont", "marc.leroy")


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "domain.yaml").write_text(DOMAIN)
    return tmp_path


def test_a_source_joins_domain_yaml_and_nothing_else_changes(tmp_path: Path) -> None:
    text = drafted(_folder(tmp_path), _source(), [])[tmp_path / "domain.yaml"]
    added = "  shares:\n    connector: files\n    folder: {env: SHARES_FOLDER}\n"
    assert text.replace(added, "") == DOMAIN


def test_a_dataset_is_an_entry_and_a_draft_contract(tmp_path: Path) -> None:
    dataset = NewDataset("schools", {"path": "schools_*.csv"}, TableProfile(COLUMNS, 12))
    files = drafted(_folder(tmp_path), _source(), [dataset])
    defs = yaml.safe_load(files[tmp_path / "defs/shares/defs.yaml"])
    assert defs["attributes"]["datasets"] == [{"name": "schools", "path": "schools_*.csv"}]
    contract = yaml.safe_load(files[tmp_path / "contracts/raw/schools.odcs.yaml"])
    assert (contract["id"], contract["status"], contract["version"]) == ("education.raw.schools", "draft", "0.1.0")
    columns = contract["schema"][0]["properties"]
    assert [column["name"] for column in columns] == ["school_id", "nom", "nom_2"]
    assert columns[0] == {
        "name": "school_id", "physicalName": "School ID", "logicalType": "integer", "required": True, "primaryKey": True,
        "description": "To be described.",
    }  # fmt: skip
    assert columns[1]["customProperties"] == [{"property": "personalData", "value": "personal"}]
    assert columns[2]["logicalTypeOptions"] == {"pattern": r"^\d{4}$"}
    assert {"property": "classification", "value": "confidential"} in contract["customProperties"]
    assert "guessed: the name says a person's name" in files[tmp_path / "contracts/raw/schools.odcs.yaml"]


def test_datasets_join_an_ingest_that_is_there(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    first = drafted(folder, _source(), [NewDataset("one", {"path": "1.csv"}, TableProfile(COLUMNS, 1))])
    for path, text in first.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    more = drafted(folder, _source(connector=None), [NewDataset("two", {"path": "2.csv"}, TableProfile(COLUMNS, 1))])
    assert folder / "domain.yaml" not in more
    entries = yaml.safe_load(more[folder / "defs/shares/defs.yaml"])["attributes"]["datasets"]
    assert [entry["name"] for entry in entries] == ["one", "two"]
    assert more[folder / "defs/shares/defs.yaml"].startswith(first[folder / "defs/shares/defs.yaml"])


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    with pytest.raises(Conflict, match="source register of education is declared already"):
        drafted(folder, _source(name="register"), [])
    contract = folder / "contracts/raw/schools.odcs.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text("mine")
    with pytest.raises(Conflict, match="some datasets have a contract"):
        drafted(folder, _source(), [NewDataset("schools", {}, TableProfile(COLUMNS, 1))])


def test_names_that_cannot_be_used_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        drafted(_folder(tmp_path), _source(name="My Share"), [NewDataset("select", {}, TableProfile(COLUMNS, 1))])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("public.schools", "schools"),
        ('"Mon schéma"."Élèves inscrits"', "eleves_inscrits"),
        ("exports/2026/écoles.csv", "ecoles"),
        ("licence-holders", "licence_holders"),
        ("clubs.json", "clubs"),
    ],
)
def test_a_dataset_is_called_like_its_table(table: str, name: str) -> None:
    assert dataset_name(table) == name

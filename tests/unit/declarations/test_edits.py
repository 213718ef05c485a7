"""Edits of declarations keep what people wrote around them."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.drift import Edit
from polyceph.declarations.edits import edited_contract, edited_entry
from polyceph.errors import Conflict

CONTRACT = """\
# the promise about visits
version: 1.0.0
team:
  members:
    - {username: ada.owner, role: owner}
schema:
  - name: visits
    properties:
      - name: town   # where
        physicalName: Commune
        logicalType: string
      - {name: visitors, logicalType: integer, required: true}   # how many
"""
ENTRY = """\
# how it comes
type: polyceph.orchestrate.components.Ingest
attributes:
  source: deliveries
  # schedule: "0 5 * * *"
  datasets:
    - name: visits              # one
      path: "visits_*.csv"
      date_format: "%d/%m/%Y"
    - {name: others, path: "others.csv"}   # another
"""


def changed(before: str, after: str) -> set[str]:
    return set(before.splitlines()) ^ set(after.splitlines())


def test_only_what_is_edited_changes() -> None:
    text = edited_contract(CONTRACT, [Edit("set", "town", "physicalName", "Gemeente")], "1.1.0")
    assert changed(CONTRACT, text) == {
        "version: 1.0.0", "version: 1.1.0", "        physicalName: Commune", "        physicalName: Gemeente",
    }  # fmt: skip


def test_a_new_column_is_named_as_contracts_name_columns_and_waits_for_review() -> None:
    edit = Edit("add", "Météo du jour", "logicalType", "string")
    text = edited_contract(CONTRACT, [edit, edit], "1.1.0")
    *_, made = yaml.safe_load(text)["schema"][0]["properties"]
    assert (made["name"], made["physicalName"], made["logicalType"]) == ("meteo_du_jour", "Météo du jour", "string")
    assert made["classification"] == "confidential"
    assert "review" in text
    assert all(line in text for line in CONTRACT.splitlines() if not line.startswith("version"))


def test_a_column_goes_or_becomes_a_text() -> None:
    edits = [Edit("set", "visitors", "logicalType", "string"), Edit("set", "visitors", "required", False), Edit("remove", "town")]
    [left] = yaml.safe_load(edited_contract(CONTRACT, edits, "2.0.0"))["schema"][0]["properties"]
    assert left == {"name": "visitors", "logicalType": "string", "required": False}
    with pytest.raises(Conflict, match="no column"):
        edited_contract(CONTRACT, [Edit("remove", "nobody")], "2.0.0")


def test_options_of_one_entry_are_edited_and_the_others_stay() -> None:
    edits = [
        Edit("append", "", "ignore_columns", "Sexe", in_entry=True),
        Edit("append", "", "ignore_columns", "Sexe", in_entry=True),
        Edit("drop", "", "date_format", in_entry=True),
        Edit("drop", "", "decimal", in_entry=True),
        Edit("set", "town", "physicalName", "not for an entry"),
    ]
    text = edited_entry(ENTRY, "visits", edits)
    first, second = yaml.safe_load(text)["attributes"]["datasets"]
    assert first == {"name": "visits", "path": "visits_*.csv", "ignore_columns": ["Sexe"]}
    assert second == {"name": "others", "path": "others.csv"}
    assert all(comment in text for comment in ("# how it comes", '# schedule: "0 5 * * *"', "# one", "# another"))
    with pytest.raises(Conflict, match="0 entries load nobody"):
        edited_entry(ENTRY, "nobody", edits)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=40))
def test_any_name_a_source_gives_comes_back_as_it_was(name: str) -> None:
    text = edited_contract(CONTRACT, [Edit("set", "town", "physicalName", name), Edit("add", name, "logicalType", "string")], "1.1.0")
    town, _, made = yaml.safe_load(text)["schema"][0]["properties"]
    assert town["physicalName"] == name
    assert made.get("physicalName", made["name"]) == name

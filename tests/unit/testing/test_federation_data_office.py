"""The data office's systems: lists that everybody can rely on, and a directory that shows who comes and goes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from python_calamine import CalamineWorkbook

from polyceph.testing.federation import codes
from polyceph.testing.federation.domains import data_office
from polyceph.testing.federation.moves import MOVES
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import LAST, Scenario
from polyceph.testing.federation.truth import Truth

ROOT = Path(__file__).resolve().parents[3] / "examples" / "federation"


def built(scenario: Scenario) -> tuple[dict[str, Piece], Truth]:
    truth = Truth()
    return {piece.path: piece for piece in data_office.build(scenario, truth)}, truth


@pytest.fixture(scope="module")
def present() -> tuple[dict[str, Piece], Truth]:
    return built(Scenario())


@pytest.fixture(scope="module")
def later() -> tuple[dict[str, Piece], Truth]:
    return built(Scenario(month=LAST))


def rows(piece: Piece, *, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(piece.content.decode("utf-8-sig")), delimiter=delimiter))


def objects(piece: Piece) -> list[dict[str, Any]]:
    return [json.loads(line) for line in piece.content.splitlines()]


def directory(pieces: dict[str, Piece], month: str) -> dict[str, dict[str, str]]:
    found = rows(pieces[f"sftp/data_office_directory/annuaire_{month}.csv"], delimiter=";")
    assert len({row["Matricule"] for row in found}) == len(found)
    return {row["Identifiant"]: row for row in found}


def test_the_same_scenario_gives_the_same_bytes(present: tuple[dict[str, Piece], Truth]) -> None:
    again, truth = built(Scenario())
    assert again == present[0]
    assert truth.text(Scenario()) == present[1].text(Scenario())


def test_a_later_month_keeps_the_files_that_were_there(
    present: tuple[dict[str, Piece], Truth], later: tuple[dict[str, Piece], Truth]
) -> None:
    living = ("explore/", "ckan/", "odata/")  # what a service answers; it grows
    for path, piece in present[0].items():
        assert path.startswith(living) or later[0][path] == piece
    for name in ("explore/data_office_indicators/population.ndjson", "odata/data_office_finance/BudgetLines.ndjson"):
        before, after = objects(present[0][name]), objects(later[0][name])
        assert len(after) > len(before)
        assert [one for one in before if one not in after] == []


def test_lists_have_each_key_once_and_refer_to_what_is_there(present: tuple[dict[str, Piece], Truth]) -> None:
    folder = "share/data_office_lists"
    municipalities = {row["nis_code"] for row in rows(present[0][f"{folder}/municipalities.csv"])}
    assert len(municipalities) == len(rows(present[0][f"{folder}/municipalities.csv"])) == 565
    postcodes = [(row["postcode"], row["nis_code"]) for row in rows(present[0][f"{folder}/postal_codes.csv"])]
    assert len(set(postcodes)) == len(postcodes)
    assert {nis_code for _, nis_code in postcodes} == municipalities
    countries = [row["country"] for row in rows(present[0][f"{folder}/countries.csv"])]
    assert countries == sorted(set(countries))
    assert sum(row["is_eu_member"] == "true" for row in rows(present[0][f"{folder}/countries.csv"])) == 27


def test_the_workbook_holds_every_list_and_says_how_many_codes_each_has(present: tuple[dict[str, Piece], Truth]) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(present[0]["share/data_office_codes/codes.xlsx"].content))
    assert book.sheet_names == ["Lisez-moi", "Listes", "Codes"]
    said = {row[0]: int(row[3]) for row in book.get_sheet_by_name("Listes").to_python()[1:]}  # type: ignore[call-overload]
    found: dict[str, list[str]] = {}
    name = ""
    for row in book.get_sheet_by_name("Codes").to_python(skip_empty_area=False)[3:]:
        name = str(row[0] or name)
        found.setdefault(name, []).append(str(row[1]))
        assert all(str(cell).strip() for cell in row[1:])
    assert found == {name: list(codes.values(name)) for name in codes.LISTS}
    assert said == {name: len(set(values)) for name, values in found.items()}
    assert codes.label("discipline", "judo") == "Judo"
    with pytest.raises(KeyError):
        codes.label("discipline", "chess")


def test_who_leaves_is_in_no_later_directory_and_who_follows_gets_the_role(later: tuple[dict[str, Piece], Truth]) -> None:
    before = directory(later[0], "2025-10")
    for move in MOVES:
        assert move.person in before
        assert move.person not in directory(later[0], f"{move.left:%Y-%m}")
        if move.successor_from <= LAST.last:
            assert directory(later[0], f"{move.successor_from:%Y-%m}")[move.successor]["Rôle"] == f"{move.domain}:{move.roles[0]}"


def test_the_directory_knows_the_people_of_the_federation_by_the_same_names(present: tuple[dict[str, Piece], Truth]) -> None:
    declared = yaml.safe_load((ROOT / "federation.yaml").read_text(encoding="utf-8"))["people"]
    listed = directory(present[0], "2025-10")
    assert declared.keys() <= listed.keys()
    for person, facts in declared.items():
        assert f"{listed[person]['Prénom']} {listed[person]['Nom']}".casefold() == facts["name"].casefold()
        assert listed[person]["Courriel"] == facts["email"]


def test_owners_and_stewards_of_the_declarations_are_those_of_the_directory(present: tuple[dict[str, Piece], Truth]) -> None:
    roles = {row["Rôle"]: person for person, row in directory(present[0], "2025-10").items()}
    for path in sorted((ROOT / "domains").glob("*/domain.yaml")):
        domain = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert (roles[f"{domain['name']}:owner"], roles[f"{domain['name']}:steward"]) == (domain["owner"], domain["steward"])


def test_figures_of_the_services_have_each_key_once(later: tuple[dict[str, Piece], Truth]) -> None:
    population = objects(later[0]["explore/data_office_indicators/population.ndjson"])
    assert len({(row["nis_code"], row["year"]) for row in population}) == len(population) == 565 * 6
    assert all(row["women"] + row["men"] == row["population"] > 50 for row in population)
    lines = {(row["Year"], row["Article"]): row for row in objects(later[0]["odata/data_office_finance/BudgetLines.ndjson"])}
    spent: dict[tuple[int, str], float] = {}
    for row in objects(later[0]["odata/data_office_finance/Commitments.ndjson"]):
        spent[row["Year"], row["Article"]] = spent.get((row["Year"], row["Article"]), 0) + row["CommittedEur"]
    assert spent.keys() <= lines.keys()
    assert all(value <= lines[key]["VotedEur"] + 0.02 for key, value in spent.items())


def test_a_service_says_what_it_serves(present: tuple[dict[str, Piece], Truth]) -> None:
    package = json.loads(present[0]["ckan/data_office_portal/package.json"].content)
    assert all(f"ckan/data_office_portal/{one['path']}" in present[0] for one in package["resources"])
    service = json.loads(present[0]["odata/data_office_finance/service.json"].content)
    for name, facts in service["entity_sets"].items():
        assert {*facts["properties"]} == objects(present[0][f"odata/data_office_finance/{name}.ndjson"])[0].keys()
        assert {*facts["key"]} <= {*facts["properties"]}


def test_rows_keep_to_the_budget_and_do_not_grow_with_the_scale(present: tuple[dict[str, Piece], Truth]) -> None:
    larger, _ = built(Scenario(scale=3))
    assert larger.keys() == present[0].keys()
    lines = sum(piece.content.count(b"\n") for path, piece in present[0].items() if path.endswith(("csv", "ndjson")))
    assert 7_000 < lines < 10_000


def test_unmarked_personal_columns_are_those_with_names(present: tuple[dict[str, Piece], Truth]) -> None:
    entries = present[1].of("personal_data")
    assert sum(not entry["marked"] for entry in entries) == 2
    assert {entry["category"] for entry in entries if not entry["marked"]} == {"name", "free_text"}
    remarks = [row["Remarque"] for month in ("2022-01", "2025-02") for row in directory(present[0], month).values() if row["Remarque"]]
    assert remarks
    assert all("appeler" in remark for remark in remarks)

"""Higher education's systems: what is planted is found again in the data alone, and nothing else is wrong with it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml
from python_calamine import CalamineWorkbook

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import higher_education
from polyceph.testing.federation.domains.data_office_lists import COUNTRIES
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

CONTRACTS = Path(__file__).resolve().parents[3] / "examples" / "federation" / "domains" / "higher_education" / "contracts"
DAY = "%d/%m/%Y"
Row = dict[str, Any]
DOMAINS = set(codes.values("study_domain"))
# The key of each dataset as its source calls it, and as the contract does.
KEYS = {"grants": "N° dossier", "publications": "handle", "mobility": "Numéro"}
NAMES = {"grants": "grant_id", "publications": "handle", "mobility": "mobility_id"}


class Built:
    """Pieces and truth of one scenario, read as anybody would who does not know what is planted."""

    def __init__(self, scenario: Scenario) -> None:
        self.truth = Truth()
        self.pieces: dict[str, Piece] = {piece.path: piece for piece in higher_education.build(scenario, self.truth)}

    def of(self, source: str) -> dict[str, Piece]:
        return {path: piece for path, piece in self.pieces.items() if f"/higher_education_{source}/" in path}

    def institutions(self) -> list[list[Row]]:
        return [table(piece.content, 3, two_lines=True) for piece in self.of("institutions").values()]

    def grants(self) -> list[Row]:
        return [row for piece in self.of("grants").values() for row in table(piece.content, 3)]

    def mobility(self) -> list[Row]:
        return [row for piece in self.of("mobility").values() for row in separated(piece)]

    def publications(self) -> list[Row]:
        return [row for piece in self.of("publications").values() for row in objects(gzip.decompress(piece.content))]

    def table(self, name: str) -> list[Row]:
        folder = "mariadb/higher_education_students"
        ddl = self.pieces[f"{folder}/schema.sql"].content.decode()
        body = re.search(rf"CREATE TABLE {name} \((.*?)\n\);", ddl, re.DOTALL)
        assert body
        columns = re.findall(r"^  (\w+) ", body[1], re.MULTILINE)
        return list(csv.DictReader(io.StringIO(self.pieces[f"{folder}/{name}.csv"].content.decode()), columns))


def table(content: bytes, header: int, *, two_lines: bool = False) -> list[Row]:
    """Return the lines of the first sheet between the header at row `header` (from 0) and the total."""
    rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    names = rows[header + two_lines]
    end = next(at for at, row in enumerate(rows) if str(row[0]).upper() == "TOTAL")
    return [dict(zip(map(str, names), row, strict=True)) for row in rows[header + 1 + two_lines : end]]


def separated(piece: Piece) -> list[Row]:
    return list(csv.DictReader(io.StringIO(piece.content.decode("cp1252")), delimiter=";"))


def objects(content: bytes) -> list[Row]:
    return [json.loads(line) for line in content.splitlines()]


def number(text: str) -> float:
    return float(text.replace(".", "").replace(",", "."))


@pytest.fixture(scope="module")
def present() -> Built:
    return Built(Scenario())


@pytest.fixture(scope="module")
def later() -> Built:
    return Built(Scenario(month=LAST))


def known_institutions(built: Built) -> set[str]:
    return {row["Code"] for row in built.institutions()[-1]}


def planted(built: Built, fault: str) -> set[tuple[str, str, str]]:
    """Return dataset, column and key of each planted fault in rows."""
    entries = built.truth.of("unknown_code") if fault == "unknown_code" else [e for e in built.truth.of("quality") if e["fault"] == fault]
    return {(e["dataset"].rpartition(".")[2], e["column"], e["key"][NAMES[e["dataset"].rpartition(".")[2]]]) for e in entries}


def test_the_same_scenario_gives_the_same_bytes(present: Built) -> None:
    again = Built(Scenario())
    assert again.pieces == present.pieces
    assert again.truth.text(Scenario()) == present.truth.text(Scenario())
    assert Built(Scenario(seed=7)).pieces != present.pieces


def test_a_later_month_keeps_the_files_that_were_there(present: Built, later: Built) -> None:
    for path, piece in present.pieces.items():
        assert path.startswith(("mariadb/", "rest/", "soap/")) or later.pieces[path] == piece
    assert {e["month"] for e in later.truth.of("drift")} == {"2026-01", "2026-05"}
    assert present.truth.of("drift") == []
    for kind in ("quality", "unknown_code", "small_cell", "person"):
        assert later.truth.of(kind) == present.truth.of(kind)


@pytest.mark.parametrize(("name", "key"), [("students", "student_id"), ("enrolments", "enrolment_id"), ("diplomas", "diploma_id")])
def test_tables_grow_and_a_changed_row_is_newer(present: Built, later: Built, name: str, key: str) -> None:
    before = {row[key]: row for row in present.table(name)}
    after = {row[key]: row for row in later.table(name)}
    assert before.keys() < after.keys()
    changed = [key for key, row in before.items() if after[key] != row]
    assert all(after[key]["updated_at"] > before[key]["updated_at"] for key in changed)
    assert (name == "diplomas") == (not changed)
    assert max(row["updated_at"] for row in before.values()) < "2025-11" <= max(row["updated_at"] for row in after.values())


def test_so_much_is_planted(present: Built) -> None:
    expected = {"duplicate": 3, "orphan": 4, "out_of_range": 3, "late_file": 1, "volume_drop": 1}
    assert present.truth.faults("quality") == expected
    counts = present.truth.counts()
    assert (counts["unknown_code"], counts["small_cell"], counts["person"], counts["lineage"]) == (3, 2, 20, 2)


def test_duplicates_are_the_planted_ones(present: Built) -> None:
    rows = {"grants": present.grants(), "publications": present.publications(), "mobility": present.mobility()}
    twice = {(n, NAMES[n], k) for n, found in rows.items() for k, times in Counter(r[KEYS[n]] for r in found).items() if times == 2}
    assert twice == planted(present, "duplicate")
    assert all(len(found) - len({row[KEYS[name]] for row in found}) == 1 for name, found in rows.items())


def test_orphans_are_the_planted_ones(present: Built) -> None:
    known = known_institutions(present)
    rows = {"grants": present.grants(), "mobility": present.mobility()}
    lost = {(n, "institution_id", r[KEYS[n]]) for n, found in rows.items() for r in found if r["Établissement"] not in known}
    lost |= {("publications", "institution_id", r["handle"]) for r in present.publications() if r["etablissement"] not in known}
    assert lost == planted(present, "orphan")


def test_values_out_of_range_are_the_planted_ones(present: Built) -> None:
    out = {("grants", "amount_eur", r["N° dossier"]) for r in present.grants() if not 1 <= r["Montant (€)"] <= 1_500_000}
    out |= {("mobility", "months", r["Numéro"]) for r in present.mobility() if not 1 <= number(r["Durée (mois)"]) <= 12}
    out |= {("publications", "year", r["handle"]) for r in present.publications() if not 1950 <= r["annee"] <= 2030}
    assert out == planted(present, "out_of_range")


def test_unknown_codes_are_the_planted_ones(present: Built) -> None:
    rows = {"grants": present.grants(), "mobility": present.mobility()}
    unknown = {(n, r[KEYS[n]], r["Domaine"]) for n, found in rows.items() for r in found if r["Domaine"] not in DOMAINS}
    unknown |= {("publications", r["handle"], r["domaine"]) for r in present.publications() if r["domaine"] not in DOMAINS}
    entries = present.truth.of("unknown_code")
    assert unknown == {(n, k, e["code"]) for e in entries for n, _, k in [_place(e)]}
    assert all(e["meant"] in DOMAINS and e["list"] == "data_office.gold.codes" for e in entries)
    assert {row["Type"].lower() for rows in present.institutions() for row in rows} == set(codes.values("institution_type"))


def _place(entry: Row) -> tuple[str, str, str]:
    name = entry["dataset"].rpartition(".")[2]
    return name, entry["column"], entry["key"][NAMES[name]]


def test_one_file_comes_late(present: Built) -> None:
    # Each source has its usual day; what comes ten days later or more is late.
    late = []
    for source in ("institutions", "grants", "publications", "mobility"):
        days = {path: piece.arrived.day for path, piece in present.of(source).items()}
        usual = median(days.values())
        late += [path for path, day in days.items() if day >= usual + 10]
    assert late == [e["key"] for e in present.truth.of("quality") if e["fault"] == "late_file"]


def test_one_month_has_too_few_lines(present: Built) -> None:
    counts = Counter(str(row["depose_le"])[:7] for row in present.publications())
    few = [month for month, count in counts.items() if count < 0.4 * median(counts.values())]
    assert few == [e["month"] for e in present.truth.of("quality") if e["fault"] == "volume_drop"]
    assert all(count > 0.8 * median(counts.values()) for month, count in counts.items() if month not in few)


@pytest.mark.parametrize("scale", [1, 2])
def test_small_cells_are_the_planted_ones(scale: int) -> None:
    built = Built(Scenario(scale=scale))
    stays = {row["Numéro"]: (row["Année académique"], row["Domaine"]) for row in built.mobility() if row["Domaine"] in DOMAINS}
    small = {cell: count for cell, count in Counter(stays.values()).items() if count < 10}
    assert small == {(e["cell"]["academic_year"], e["cell"]["study_domain"]): e["count"] for e in built.truth.of("small_cell")}
    assert all(1 <= count <= 4 for count in small.values())


def test_forms_drift_when_they_should(later: Built) -> None:
    headers = {"grants": [], "mobility": []}  # type: dict[str, list[tuple[str, set[str]]]]
    for path, piece in later.of("grants").items():
        headers["grants"].append((f"{path[-8:-4]}-05", set(table(piece.content, 3)[0])))
    for path, piece in later.of("mobility").items():
        headers["mobility"].append((f"{path[-8:-4]}-01", set(separated(piece)[0])))
    changed = []
    for name, found in headers.items():
        for (_, before), (month, after) in pairwise(found):
            if before != after:
                changed.append((f"higher_education.raw.{name}", month, before - after, after - before))
    assert changed == [
        ("higher_education.raw.grants", "2026-05", {"Montant (€)"}, {"Montant octroyé (EUR)"}),
        ("higher_education.raw.mobility", "2026-01", set(), {"Programme"}),
    ]
    said = {(e["dataset"], e["month"], e["change"], e["column"], e.get("becomes")) for e in later.truth.of("drift")}
    assert said == {
        ("higher_education.raw.grants", "2026-05", "column_renamed", "Montant (€)", "Montant octroyé (EUR)"),
        ("higher_education.raw.mobility", "2026-01", "column_added", "Programme", None),
    }


def test_the_first_twenty_shared_people_study(present: Built) -> None:
    known = {person.national_number: person for person in shared_people(Scenario())}
    students = {row["national_number"]: row for row in present.table("students")}
    there = {known[number].number: students[number] for number in known.keys() & students.keys()}
    assert there.keys() == set(range(1, 21))
    for entry in present.truth.of("person"):
        (place,) = entry["appearances"]
        row = there[entry["person"]]
        assert (place["dataset"], place["column"]) == ("higher_education.raw.students", "last_name")
        assert place["key"] == {"student_id": int(row["student_id"])}
        assert (place["first_name"], place["last_name"]) == (row["first_name"], row["last_name"])
        assert row["birth_date"] == known[row["national_number"]].birth_date.isoformat()
    years = {row["student_id"] for row in present.table("enrolments")}
    assert {str(number) for number in there} <= years


def test_the_shared_people_do_not_depend_on_scale() -> None:
    assert Built(Scenario(scale=2)).truth.of("person") == Built(Scenario()).truth.of("person")


def test_the_register_refers_to_what_is_there(later: Built) -> None:
    students, enrolments, diplomas = (later.table(name) for name in ("students", "enrolments", "diplomas"))
    numbers = {row["student_id"] for row in students}
    assert len(numbers) == len(students) == len({row["national_number"] for row in students})
    known = known_institutions(later)
    for rows, key in ((enrolments, "enrolment_id"), (diplomas, "diploma_id")):
        assert len({row[key] for row in rows}) == len(rows)
        assert {row["student_id"] for row in rows} <= numbers
        assert {row["institution_id"] for row in rows} <= known
        assert {row["study_domain"] for row in rows} <= DOMAINS
    assert len({(row["student_id"], row["academic_year"]) for row in enrolments}) == len(enrolments)
    assert {row["nationality"] for row in students} <= {country for country, *_ in COUNTRIES}
    postcodes = {code for place in places.municipalities() for code in place.postcodes}
    assert {row["postcode"] for row in students} <= postcodes
    assert {row["status"] for row in enrolments if row["academic_year"] == "2026-2027"} == {"enrolled"}
    assert {row["status"] for row in enrolments if row["academic_year"] == "2025-2026"} == {"passed", "failed", "left"}
    assert max(row["awarded_on"] for row in diplomas) <= LAST.last.isoformat()


def test_workbooks_lists_and_services_hold_what_they_should(later: Built) -> None:
    known = known_institutions(later)
    municipalities = {place.nis_code: place for place in places.municipalities()}
    for rows in later.institutions():
        assert {row["Code"] for row in rows} == known
        assert len(rows) == len(known)
        assert all(row["CP"] in municipalities[row["INS"]].postcodes for row in rows)
    countries = {country for country, *_ in COUNTRIES}
    for row in later.mobility():
        assert row["Pays"].upper() in countries
        leaves = datetime.strptime(row["Départ"], DAY).date()  # noqa: DTZ007  a day has no zone
        assert date(int(row["Année académique"][:4]), 9, 1) <= leaves <= date(int(row["Année académique"][5:]), 2, 28)
        assert number(row["Bourse (€)"]) > 0
    for row in later.grants():
        assert row["Octroyé le"].year == int(row["N° dossier"][:4])
        assert row["Durée (mois)"] in (12, 24, 36, 48)
    projects = objects(later.pieces["rest/higher_education_research/projects.ndjson"].content)
    assert len({row["project_id"] for row in projects}) == len(projects)
    assert all(
        row["institution_id"] in known and row["study_domain"] in DOMAINS and row["updated_at"][:10] <= "2026-10-31" for row in projects
    )
    allotments = objects(later.pieces["soap/higher_education_budget/GetAllotments.ndjson"].content)
    assert {(row["Year"], row["Institution"]) for row in allotments} == {(year, code) for year in range(2022, 2027) for code in known}
    assert len(allotments) == 5 * len(known)


def test_what_arrived_is_of_a_month_that_is_over(later: Built) -> None:
    assert max(piece.arrived for piece in later.pieces.values()) <= LAST.arrival()
    for path, piece in later.of("publications").items():
        month = path.split("_")[-1].removesuffix(".ndjson.gz")
        if len(month) == 7:
            assert piece.arrived == Month.parse(month).arrival()
            assert {row["depose_le"][:7] for row in objects(gzip.decompress(piece.content))} == {month}


def test_columns_with_personal_data_are_marked_as_the_truth_says(present: Built) -> None:
    said: dict[str, dict[str, bool]] = {}
    for entry in present.truth.of("personal_data"):
        said.setdefault(entry["dataset"], {})[entry["column"]] = entry["marked"]
    assert sum(not marked for columns in said.values() for marked in columns.values()) >= 2
    for path in sorted((CONTRACTS / "raw").glob("*.yaml")):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        marked = {c["name"] for c in contract["schema"][0]["properties"] if "personalData" in str(c.get("customProperties"))}
        expected = said.get(contract["id"], {})
        assert marked == {name for name, is_marked in expected.items() if is_marked}
        assert expected.keys() <= {c["name"] for c in contract["schema"][0]["properties"]}


def test_unmarked_columns_hold_account_numbers_and_names(present: Built) -> None:
    assert all(re.fullmatch(r"BE\d\d( \d{4}){3}", row["Référence"]) for row in present.grants())
    remarks = [row["Remarque"] for row in present.mobility() if row["Remarque"]]
    assert len(remarks) > 50
    assert all(re.search(r"contact sur place : \w+.*\+32 470 00 \d\d \d\d$", remark) for remark in remarks)


def test_rows_keep_to_the_budget_and_grow_with_the_scale(present: Built) -> None:
    def lines(built: Built) -> int:
        tables = sum(len(built.table(name)) for name in ("students", "enrolments", "diplomas"))
        files = len(built.grants()) + len(built.mobility()) + len(built.publications())
        return tables + files + len(objects(built.pieces["rest/higher_education_research/projects.ndjson"].content))

    assert 35_000 < lines(present) < 45_000
    assert 1.9 < lines(Built(Scenario(scale=2))) / lines(present) < 2.1

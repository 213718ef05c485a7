"""Sport's systems: what is planted is found again in the data alone, and nothing else is wrong with it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from python_calamine import CalamineWorkbook

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import sport
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

CONTRACTS = Path(__file__).resolve().parents[3] / "examples" / "federation" / "domains" / "sport" / "contracts" / "raw"
DISCIPLINES = set(codes.values("discipline"))
COUNTED = ("Scolaires", "Clubs", "Public")
Row = dict[str, Any]
Fault = tuple[str, str, tuple[tuple[str, Any], ...]]


class Built:
    """Pieces and truth of one scenario, read as anybody would who does not know what is planted."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.truth = scenario, Truth()
        self.pieces: dict[str, Piece] = {piece.path: piece for piece in sport.build(scenario, self.truth)}

    def under(self, folder: str) -> list[Piece]:
        return [piece for path, piece in self.pieces.items() if path.startswith(folder)]

    def attendance(self) -> list[Row]:
        return [row | {"file": p.path} for p in self.under("share/sport_attendance/") for row in sheet(p, 0, 4)[0]]

    def clubs(self, year: int) -> list[Row]:
        rows: list[Row] = json.loads(self.pieces[f"share/sport_clubs/clubs_{year}.json"].content)["clubs"]
        return rows

    def facilities(self) -> list[Row]:
        return [row["properties"] for p in self.under("s3/sport_infrastructure/") for row in json.loads(p.content)["features"]]

    def paid(self, name: str) -> list[Row]:
        return [row for piece in self.under("share/sport_works/") for row in sheet(piece, name, 2)[0]]

    def table(self, name: str) -> list[Row]:
        ddl = self.pieces["mariadb/sport_licences/schema.sql"].content.decode()
        body = re.search(rf"create table {name} \((.*?)\);\n", ddl, re.DOTALL)
        assert body
        columns = re.findall(r"(?:^|, )\s*([a-z_]+) (?:bigint|varchar|char|date|datetime|decimal)\b", body[1], re.MULTILINE)
        return list(csv.DictReader(io.StringIO(self.pieces[f"mariadb/sport_licences/{name}.csv"].content.decode()), columns))


def sheet(piece: Piece, name: str | int, header: int) -> tuple[list[Row], Row]:
    """Return the lines of a sheet between its header and its total, and the total."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(piece.content))
    found = book.get_sheet_by_index(name) if isinstance(name, int) else book.get_sheet_by_name(name)
    rows = found.to_python(skip_empty_area=False)
    names = [str(cell) for cell in rows[header]]
    end = next(at for at, row in enumerate(rows) if str(row[0]).startswith(("TOTAL", "Total")))
    lines = [dict(zip(names, row, strict=True)) for row in rows[header + 1 : end + 1]]
    return lines[:-1], lines[-1]


def number(text: str) -> float:
    return float(text.replace(".", "").replace(",", "."))


def iso(day: str) -> str:
    return "-".join(reversed(day.split("/")))


def planted(built: Built, fault: str) -> list[Fault]:
    entries = built.truth.of("unknown_code") if fault == "unknown_code" else [e for e in built.truth.of("quality") if e["fault"] == fault]
    return sorted((e["dataset"].rpartition(".")[2], e["column"], tuple(e["key"].items())) for e in entries)


@pytest.fixture(scope="module", params=[2025, 7])
def present(request: pytest.FixtureRequest) -> Built:
    return Built(Scenario(seed=request.param))


@pytest.fixture(scope="module")
def before() -> Built:
    return Built(Scenario())


@pytest.fixture(scope="module")
def later() -> Built:
    return Built(Scenario(month=LAST))


def test_the_same_scenario_gives_the_same_bytes(before: Built) -> None:
    again = Built(Scenario())
    assert again.pieces == before.pieces
    assert again.truth.text(Scenario()) == before.truth.text(Scenario())


def test_a_later_month_keeps_the_files_that_were_there(before: Built, later: Built) -> None:
    assert all(later.pieces[path] == piece for path, piece in before.pieces.items() if not path.startswith("mariadb/"))
    assert before.truth.of("drift") == []
    for name, key in (("licences", "licence_id"), ("licence_holders", "holder_id")):
        now = {row[key]: row for row in later.table(name)}
        assert len(now) > len(before.table(name))
        assert all(now[row[key]] == row for row in before.table(name))


def test_exactly_what_was_promised_is_planted(present: Built) -> None:
    assert present.truth.faults("quality") == {"duplicate": 2, "orphan": 2, "out_of_range": 2, "late_file": 3, "volume_drop": 1}
    counts = present.truth.counts()
    assert (counts["unknown_code"], counts["small_cell"], counts["person"]) == (2, 0, 25)
    assert sum(not entry["marked"] for entry in present.truth.of("personal_data")) >= 2
    assert len(present.truth.of("lineage")) >= 2


def test_the_duplicates_are_the_planted_ones(present: Built) -> None:
    dossiers = Counter(row["Dossier"] for row in present.paid("Travaux"))
    found: list[Fault] = [("works", "dossier", (("dossier", dossier),)) for dossier, n in dossiers.items() if n > 1]
    seen: set[str] = set()
    for row in present.clubs(2025):
        if row["bce"] in seen:
            found.append(("clubs", "enterprise_number", (("club_id", row["numero"]),)))
        seen.add(row["bce"])
    assert sorted(found) == planted(present, "duplicate")
    for year in (2023, 2024):
        assert len({row["bce"] for row in present.clubs(year)}) == len(present.clubs(year))
    assert len({row["code"] for row in present.facilities()}) == len(present.facilities())
    readings = Counter((row["Code"], iso(row["Date"])[:7]) for row in present.attendance())
    assert max(readings.values()) == 1


def test_the_orphans_are_the_planted_ones(present: Built) -> None:
    facilities, clubs = {row["code"] for row in present.facilities()}, {row["numero"] for row in present.clubs(2025)}
    found: list[Fault] = [
        ("works", "facility_id", (("dossier", row["Dossier"]),)) for row in present.paid("Travaux") if row["Code"] not in facilities
    ]
    found += [
        ("subsidies", "club_id", (("club_id", row["N° club"]), ("paid_on", iso(row["Date de paiement"]))))
        for row in present.paid("Subsides")
        if row["N° club"] not in clubs
    ]
    assert sorted(found) == planted(present, "orphan")
    assert {row["Code"] for row in present.attendance()} <= facilities
    holders = {row["holder_id"] for row in present.table("licence_holders")}
    assert {row["holder_id"] for row in present.table("licences")} == holders
    assert {row["club_id"] for row in present.table("licences")} <= clubs


def test_the_values_out_of_range_are_the_planted_ones(present: Built) -> None:
    found: list[Fault] = [
        ("attendance", "occupation_percent", (("facility_id", row["Code"]), ("read_on", iso(row["Date"]))))
        for row in present.attendance()
        if not 0 <= number(row["%"]) <= 100
    ]
    found += [("clubs", "members", (("club_id", row["numero"]),)) for row in present.clubs(2025) if not 1 <= row["membres"] <= 5000]
    assert sorted(found) == planted(present, "out_of_range")
    assert all(1 <= row["membres"] <= 5000 for year in (2023, 2024) for row in present.clubs(year))
    assert all(0 <= row[name] < 10_000 for row in present.attendance() for name in COUNTED)


def test_the_unknown_codes_are_the_planted_ones(present: Built) -> None:
    found: list[Fault] = [
        ("clubs", "discipline", (("club_id", row["numero"]),)) for row in present.clubs(2025) if row["discipline"] not in DISCIPLINES
    ]
    found += [
        ("infrastructure", "discipline", (("facility_id", row["code"]),))
        for row in present.facilities()
        if row["discipline"] not in DISCIPLINES
    ]
    assert sorted(found) == planted(present, "unknown_code")
    assert {entry["meant"] for entry in present.truth.of("unknown_code")} <= DISCIPLINES
    assert {row["discipline"] for year in (2023, 2024) for row in present.clubs(year)} <= DISCIPLINES


def test_places_are_those_of_the_list(present: Built) -> None:
    known = {place.nis_code: place.name_fr for place in places.municipalities()}
    assert all(row["commune"] == known[row["ins"]] for year in (2023, 2024, 2025) for row in present.clubs(year))
    assert {row["ins"] for row in present.facilities()} | {row["INS"] for row in present.attendance()} <= known.keys()


def test_the_late_files_and_the_drop_are_the_planted_ones(present: Built) -> None:
    days = {p.path: p.arrived.day for p in present.under("share/sport_attendance/")}
    usual = Counter(days.values()).most_common(1)[0][0]
    late = {path for path, day in days.items() if day >= usual + 10}
    late |= {p.path for p in present.under("share/sport_works/") if (p.arrived.date() - date(p.arrived.year, 2, 15)).days >= 10}
    assert late == {entry["key"] for entry in present.truth.of("quality") if entry["fault"] == "late_file"}
    rows = Counter(row["file"] for row in present.attendance())
    monthly = {path: n for path, n in rows.items() if re.search(r"\d{4}-\d\d\.xlsx$", path)}
    assert [path for path, n in monthly.items() if n < 0.4 * max(monthly.values())] == [
        entry["key"] for entry in present.truth.of("quality") if entry["fault"] == "volume_drop"
    ]


def test_a_person_whom_others_know_stands_where_the_truth_says(present: Built) -> None:
    rows = {int(row["holder_id"]): row for row in present.table("licence_holders")}
    known = {person.number: person for person in shared_people(present.scenario)}
    assert {entry["person"] for entry in present.truth.of("person")} == set(range(1, 26))
    for entry in present.truth.of("person"):
        (place,) = entry["appearances"]
        row, person = rows[place["key"]["holder_id"]], known[entry["person"]]
        assert (row["first_name"], row["last_name"]) == (place["first_name"], place["last_name"]) == person.spellings[2]
        assert date.fromisoformat(row["birth_date"]) == person.birth_date


def test_the_columns_of_personal_data_are_those_that_contracts_mark(present: Built) -> None:
    columns = {}
    for path in CONTRACTS.glob("*.odcs.yaml"):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        for column in contract["schema"][0]["properties"]:
            columns[contract["id"], column["name"]] = "personalData" in str(column.get("customProperties"))
    entries = {(entry["dataset"], entry["column"]): entry["marked"] for entry in present.truth.of("personal_data")}
    declared = {place: marked for place, marked in entries.items() if place[0] in {dataset for dataset, _ in columns}}
    assert declared == {place: columns[place] for place in declared}
    assert {place for place, marked in columns.items() if marked} == {place for place, marked in declared.items() if marked}


def test_totals_add_up(present: Built) -> None:
    for piece in present.under("share/sport_attendance/"):
        lines, total = sheet(piece, 0, 4)
        assert [sum(line[name] for line in lines) for name in COUNTED] == [total[name] for name in COUNTED]
    for piece in present.under("share/sport_works/"):
        for name in ("Travaux", "Subsides"):
            lines, total = sheet(piece, name, 2)
            assert round(sum(number(line["Montant (€)"]) for line in lines), 2) == number(total["Montant (€)"])


def test_workbooks_have_titles_merged_cells_and_a_macro_where_the_name_says_so(present: Built) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(present.pieces["share/sport_attendance/frequentation_2025-02.xlsx"].content))
    rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert rows[1][0] == "Mois : février 2025"
    assert rows[3][:5] == ["Infrastructure", "", "", "Relevé", "Fréquentation"]
    for piece in present.under("share/sport_works/"):
        assert "xl/vbaProject.bin" in zipfile.ZipFile(io.BytesIO(piece.content)).namelist()
        merged = CalamineWorkbook.from_filelike(io.BytesIO(piece.content)).get_sheet_by_name("Travaux").merged_cell_ranges
        assert all(left == right == 0 for (_, left), (_, right) in merged or [((0, 1), (0, 1))])


def test_halls_are_full_in_winter_and_schools_stay_away_in_summer(present: Built) -> None:
    kinds = {row["code"]: row["type"] for row in present.facilities()}
    halls, pools = Counter[str](), Counter[str]()
    for row in present.attendance():
        month = iso(row["Date"])[:7]
        if month[:4] in ("2023", "2024"):
            halls[month[5:]] += row["Clubs"]
            pools[month[5:]] += row["Public"] if kinds[row["Code"]] == "piscine" else 0
        assert row["Scolaires"] == 0 or month[5:] != "07"
    assert min(halls[month] for month in ("12", "01", "02")) > 1.5 * max(halls["07"], halls["08"])
    assert pools["07"] > 1.4 * pools["01"]


def test_the_form_changes_when_the_truth_says(later: Built) -> None:
    renamed = {p.path for p in later.under("share/sport_attendance/") if "Grand public" in sheet(p, 0, 4)[0][0]}
    assert renamed == {f"share/sport_attendance/frequentation_{Month(2025, 12).plus(n)}.xlsx" for n in range(11)}
    assert {year for year in (2023, 2024, 2025, 2026) if isinstance(later.clubs(year)[0]["membres"], dict)} == {2026}
    assert [(e["month"], e["change"]) for e in later.truth.of("drift")] == [("2025-12", "column_renamed"), ("2026-03", "type_changed")]
    assert Built(Scenario(month=Month(2026, 2))).truth.counts()["drift"] == 1


def test_rows_keep_to_their_budget_and_grow_with_the_scale(before: Built) -> None:
    licences, holders = len(before.table("licences")), len(before.table("licence_holders"))
    camps = sum(len(p.content.decode("cp1252").splitlines()) - 1 for p in before.under("sftp/sport_camps/"))
    others = (
        before.attendance(),
        before.facilities(),
        before.paid("Travaux"),
        before.paid("Subsides"),
        *map(before.clubs, (2023, 2024, 2025)),
    )
    assert 17_000 < licences + holders + camps + sum(map(len, others)) < 22_000
    large = Built(Scenario(scale=3))
    assert 2.8 * licences < len(large.table("licences")) < 3.2 * licences
    assert len(large.clubs(2025)) == pytest.approx(len(before.clubs(2025)), abs=40)


def test_everything_has_arrived_by_the_day_of_the_federation(present: Built) -> None:
    moment = datetime.combine(Scenario().today, datetime.min.time()).astimezone()
    assert max(piece.arrived for piece in present.pieces.values()) < moment

"""The systems of youth care: what is planted is found again from the data alone, and nothing else is wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from itertools import pairwise
from statistics import median
from typing import Any

import openpyxl
import pytest

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import youth_care, youth_care_cases, youth_care_children, youth_care_daycare, youth_care_places
from polyceph.testing.federation.domains.youth_care_districts import DISTRICTS
from polyceph.testing.federation.domains.youth_care_services import LAYOUT
from polyceph.testing.federation.pieces import MONTHS, Piece
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

Row = dict[str, str]
NIS_CODES = {place.nis_code for place in places.municipalities()}


@dataclass(frozen=True)
class Built:
    """What was made, by path, and what was planted."""

    pieces: Mapping[str, Piece]
    truth: Truth

    def files(self, prefix: str) -> list[Piece]:
        return [piece for path, piece in sorted(self.pieces.items()) if path.startswith(prefix)]

    def table(self, name: str) -> list[Row]:
        columns = {"children": youth_care_children.COLUMNS} | {
            "cases": youth_care_cases.CASE_COLUMNS,
            "measures": youth_care_cases.MEASURE_COLUMNS,
        }
        text = self.pieces[f"postgres/youth_care_care/{name}.csv"].content.decode()
        return [dict(zip(columns[name], row, strict=True)) for row in csv.reader(io.StringIO(text))]

    @cached_property
    def daycare(self) -> list[tuple[str, Row]]:
        """Every row of the files of day care with the path of its file."""
        return [
            (piece.path, row)
            for piece in self.files("ftp/youth_care_daycare/")
            for row in csv.DictReader(io.StringIO(piece.content.decode("cp1252")), delimiter=";")
        ]

    def quality(self, fault: str) -> set[tuple[str, str, str]]:
        """Dataset, column and key of the planted faults of a kind."""
        entries = [entry for entry in self.truth.of("quality") if entry["fault"] == fault]
        return {(entry["dataset"].split(".")[2], entry.get("column", ""), shown(entry["key"])) for entry in entries}


def shown(key: object) -> str:
    return key if isinstance(key, str) else json.dumps(key, sort_keys=True)


def made(scenario: Scenario) -> Built:
    truth = Truth()
    pieces = list(youth_care.build(scenario, truth))
    by_path = {piece.path: piece for piece in pieces}
    assert len(by_path) == len(pieces)
    return Built(by_path, truth)


@pytest.fixture(scope="module")
def built() -> Built:
    return made(Scenario())


@pytest.fixture(scope="module")
def played() -> Built:
    return made(Scenario(month=LAST))


@cache
def placement_rows(piece: Piece) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(piece.content))["Places"]
    header, *rows = sheet.iter_rows(min_row=3, values_only=True)
    named = [dict(zip(header, row, strict=True)) for row in rows]
    return [row for row in named if row["N° service"] not in (None, "Total")]


def test_the_same_scenario_gives_the_same_bytes(built: Built) -> None:
    again = made(Scenario())
    assert again.pieces == built.pieces
    assert again.truth.entries == built.truth.entries


def test_there_are_about_twelve_thousand_rows(built: Built) -> None:
    rows = sum(len(built.table(name)) for name in ("children", "cases", "measures")) + len(built.daycare)
    rows += sum(len(placement_rows(piece)) for piece in built.files("share/"))
    rows += sum(piece.content.count(b"\n") for piece in built.files("rest/youth_care_hotline/calls"))
    rows += sum(piece.content.count(b"\n") for piece in built.files("sftp/"))
    assert 11_000 <= rows <= 13_000


def test_a_later_month_only_adds(built: Built, played: Built) -> None:
    for prefix in ("share/", "ftp/", "sftp/", "graph/youth_care_reports/library/"):
        for piece in built.files(prefix):
            assert played.pieces[piece.path] == piece
    calls = "rest/youth_care_hotline/calls.ndjson"
    assert played.pieces[calls].content.startswith(built.pieces[calls].content)
    for name in ("children", "cases", "measures"):
        before, after = built.table(name), played.table(name)
        assert len(before) < len(after)
        for old, new in zip(before, after, strict=False):
            assert old == new or old["updated_at"] < new["updated_at"]
    assert all(entry in played.truth.of("quality") for entry in built.truth.of("quality"))


def test_as_much_is_planted_as_was_asked_for(built: Built, played: Built) -> None:
    wanted = {"duplicate": 3, "orphan": 3, "out_of_range": 3, "late_file": 1, "volume_drop": 1}
    for one in (built, played):
        assert one.truth.faults("quality") == wanted
        assert (len(one.truth.of("unknown_code")), len(one.truth.of("small_cell")), len(one.truth.of("person"))) == (2, 4, 12)
    assert sum(not entry["marked"] for entry in built.truth.of("personal_data")) == 3
    assert built.truth.of("drift") == []
    assert {(e["month"], e["change"], e["column"]) for e in played.truth.of("drift")} == {
        ("2026-07", "column_added", "Allergies"),
        ("2026-09", "column_renamed", "Occupées"),
    }


def test_duplicates_are_the_planted_ones(built: Built) -> None:
    found = set()
    for table, column, key in (("children", "national_number", "child_id"), ("cases", "case_number", "case_id")):
        seen: set[str] = set()
        for row in built.table(table):
            if row[column] in seen:
                found.add((table, column, shown({key: int(row[key])})))
            seen.add(row[column])
    keys = [(row["Code"], row["Mois"]) for _, row in built.daycare]
    keys += [(row["N° service"], str(row["Mois"])) for piece in built.files("share/") for row in placement_rows(piece)]
    assert len(keys) == len(set(keys))
    for name in ("children", "cases", "measures"):
        assert [int(next(iter(row.values()))) for row in built.table(name)] == list(range(1, len(built.table(name)) + 1))
    assert found == built.quality("duplicate")


def test_orphans_are_the_planted_ones(built: Built) -> None:
    children, cases = ({row[key] for row in built.table(name)} for name, key in (("children", "child_id"), ("cases", "case_id")))
    found = {("cases", "child_id", shown({"case_id": int(r["case_id"])})) for r in built.table("cases") if r["child_id"] not in children}
    orphans = [row for row in built.table("measures") if row["case_id"] not in cases]
    found |= {("measures", "case_id", shown({"measure_id": int(row["measure_id"])})) for row in orphans}
    services = {row["N° service"] for row in placement_rows(built.files("share/")[0])}
    assert {row["service_code"] for row in built.table("measures")} - {""} <= services
    assert found == built.quality("orphan")


def test_values_out_of_range_are_the_planted_ones(built: Built) -> None:
    found = set()
    for row in built.table("measures"):
        if not youth_care_cases.RATE[0] <= float(row["daily_rate_eur"]) <= youth_care_cases.RATE[1]:
            found.add(("measures", "daily_rate_eur", shown({"measure_id": int(row["measure_id"])})))
    for piece in built.files("share/"):
        for line in placement_rows(piece):
            if not 0 <= float(line["Taux (%)"].replace(",", ".")) <= youth_care_places.OCCUPANCY[1]:
                key = {"service_code": line["N° service"], "month": line["Mois"].date().isoformat()}
                found.add(("placements", "occupancy_percent", shown(key)))
    for _, row in built.daycare:
        if not 0 <= int(row["Journées"].replace(" ", "")) <= youth_care_daycare.CHILD_DAYS[1]:
            found.add(("daycare", "child_days", shown({"centre_code": row["Code"], "month": month_of(row["Mois"]).first.isoformat()})))
    assert found == built.quality("out_of_range")


def test_unknown_codes_are_the_planted_ones(built: Built) -> None:
    lists = {"kind": codes.values("care_measure"), "place": codes.values("care_place")}
    found = {
        (column, row["measure_id"], row[column])
        for row in built.table("measures")
        for column, known in lists.items()
        if row[column] not in known
    }
    assert found == {(e["column"], str(e["key"]["measure_id"]), e["code"]) for e in built.truth.of("unknown_code")}
    assert all(entry["meant"] in lists[entry["column"]] for entry in built.truth.of("unknown_code"))
    assert {row["Type"] for piece in built.files("share/") for row in placement_rows(piece)} <= set(lists["place"])
    where = [row["nis_code"] for row in built.table("children")] + [row["INS"] for _, row in built.daycare]
    assert set(where) <= NIS_CODES


def test_late_files_and_months_with_few_rows_are_the_planted_ones(played: Built) -> None:
    late, few = set(), set()
    rows = Counter(row["Mois"] for _, row in played.daycare)
    for piece in played.files("ftp/"):
        months = {row["Mois"] for path, row in played.daycare if path == piece.path}
        late |= {piece.path} if (piece.arrived - max(map(month_of, months)).arrival(days=5)).days >= 10 else set()
        few |= {piece.path} if any(rows[month] < 0.4 * median(rows.values()) for month in months) else set()
    assert late == {key for _, _, key in played.quality("late_file")}
    assert few == {key for _, _, key in played.quality("volume_drop")}
    assert {piece.arrived.day for piece in played.files("share/")} == {3}


def month_of(text: str) -> Month:
    name, year = text.split()
    return Month(int(year), MONTHS.index(name) + 1)


@pytest.mark.parametrize("which", ["built", "played"])
def test_counts_of_few_are_the_planted_ones(which: str, request: pytest.FixtureRequest) -> None:
    one: Built = request.getfixturevalue(which)
    district = {row["case_id"]: row["district"] for row in one.table("cases")}
    known = set(codes.values("care_measure"))
    counted = Counter(
        (district[row["case_id"]], row["kind"]) for row in one.table("measures") if row["case_id"] in district and row["kind"] in known
    )
    assert len(counted) == len(DISTRICTS) * len(known)
    few = {cell: count for cell, count in counted.items() if count < 10}
    planted = {(e["cell"]["district"], e["cell"]["kind"]): e["count"] for e in one.truth.of("small_cell")}
    assert few == planted
    assert set(planted.values()) <= {1, 2, 3, 4}


def test_time_goes_on_as_it_must(built: Built) -> None:
    cases = {row["case_id"]: row for row in built.table("cases")}
    births = {row["child_id"]: row["birth_date"] for row in built.table("children")}
    for row in cases.values():
        assert row["closed_on"] == "" or row["opened_on"] < row["closed_on"]
        if row["child_id"] in births:
            age = (date.fromisoformat(row["opened_on"]) - date.fromisoformat(births[row["child_id"]])).days
            assert 30 <= age <= 365.25 * 20
    for row in built.table("measures"):
        case = cases.get(row["case_id"])
        assert case is None or case["opened_on"] <= row["began_on"] <= (case["closed_on"] or "9999")
    for name in ("children", "cases", "measures"):
        assert all(datetime.fromisoformat(row["updated_at"]).date() <= Scenario().month.last for row in built.table(name))
    assert all(a["opened_on"] <= b["opened_on"] for a, b in pairwise(cases.values()))


def test_people_whom_others_know_are_there_as_written(built: Built) -> None:
    rows = {int(row["child_id"]): row for row in built.table("children")}
    people = {person.number: person for person in shared_people(Scenario())}
    for entry in built.truth.of("person"):
        [where] = entry["appearances"]
        row, person = rows[where["key"]["child_id"]], people[entry["person"]]
        prefix = where["column"].removesuffix("last_name")
        assert (row[f"{prefix}first_name"], row[f"{prefix}last_name"]) == (where["first_name"], where["last_name"])
        assert (prefix == "") == (person.birth_date.year >= 2007)
        assert prefix or row["national_number"] == person.national_number


def test_what_contracts_do_not_mark_is_personal_all_the_same(built: Built) -> None:
    telephone = re.compile(r"0400( \d\d){3}")
    assert any(telephone.search(row["remark"]) for row in built.table("cases"))
    assert any(telephone.search(row["Remarques"] or "") for piece in built.files("share/") for row in placement_rows(piece))
    accounts = [row["reference"] for row in built.table("measures") if row["reference"]]
    assert all(re.fullmatch(r"BE\d\d 979\d( \d{4}){2}", account) for account in accounts)
    assert len(accounts) > 100


def test_a_workbook_of_placements_hides_what_is_about_people(built: Built) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(built.files("share/")[0].content))["Places"]
    assert [letter for letter in "ABCDEFGHIJK" if sheet.column_dimensions[letter].hidden] == ["E", "F", "K"]
    assert sum(cell.comment is not None for row in sheet.iter_rows() for cell in row) > 1


def test_a_column_is_added_and_one_renamed_when_time_is_played_on(played: Built) -> None:
    headers = {piece.path[-11:-4]: piece.content.split(b"\r\n")[0].decode("cp1252") for piece in played.files("ftp/")}
    assert {label for label, header in headers.items() if header.endswith(";Allergies")} == {"2026-07", "2026-08", "2026-09", "2026-10"}
    renamed = {piece.path for piece in played.files("share/") if "Présents" in placement_rows(piece)[0]}
    assert renamed == {"share/youth_care_placements/places_2026-T3.xlsx"}


def test_foster_families_stand_in_columns_of_a_fixed_width(built: Built) -> None:
    for piece in built.files("sftp/"):
        lines = piece.content.decode("cp1252").split("\r\n")[:-1]
        assert {len(line) for line in lines} == {sum(width for _, width in LAYOUT)}
        numbers = [line[:8] for line in lines]
        assert len(set(numbers)) == len(numbers) > 150


def test_reports_are_documents_that_a_list_names(built: Built) -> None:
    rows = [json.loads(line) for line in built.pieces["graph/youth_care_reports/lists/visites.ndjson"].content.splitlines()]
    documents = built.files("graph/youth_care_reports/library/")
    assert sorted(f"graph/youth_care_reports/library/{row['Fichier']}" for row in rows) == [piece.path for piece in documents]
    assert all(piece.content.startswith(b"PK") for piece in documents)


def test_rows_grow_with_the_scale() -> None:
    one, three = (rows_at(scale) for scale in (1, 3))
    for name in one:
        assert 2.8 * one[name] <= three[name] <= 3.2 * one[name]


def rows_at(scale: int) -> dict[str, int]:
    scenario, truth = Scenario(scale=scale), Truth()
    tables: Sequence[Piece] = [piece for piece in youth_care.register(scenario, truth) if piece.path.endswith(".csv")]
    return {piece.path: piece.content.count(b"\n") for piece in tables}

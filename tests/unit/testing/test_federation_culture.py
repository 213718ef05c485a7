"""Culture's systems: what is planted is found again in the data alone, and nothing else is wrong with it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from python_calamine import CalamineWorkbook

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import culture
from polyceph.testing.federation.pieces import MONTHS, Piece
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

CONTRACTS = Path(__file__).resolve().parents[3] / "examples" / "federation" / "domains" / "culture" / "contracts" / "raw"
GROWING = ("postgres/", "rest/", "explore/", "graph/")
Row = dict[str, Any]
Fault = tuple[str, str, tuple[tuple[str, Any], ...]]


class Built:
    """Pieces and truth of one scenario, read as anybody would who does not know what is planted."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.truth = scenario, Truth()
        self.pieces: dict[str, Piece] = {piece.path: piece for piece in culture.build(scenario, self.truth)}

    def under(self, folder: str) -> list[Piece]:
        return [piece for path, piece in self.pieces.items() if path.startswith(folder)]

    def libraries(self) -> list[Row]:
        return separated(self.pieces["share/culture_libraries/bibliotheques.csv"], "cp1252")

    def visits(self) -> list[Row]:
        return [row | {"file": p.path} for p in self.under("share/culture_libraries/freq") for row in separated(p, "utf-8-sig")]

    def table(self, name: str) -> list[Row]:
        ddl = self.pieces["postgres/culture_loans/schema.sql"].content.decode()
        body = re.search(rf"create table {name} \((.*?)\);\n", ddl, re.DOTALL)
        assert body
        columns = re.findall(r"(?:^|, )\s*([a-z_]+) (?:bigint|text|date|integer|numeric|timestamptz)", body[1], re.MULTILINE)
        return list(csv.DictReader(io.StringIO(self.pieces[f"postgres/culture_loans/{name}.csv"].content.decode()), columns))

    def heritage(self) -> list[Row]:
        return [
            row
            for piece in self.under("s3/culture_heritage/")
            if piece.path.endswith(".json")
            for row in json.loads(piece.content)["biens"]
        ]

    def lines(self, path: str) -> list[Row]:
        return [json.loads(line) for line in self.pieces[path].content.splitlines()]


def separated(piece: Piece, encoding: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(piece.content.decode(encoding)), delimiter=";"))


def tables(piece: Piece) -> list[tuple[list[Row], Row]]:
    """Return the lines of each table of the sheet, which stand beside each other, and the total that ends it."""
    rows = CalamineWorkbook.from_filelike(io.BytesIO(piece.content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    header = [str(cell) for cell in rows[4]]
    starts = [at for at, cell in enumerate(header) if cell and (at == 0 or not header[at - 1])]
    found = []
    for start in starts:
        end = next((at for at in range(start, len(header)) if not header[at]), len(header))
        lines = [dict(zip(header[start:end], row[start:end], strict=True)) for row in rows[5:]]
        total = next(at for at, line in enumerate(lines) if line[header[start]] == "Total")
        found.append((lines[:total], lines[total]))
    return found


def number(text: str) -> float:
    return float(text.replace(" ", "").replace(".", "").replace(",", "."))


def month_of(text: str) -> Month:
    name, year = text.lower().split()
    return Month(int(year), MONTHS.index(name) + 1)


def planted(built: Built, fault: str) -> list[Fault]:
    entries = built.truth.of("unknown_code") if fault == "unknown_code" else [e for e in built.truth.of("quality") if e["fault"] == fault]
    return sorted((e["dataset"].rpartition(".")[2], e["column"], tuple(e["key"].items())) for e in entries)


@pytest.fixture(scope="module", params=[2025, 7])
def present(request: pytest.FixtureRequest) -> Built:
    return Built(Scenario(seed=request.param))


@pytest.fixture(scope="module")
def later() -> Built:
    return Built(Scenario(month=LAST))


@pytest.fixture(scope="module")
def before() -> Built:
    return Built(Scenario())


def test_the_same_scenario_gives_the_same_bytes(later: Built) -> None:
    again = Built(Scenario(month=LAST))
    assert again.pieces == later.pieces
    assert again.truth.text(Scenario()) == later.truth.text(Scenario())


def test_a_later_month_keeps_the_files_that_were_there(before: Built, later: Built) -> None:
    assert all(later.pieces[path] == piece for path, piece in before.pieces.items() if not path.startswith(GROWING))
    assert before.truth.of("drift") == []


def test_a_later_month_only_adds_rows_or_changes_them_with_a_newer_time(before: Built, later: Built) -> None:
    for name, key in (("loans", "loan_id"), ("borrowers", "borrower_id")):
        now = {row[key]: row for row in later.table(name)}
        old = before.table(name)
        assert len(now) > len(old)
        assert all(now[row[key]] == row or now[row[key]]["updated_at"] > row["updated_at"] for row in old)
        assert max(row["updated_at"] for row in old) < "2025-11-01"
    for path in (
        "explore/culture_events/agenda.ndjson",
        "rest/culture_museums/entries.ndjson",
        "graph/culture_archives/lists/fonds.ndjson",
    ):
        assert later.lines(path)[: len(before.lines(path))] == before.lines(path)
    now = {row["loan_id"]: row for row in later.table("loans")}
    assert any(not row["returned_on"] and now[row["loan_id"]]["returned_on"] for row in before.table("loans"))


def test_exactly_what_was_promised_is_planted(present: Built) -> None:
    assert present.truth.faults("quality") == {"duplicate": 3, "orphan": 2, "out_of_range": 3, "late_file": 3, "volume_drop": 1}
    counts = present.truth.counts()
    assert (counts["unknown_code"], counts["small_cell"], counts["person"]) == (2, 0, 26)
    assert sum(not entry["marked"] for entry in present.truth.of("personal_data")) >= 2
    assert len(present.truth.of("lineage")) >= 2


def test_the_duplicates_are_the_planted_ones(present: Built) -> None:
    reported = Counter((row["Code"], row["Mois"].lower()) for row in present.visits())
    cards: dict[str, list[int]] = {}
    for row in present.table("borrowers"):
        cards.setdefault(row["card_number"], []).append(int(row["borrower_id"]))
    found: list[Fault] = [("visits", "month", (("library_id", code), ("month", month))) for (code, month), n in reported.items() if n > 1]
    found += [("borrowers", "card_number", (("borrower_id", max(ids)),)) for ids in cards.values() if len(ids) > 1]
    assert sorted(found) == planted(present, "duplicate")
    for rows, key in ((present.table("loans"), "loan_id"), (present.table("borrowers"), "borrower_id"), (present.heritage(), "id")):
        assert len({row[key] for row in rows}) == len(rows)


def test_the_orphans_are_the_planted_ones(present: Built) -> None:
    libraries = {row["Code"] for row in present.libraries()}
    borrowers = {row["borrower_id"]: row for row in present.table("borrowers")}
    loans = present.table("loans")
    found: list[Fault] = [
        ("visits", "library_id", (("library_id", row["Code"]), ("month", row["Mois"])))
        for row in present.visits()
        if row["Code"] not in libraries
    ]
    found += [("loans", "borrower_id", (("loan_id", int(row["loan_id"])),)) for row in loans if row["borrower_id"] not in borrowers]
    assert sorted(found) == planted(present, "orphan")
    assert {row["library_id"] for row in [*loans, *borrowers.values()]} <= libraries
    assert all(row["lent_on"] >= borrowers[row["borrower_id"]]["registered_on"] for row in loans if row["borrower_id"] in borrowers)


def test_the_values_out_of_range_are_the_planted_ones(present: Built) -> None:
    found: list[Fault] = [
        ("visits", "visits", (("library_id", row["Code"]), ("month", row["Mois"])))
        for row in present.visits()
        if not 0 <= number(row["Visites"]) <= 20_000
    ]
    found += [
        ("borrowers", "birth_date", (("borrower_id", int(row["borrower_id"])),))
        for row in present.table("borrowers")
        if not "1930" <= row["birth_date"] < row["registered_on"]
    ]
    found += [
        ("loans", "renewals", (("loan_id", int(row["loan_id"])),)) for row in present.table("loans") if not 0 <= int(row["renewals"]) <= 5
    ]
    assert sorted(found) == planted(present, "out_of_range")
    assert all(number(row["Prêts"]) < 60_000 for row in present.visits())
    assert all(row["lent_on"] < row["due_on"] and row["lent_on"] < (row["returned_on"] or "9") for row in present.table("loans"))


def test_the_unknown_codes_are_the_planted_ones(present: Built) -> None:
    found: list[Fault] = [
        ("libraries", "kind", (("library_id", row["Code"]),))
        for row in present.libraries()
        if row["Type"] not in codes.values("library_kind")
    ]
    found += [
        ("heritage", "kind", (("heritage_id", row["id"]),))
        for row in present.heritage()
        if row["categorie"] not in codes.values("heritage_kind")
    ]
    assert sorted(found) == planted(present, "unknown_code")
    for entry in present.truth.of("unknown_code"):
        assert entry["meant"] in codes.values("library_kind" if entry["dataset"].endswith("libraries") else "heritage_kind")
    known = set(codes.values("event_kind"))
    assert {row["Genre"] for piece in present.under("share/culture_subsidies/") for row in tables(piece)[1][0]} <= known
    assert {row["kind"] for row in present.lines("explore/culture_events/agenda.ndjson")} <= known


def test_places_are_those_of_the_list(present: Built) -> None:
    known = {place.nis_code: set(place.postcodes) for place in places.municipalities()}
    assert all(row["CP"] in known[row["INS"]] for row in present.libraries())
    assert all(row["postcode"] in known[row["nis_code"]] for row in present.table("borrowers"))
    assert all(row["adresse"]["cp"] in known[row["adresse"]["ins"]] for row in present.heritage())
    assert all(
        row["INS"] in known for piece in present.under("share/culture_subsidies/") for table, _ in tables(piece)[:2] for row in table
    )


def test_the_late_files_and_the_drop_are_the_planted_ones(present: Built) -> None:
    days = {p.path: p.arrived.day for p in present.under("share/culture_libraries/freq")}
    yearly = {p.path: (p.arrived.date() - date(p.arrived.year, 1, 1)).days for p in present.under("share/culture_subsidies/")}
    late = {path for found in (days, yearly) for path, day in found.items() if day >= Counter(found.values()).most_common(1)[0][0] + 10}
    assert late == {entry["key"] for entry in present.truth.of("quality") if entry["fault"] == "late_file"}
    rows = Counter(row["file"] for row in present.visits())
    monthly = {path: n for path, n in rows.items() if re.search(r"\d{4}-\d\d\.csv$", path)}
    assert [path for path, n in monthly.items() if n < 0.4 * max(monthly.values())] == [
        entry["key"] for entry in present.truth.of("quality") if entry["fault"] == "volume_drop"
    ]


def test_a_person_whom_others_know_stands_where_the_truth_says(present: Built) -> None:
    rows = {int(row["borrower_id"]): row for row in present.table("borrowers")}
    known = {person.number: person for person in shared_people(present.scenario)}
    assert {entry["person"] for entry in present.truth.of("person")} == set(range(5, 31))
    for entry in present.truth.of("person"):
        (place,) = entry["appearances"]
        row = rows[place["key"]["borrower_id"]]
        assert (row["first_name"], row["last_name"]) == (place["first_name"], place["last_name"])
        person = known[entry["person"]]
        assert (place["first_name"], place["last_name"]) == person.spellings[1]
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


def test_totals_add_up_and_each_table_says_the_same_as_the_summary(present: Built) -> None:
    for piece in present.under("share/culture_subsidies/"):
        operating, projects, summary = tables(piece)
        for lines, total in (operating, projects):
            assert round(sum(number(line["Montant (€)"]) for line in lines), 2) == number(total["Montant (€)"])
        assert [int(line["Lignes"]) for line in summary[0]] == [len(operating[0]), len(projects[0])]


def test_the_xml_says_what_the_json_says(present: Built) -> None:
    for piece in present.under("s3/culture_heritage/"):
        if not piece.path.endswith(".xml"):
            continue
        said = json.loads(present.pieces[piece.path.replace(".xml", ".json")].content)["biens"]
        root = ET.fromstring(piece.content)  # noqa: S314  our own bytes
        assert [(node.get("id"), node.get("categorie"), node.findtext("adresse/ins")) for node in root] == [
            (row["id"], row["categorie"], row["adresse"]["ins"]) for row in said
        ]


def test_libraries_are_quiet_in_summer(present: Built) -> None:
    by_month = Counter[int]()
    for row in present.visits():
        month = month_of(row["Mois"])
        if month.year in (2023, 2024) and number(row["Visites"]) <= 20_000:
            by_month[month.number] += int(number(row["Visites"]))
    assert max(by_month[7], by_month[8]) < 0.6 * min(by_month[month] for month in (1, 3, 10, 11))


def test_the_form_changes_when_the_truth_says(later: Built) -> None:
    headers = {p.path: p.content.decode("utf-8-sig").splitlines()[0].split(";") for p in later.under("share/culture_libraries/freq")}
    added = {path for path, header in headers.items() if "Prêts numériques" in header}
    assert added == {f"share/culture_libraries/frequentation_{Month(2025, 11).plus(n)}.csv" for n in range(12)}
    without = {p.path for p in later.under("share/culture_subsidies/") if "Contact" not in tables(p)[0][0][0]}
    assert without == {"share/culture_subsidies/subventions_2025.xlsx"}
    assert later.pieces["share/culture_subsidies/subventions_2025.xlsx"].arrived.strftime("%Y-%m") == "2026-02"
    assert [(e["month"], e["change"]) for e in later.truth.of("drift")] == [("2025-11", "column_added"), ("2026-02", "column_missing")]
    assert Built(Scenario(month=Month(2026, 1))).truth.counts()["drift"] == 1


def test_rows_keep_to_their_budget_and_grow_with_the_scale(before: Built) -> None:
    rows = {"visits": len(before.visits()), "loans": len(before.table("loans")), "borrowers": len(before.table("borrowers"))}
    rows |= {path: len(before.lines(path)) for path in before.pieces if path.endswith(".ndjson")}
    assert 20_000 < sum(rows.values()) < 27_000
    large = Built(Scenario(scale=3))
    assert len(large.table("loans")) == 3 * rows["loans"]
    assert len(large.table("borrowers")) > 2.5 * rows["borrowers"]
    assert len(large.libraries()) == len(before.libraries())


def test_everything_has_arrived_by_the_day_of_the_federation(present: Built) -> None:
    moment = datetime.combine(Scenario().today, datetime.min.time()).astimezone()
    assert max(piece.arrived for piece in present.pieces.values()) < moment

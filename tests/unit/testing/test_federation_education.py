"""The systems of education: repeatable, growing by months, and wrong exactly where the truth says so, recomputed from the files alone."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from psycopg import sql
from python_calamine import CalamineWorkbook

from polyceph.errors import NotFound
from polyceph.settings import PostgresAddress
from polyceph.testing.federation.codes import values
from polyceph.testing.federation.domains import education
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.register_moves import move_pupils
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

DECLARED = Path(__file__).resolve().parents[3] / "examples/federation/domains"
TABLES = {"register": ("schools", "pupils", "staff", "enrolments"), "pay": ("pay_lines",)}
KEYS = {"schools": "school_id", "pupils": "pupil_id", "staff": "staff_id", "enrolments": "enrolment_id", "pay_lines": "line_id"}


@dataclass(frozen=True)
class Built:
    """The systems of a month as a reader has them: the files, and the databases entered by SQL."""

    pieces: Mapping[str, Piece]
    truth: Truth
    text: str
    folder: Path

    @cached_property
    def tables(self) -> duckdb.DuckDBPyConnection:
        """Return a database with the tables of both databases, `transport` and `sites`."""
        connection = duckdb.connect()
        for source, names in TABLES.items():
            ddl = self.pieces[f"postgres/education_{source}/schema.sql"].content.decode()
            connection.execute(ddl.replace(" references schools", "").replace(" references pupils", ""))
            for name in names:
                path = self.folder / f"{name}.csv"
                path.write_bytes(self.pieces[f"postgres/education_{source}/{name}.csv"].content)
                connection.execute(f"insert into {name} select * from read_csv('{path}', header=false, all_varchar=true, nullstr='')")
        connection.register("transport_rows", pa.Table.from_pylist(self.transport))
        connection.execute("create table transport as from transport_rows")
        connection.register("sites", pa.parquet.read_table(io.BytesIO(self.pieces["s3/education_sites/sites_2025.parquet"].content)))
        return connection

    @cached_property
    def transport(self) -> list[dict[str, Any]]:
        """Return the rows of all files of transport, with the file of each."""
        return [row | {"file": path} for path in self.paths("ftp/") for row in unpacked(self.pieces[path])]

    def paths(self, start: str) -> list[str]:
        return [path for path in self.pieces if path.startswith(start)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.tables.execute(query).fetchall()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]


def unpacked(piece: Piece) -> list[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(piece.content)) as archive:
        (name,) = archive.namelist()
        return list(csv.DictReader(io.StringIO(archive.read(name).decode("cp1252")), delimiter=";"))


def built(folder: Path, **scenario: Any) -> Built:
    truth, chosen = Truth(), Scenario(**scenario)
    pieces = {piece.path: piece for piece in education.build(chosen, truth)}
    return Built(pieces, truth, truth.text(chosen), folder)


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("now"))


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("later"), month=LAST)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("other"), seed=7, month=LAST)


def planted(found: Built, fault: str, dataset: str) -> list[Any]:
    return [e["key"] for e in found.truth.of("quality") if (e["fault"], e["dataset"]) == (fault, f"education.raw.{dataset}")]


def keys(found: Built, name: str, query: str) -> list[dict[str, Any]]:
    return [{name: key} for (key,) in found.rows(query)]


def sorted_keys(found: list[Any]) -> list[str]:
    return sorted(json.dumps(key, sort_keys=True) for key in found)


def test_the_same_scenario_gives_the_same_bytes(now: Built, tmp_path: Path) -> None:
    again = built(tmp_path)
    assert again.pieces == now.pieces
    assert again.text == now.text


def test_another_seed_gives_others(now: Built, other: Built) -> None:
    moving = [path for path in now.pieces if not path.endswith((".sql", "calendrier.json", "service.json")) and "Rapports" not in path]
    assert [path for path in moving if other.pieces[path].content == now.pieces[path].content] == []


def test_rows_at_scale_one_are_as_promised_and_grow_with_the_scale(now: Built) -> None:
    counts = {name: now.one(f"select count(*) from {name}") for names in TABLES.values() for name in names}
    assert (counts["schools"], counts["pupils"], counts["staff"]) == (500, 40_000, 4_000)
    assert 18_000 < counts["enrolments"] < 21_000
    assert 40_000 < counts["pay_lines"] < 50_000
    assert 105_000 < sum(counts.values()) + len(now.transport) < 120_000
    twice = {piece.path: piece.content.count(b"\n") for piece in islice(education.build(Scenario(scale=2), Truth()), 4)}
    assert [twice[f"postgres/education_register/{table}.csv"] for table in ("schools", "pupils", "staff")] == [500, 80_000, 8_000]


def test_a_later_month_keeps_the_files_and_only_adds_to_the_tables(now: Built, later: Built) -> None:
    growing = ("postgres/", "rest/", "graph/education_inspection/lists")
    settled = [path for path in now.pieces if not path.startswith(growing)]
    assert [path for path in settled if later.pieces.get(path) != now.pieces[path]] == []
    for path in (
        now.paths("rest/") + now.paths("graph/") + ["postgres/education_pay/pay_lines.csv", "postgres/education_register/enrolments.csv"]
    ):
        assert later.pieces[path].content.startswith(now.pieces[path].content)
    assert len(later.paths("ftp/")) == len(now.paths("ftp/")) + 12


@pytest.mark.parametrize("table", ["schools", "pupils", "staff"])
def test_a_row_that_changes_in_a_later_month_says_so(now: Built, later: Built, table: str) -> None:
    key = KEYS[table]
    before = {row[0]: row for row in now.rows(f"select {key}, updated_at, columns(* exclude updated_at) from {table}")}
    after = {row[0]: row for row in later.rows(f"select {key}, updated_at, columns(* exclude updated_at) from {table}")}
    assert before.keys() <= after.keys()
    changed = [key for key, row in before.items() if row != after[key]]
    assert all(after[key][1] > datetime.fromisoformat("2025-11-01T00:00:00+00:00") for key in [*changed, *(after.keys() - before.keys())])
    assert max(row[1] for row in before.values()) < datetime.fromisoformat("2025-11-01T00:00:00+00:00")
    assert bool(changed) == (table == "pupils")
    assert len(after) > len(before) or table == "schools"


def test_as_much_is_planted_as_promised(now: Built, later: Built) -> None:
    quality = {"duplicate": 4, "orphan": 4, "out_of_range": 4, "late_file": 2, "volume_drop": 1}
    assert now.truth.faults("quality") == later.truth.faults("quality") == quality
    assert len(now.truth.of("unknown_code")) == 3
    assert len(now.truth.of("series")) == 13
    assert (len(now.truth.of("drift")), len(later.truth.of("drift"))) == (0, 2)
    assert len(now.truth.of("person")) == 30
    assert now.truth.of("quality") == later.truth.of("quality")
    assert all("2021-11" <= entry["month"] <= "2025-10" for entry in now.truth.of("quality"))


@pytest.mark.parametrize("month", ["now", "later"])
def test_duplicates_are_where_the_truth_says_and_nowhere_else(month: str, request: pytest.FixtureRequest) -> None:
    found: Built = request.getfixturevalue(month)
    twice = "select max({}) from {} group by {} having count(*) > 1"
    pupils = keys(found, "pupil_id", twice.format("pupil_id", "pupils", "national_number"))
    lines = keys(found, "line_id", twice.format("line_id", "pay_lines", "staff_id, month"))
    assert sorted_keys(pupils) == sorted_keys(planted(found, "duplicate", "pupils"))
    assert sorted_keys(lines) == sorted_keys(planted(found, "duplicate", "pay"))
    for table, key in (*KEYS.items(), ("staff", "national_number"), ("sites", "site_id"), ("transport", '(Circuit, "Mois")')):
        assert found.one(f"select count(*) - count(distinct {key}) from {table}") == 0


@pytest.mark.parametrize("month", ["now", "later"])
def test_orphans_are_where_the_truth_says_and_nowhere_else(month: str, request: pytest.FixtureRequest) -> None:
    found: Built = request.getfixturevalue(month)
    without = "select {} from {} where {} not in (select school_id from schools)"
    entries = keys(found, "enrolment_id", without.format("enrolment_id", "enrolments", "school_id"))
    sites = keys(found, "site_id", without.format("site_id", "sites", "school_id"))
    lines = found.rows(without.format('Circuit, "Mois"', "transport", '"École"::integer'))
    assert sorted_keys(entries) == sorted_keys(planted(found, "orphan", "enrolments"))
    assert sorted_keys(sites) == sorted_keys(planted(found, "orphan", "sites"))
    assert [{"circuit": circuit, "month": of} for circuit, of in lines] == planted(found, "orphan", "transport")
    for child, key, parent in (
        ("pupils", "school_id", "schools"),
        ("staff", "school_id", "schools"),
        ("enrolments", "pupil_id", "pupils"),
        ("pay_lines", "staff_id", "staff"),
    ):
        assert found.one(f"select count(*) from {child} where {key} not in (select {key} from {parent})") == 0


@pytest.mark.parametrize("month", ["now", "later"])
def test_values_out_of_range_are_where_the_truth_says_and_nowhere_else(month: str, request: pytest.FixtureRequest) -> None:
    found: Built = request.getfixturevalue(month)
    outside = "select {} from {} where {} not between {} and {}"
    kilometres = "replace(replace(replace(\"Kilomètres\", ' km', ''), ' ', ''), ',', '.')::double"
    staff = keys(found, "staff_id", outside.format("staff_id", "staff", "hours_per_week", 1, 40))
    lines = keys(found, "line_id", outside.format("line_id", "pay_lines", "seniority_years", 0, 50))
    sites = keys(found, "site_id", outside.format("site_id", "sites", "built_in", 1500, 2100))
    driven = found.rows(outside.format('Circuit, "Mois"', "transport", kilometres, 0, 5000))
    assert staff == planted(found, "out_of_range", "staff")
    assert lines == planted(found, "out_of_range", "pay")
    assert sites == planted(found, "out_of_range", "sites")
    assert [{"circuit": circuit, "month": of} for circuit, of in driven] == planted(found, "out_of_range", "transport")
    assert found.rows(outside.format("line_id", "pay_lines", "gross_amount", 1, 25_000)) == []


def test_unknown_codes_are_where_the_truth_says_and_nowhere_else(later: Built) -> None:
    found = []
    for table, column, name in (
        ("schools", "network", "school_network"),
        ("schools", "level", "school_level"),
        ("pupils", "grade", "grade"),
        ("enrolments", "grade", "grade"),
    ):
        known = ", ".join(f"'{code.lower()}'" for code in values(name))
        query = f"select {KEYS[table]}, {column} from {table} where lower(trim({column})) not in ({known})"
        found += [(f"education.raw.{table}", column, {KEYS[table]: key}, code) for key, code in later.rows(query)]
    said = [(entry["dataset"], entry["column"], entry["key"], entry["code"]) for entry in later.truth.of("unknown_code")]
    assert sorted(map(str, found)) == sorted(map(str, said))
    assert all(
        entry["meant"] in {*values("school_network"), *values("school_level"), *values("grade")} for entry in later.truth.of("unknown_code")
    )


def test_late_and_broken_off_files_are_those_of_the_truth(later: Built) -> None:
    monthly = {Month.parse(path[-11:-4]): path for path in later.paths("ftp/") if path[-7] == "-"}
    late = {path for month, path in monthly.items() if (later.pieces[path].arrived - month.arrival()).days >= 10}
    assert late == set(planted(later, "late_file", "transport"))
    assert all(later.pieces[path].arrived == month.arrival() for month, path in monthly.items() if path not in late)
    rows = Counter(row["file"] for row in later.transport if row["file"] in monthly.values())
    usual = float(np.median(list(rows.values())))
    assert [path for path, count in rows.items() if count < 0.4 * usual] == planted(later, "volume_drop", "transport")
    assert all(count == usual for path, count in rows.items() if path not in planted(later, "volume_drop", "transport"))


@pytest.mark.parametrize("which", ["later", "other"])
def test_two_anomalies_stand_out_of_thirteen_series_with_their_seasons(which: str, request: pytest.FixtureRequest) -> None:
    found: Built = request.getfixturevalue(which)
    sums = found.rows("select pay_scale, month, sum(gross_amount)::double from pay_lines group by all order by all")
    said = {entry["series"]["pay_scale"]: entry["anomalies"] for entry in found.truth.of("series")}
    assert len(said) == 13
    assert sorted(len(anomalies) for anomalies in said.values()) == [*[0] * 12, 2]
    for scale, anomalies in said.items():
        months = [month for code, month, _ in sums if code == scale]
        assert len(months) == 60
        factors = _without_growth_and_season(months, [amount for code, _, amount in sums if code == scale])
        standing_out = {f"{month:%Y-%m}": factor for month, factor in zip(months, factors, strict=True) if abs(np.log(factor)) > 0.2}
        assert standing_out.keys() == {anomaly["month"] for anomaly in anomalies}
        for anomaly in anomalies:
            assert standing_out[anomaly["month"]] == pytest.approx(anomaly["factor"], rel=0.15)
            assert (anomaly["kind"] == "spike") == (anomaly["factor"] > 1)


def _without_growth_and_season(months: list[datetime], amounts: list[float]) -> np.ndarray:
    numbers, logs = np.array([month.month for month in months]), np.log(amounts)
    at = np.arange(len(logs))
    rest = logs - np.polyval(np.polyfit(at, logs, 1), at)
    for number in range(1, 13):
        rest[numbers == number] -= np.median(rest[numbers == number])
    return np.asarray(np.exp(rest - np.median(rest)))


def test_december_and_holiday_pay_come_every_year(now: Built) -> None:
    found = now.rows("select pay_scale, month, sum(gross_amount)::double from pay_lines group by all")
    sums = {(scale, f"{month:%Y-%m}"): amount for scale, month, amount in found}
    for scale in {scale for scale, _ in sums}:
        for year in range(2022, 2025):
            usual = np.median([sums[scale, f"{year}-{number:02d}"] for number in (1, 2, 3, 4, 7, 8, 9, 10, 11)])
            assert sums[scale, f"{year}-12"] > 1.25 * usual
            assert max(sums[scale, f"{year}-05"], sums[scale, f"{year}-06"]) > 1.6 * usual


def test_drifts_begin_in_their_month_and_stay(now: Built, later: Built) -> None:
    said = {(e["dataset"], e["change"], e["month"]): e["column"] for e in later.truth.of("drift")}
    assert said == {
        ("education.raw.transport", "type_changed", "2026-04"): "Kilomètres",
        ("education.raw.immersion", "column_missing", "2026-06"): "Heures/semaine",
    }
    with_unit = {row["Mois"] for row in later.transport if row["Kilomètres"].endswith(" km")}
    assert with_unit == {f"{number:02d}/2026" for number in range(4, 11)}
    headers = {path[-8:-4]: _header(later.pieces[path]) for path in later.paths("share/education_immersion/")}
    assert [year for year, header in headers.items() if "Heures/semaine" not in header] == ["2026"]
    assert headers["2026"] == headers["2025"][:-1]
    assert not [row for row in now.transport if row["Kilomètres"].endswith(" km")]


def _header(piece: Piece) -> list[object]:
    rows = CalamineWorkbook.from_filelike(io.BytesIO(piece.content)).get_sheet_by_name("Immersion").to_python(skip_empty_area=False)
    return [cell for cell in rows[3] if cell != ""]


def test_the_thirty_people_are_there_under_their_own_number(now: Built) -> None:
    for person, entry in zip(shared_people(Scenario()), sorted(now.truth.of("person"), key=lambda e: e["person"]), strict=True):
        assert entry["person"] == person.number
        (place,) = entry["appearances"]
        table = place["dataset"].rsplit(".")[-1]
        ((key, value),) = place["key"].items()
        found = now.rows(f"select first_name, last_name, national_number, birth_date, sex from {table} where {key} = {value}")
        assert found == [(place["first_name"], place["last_name"], person.national_number, person.birth_date, person.sex)]
        assert table == ("pupils" if person.number <= 15 or person.birth_date.year > 2003 else "staff")
        assert (place["first_name"], place["last_name"]) in person.spellings


def test_personal_columns_are_those_of_the_contracts(now: Built) -> None:
    marked = set()
    for path in (DECLARED / "education/contracts/raw").glob("*.odcs.yaml"):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        for column in contract["schema"][0]["properties"]:
            if any(item["property"] == "personalData" for item in column.get("customProperties", [])):
                marked.add((contract["id"], column["name"]))
    said = {(e["dataset"], e["column"]): e["marked"] for e in now.truth.of("personal_data")}
    assert {place for place, is_marked in said.items() if is_marked} == marked
    assert {place for place, is_marked in said.items() if not is_marked} == {
        ("education.raw.pupils", "remark"),
        ("education.raw.pay", "reference"),
    }


def test_what_is_not_marked_is_personal_all_the_same(now: Built) -> None:
    remarks = now.rows("select remark from pupils where remark is not null")
    assert 500 < len(remarks) < 1_100
    assert sum("0400 " in remark for (remark,) in remarks) > 100
    accounts = [account.replace(" ", "") for (account,) in now.rows("select distinct reference from pay_lines")]
    assert all(int(f"{account[4:]}1114{account[2:4]}") % 97 == 1 for account in accounts)


def test_nobody_can_be_told_apart_by_a_small_count(later: Built) -> None:
    stage = "left(grade, 1)"
    counts = later.rows(f"select nis_code, {stage}, count(*) from pupils where left_on is null and nis_code is not null group by all")
    assert len({nis_code for nis_code, _, _ in counts}) > 250
    assert min(count for _, _, count in counts) >= 10


def test_people_are_invented_and_typed_by_hand(now: Built) -> None:
    assert now.one("select count(*) from staff where email not like '%@example.org' or email <> lower(email)") == 0
    names = [name for (name,) in now.rows("select last_name from pupils")]
    assert 0.01 < sum(name.isupper() for name in names) / len(names) < 0.05
    assert 0.01 < sum(name.endswith(" ") for name in names) / len(names) < 0.05
    assert 0.005 < now.one("select count(*) from pupils where nis_code is null") / len(names) < 0.02


def test_pupils_are_in_a_school_of_their_level(later: Built) -> None:
    stages = {"M": ("nursery",), "P": ("primary", "special"), "S": ("secondary", "special")}
    wrong = {entry["key"].get("school_id") for entry in later.truth.of("unknown_code")}
    query = "select distinct school_id, level, left(grade, 1) from pupils join schools using (school_id)"
    assert all(level in stages[stage] for school, level, stage in later.rows(query) if school not in wrong)
    latest = "select pupil_id, arg_max(school_id, enrolment_id) as school from enrolments group by pupil_id"
    elsewhere = f"select count(*) from pupils join ({latest}) using (pupil_id) where school_id <> school"
    assert later.one(elsewhere) == len(planted(later, "orphan", "enrolments"))


@pytest.fixture
def register(database: PostgresAddress, now: Built) -> PostgresAddress:
    """A database that holds the register."""
    with psycopg.connect(database.url()) as connection:
        connection.execute(now.pieces["postgres/education_register/schema.sql"].content)
        for table in TABLES["register"]:
            statement = sql.SQL("copy {} from stdin (format csv)").format(sql.Identifier(table))
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(now.pieces[f"postgres/education_register/{table}.csv"].content)
    return database


def test_a_day_of_work_moves_pupils_and_raises_their_time(register: PostgresAddress) -> None:
    moment = move_pupils(register, pupils=25)
    with psycopg.connect(register.url()) as connection:
        rows = connection.execute("select count(*), min(updated_at) from pupils where updated_at >= %s", (moment,)).fetchone()
        connection.execute("truncate pupils, enrolments")
    assert rows == (25, moment)
    with pytest.raises(NotFound, match="no pupils"):
        move_pupils(register, pupils=1)

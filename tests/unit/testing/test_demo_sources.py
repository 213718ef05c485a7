"""The generated sources of the demo: the same for the same seed, as large as promised, as untidy as intended."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

import psycopg
import pytest
from polyceph.testing.demo_sources import DemoSources, generate
from psycopg import sql
from python_calamine import CalamineWorkbook

from polyceph.errors import Invalid, NotFound
from polyceph.settings import PostgresAddress
from polyceph.testing import demo_files, demo_places, demo_register

TABLES = ("schools", "pupils", "staff")


def checksums(address: PostgresAddress) -> dict[str, str]:
    query = "select md5(string_agg(t::text, '|' order by t::text)) from {} as t"
    with psycopg.connect(address.url()) as connection:
        rows = {table: connection.execute(sql.SQL(query).format(sql.Identifier(table))).fetchone() for table in TABLES}
    return {table: row[0] for table, row in rows.items() if row}


def content(paths: tuple[Path, ...]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture
def sources(tmp_path: Path, database: PostgresAddress) -> DemoSources:
    return generate(tmp_path / "federation", database)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    places = demo_places.municipalities()
    return demo_files.write(tmp_path_factory.mktemp("files"), places, demo_places.french_speaking(places), seed=2025)


def test_the_same_seed_gives_the_same_bytes_and_tables(tmp_path: Path, database: PostgresAddress, sources: DemoSources) -> None:
    first, tables = content(sources.files), checksums(database)
    with psycopg.connect(database.url()) as connection:
        connection.execute("drop table demo_stamp")
    again = generate(tmp_path / "again", database)
    assert not again.register_was_there
    assert content(again.files) == first
    assert checksums(database) == tables


def test_a_workbook_does_not_tell_when_it_was_written(paths: tuple[Path, ...]) -> None:
    for path in (path for path in paths if path.suffix == ".xlsx"):
        with zipfile.ZipFile(path) as book:
            assert {item.date_time for item in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert set(re.findall(rb"\d{4}-\d\d-\d\dT[\d:]+Z", book.read("docProps/core.xml"))) == {b"2025-01-06T09:00:00Z"}


def test_another_seed_gives_other_people(database: PostgresAddress, tmp_path: Path, sources: DemoSources) -> None:
    before = checksums(database)
    other = generate(tmp_path / "other", database, seed=7)
    assert not other.register_was_there
    assert all(before[table] != after for table, after in checksums(database).items())
    assert content(other.files)["clubs.json"] != content(sources.files)["clubs.json"]


def test_scale_one_holds_fifty_thousand_rows(sources: DemoSources) -> None:
    assert sources.rows == {"schools": 500, "pupils": 45_000, "staff": 4_500}


def test_a_second_start_reuses_the_register_and_leaves_the_files_alone(
    tmp_path: Path, database: PostgresAddress, sources: DemoSources
) -> None:
    moments = {path: path.stat().st_mtime_ns for path in sources.files}
    again = generate(tmp_path / "federation", database)
    assert again.register_was_there
    assert again.rows == sources.rows
    assert {path: path.stat().st_mtime_ns for path in again.files} == moments


def test_a_day_of_work_moves_pupils_and_raises_their_time(database: PostgresAddress, sources: DemoSources) -> None:
    moment = demo_register.advance(database, pupils=25)
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute("select count(*), min(updated_at) from pupils where updated_at >= %s", (moment,)).fetchone()
    assert rows == (25, moment)


def test_a_scale_below_one_is_refused(tmp_path: Path, database: PostgresAddress) -> None:
    with pytest.raises(Invalid, match="scale 0"):
        generate(tmp_path, database, scale=0)


def test_a_day_of_work_needs_a_register(database: PostgresAddress) -> None:
    with psycopg.connect(database.url()) as connection:
        connection.execute(demo_register.DDL)
    with pytest.raises(NotFound, match="no pupils"):
        demo_register.advance(database)


def test_the_register_is_untidy_as_people_type() -> None:
    places = demo_places.french_speaking(demo_places.municipalities())
    register = demo_register.build(places, seed=2025, scale=1)
    last_names = [str(row[3]) for row in register.pupils]
    assert 0.01 < sum(name.isupper() for name in last_names) / 45_000 < 0.05
    assert 0.01 < sum(name.endswith(" ") for name in last_names) / 45_000 < 0.05
    assert 0.005 < sum(row[11] is None for row in register.pupils) / 45_000 < 0.02


def test_files_keep_the_habits_of_those_who_send_them(paths: tuple[Path, ...]) -> None:
    files = content(paths)
    assert files["bibliotheques.csv"].decode("cp1252").startswith("Code;Bibliothèque;Adresse;")
    assert files["frequentation_2024_T1.csv"].startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(files["frequentation_2024_T3.csv"].decode("utf-8-sig").splitlines(), delimiter=";"))
    assert {row[1] for row in rows[1:]} == {"juillet 2024", "août 2024", "septembre 2024"}
    assert all("," in row[4] for row in rows[1:])
    assert len(json.loads(files["clubs.json"])["clubs"]) == 600


def test_workbooks_have_titles_merged_headers_and_totals(paths: tuple[Path, ...]) -> None:
    path = next(path for path in paths if path.name == "frequentation_2024-02.xlsx")
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_name("Fréquentation")
    rows = sheet.to_python(skip_empty_area=False)
    assert rows[1][0] == "Mois : février 2024"
    assert rows[4][:3] == ["Code", "Nom", "INS"]
    total = next(row for row in rows if row[0] == "TOTAL")
    data = rows[5 : rows.index(total)]
    assert len(data) == 90
    assert sum(float(row[4]) for row in data) == total[4]
    assert all("," in row[7] and row[3].endswith("/02/2024") for row in data)
    assert sheet.merged_cell_ranges

"""Outputs: a PostgreSQL table swapped whole, and files."""

from __future__ import annotations

import csv
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import psycopg
import pyarrow.parquet
import pytest

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.errors import Conflict, Denied, Invalid, NotFound
from polyceph.lake.files import to_file
from polyceph.lake.lake import DomainLake
from polyceph.lake.maintenance import Keep, maintain
from polyceph.lake.outputs import OutputReport, to_postgres
from polyceph.settings import PostgresAddress

if TYPE_CHECKING:
    from conftest import World

GOLD = DatasetId("meuse", Zone.GOLD, "served")
SELECT = """SELECT range AS id, 'n' || range AS name, range / 4 AS share, DATE '2026-01-01' + range::INTEGER AS day,
 (range * 1.25)::DECIMAL(10,2) AS price, TIMESTAMPTZ '2026-01-01 10:00:00Z' AS at, range % 2 = 0 AS even FROM range({rows})"""


@pytest.fixture
def target(world: World, database: PostgresAddress) -> Iterator[PostgresAddress]:
    """An output database whose schema `meuse` belongs to the domain's role."""
    with psycopg.connect(database.url(), autocommit=True) as session:
        session.execute("CREATE SCHEMA meuse AUTHORIZATION domain_meuse")
        session.execute("DO $$ BEGIN CREATE ROLE bi_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    own = world.address("meuse").catalogue
    return own.at(database.database)


@pytest.fixture(scope="module", autouse=True)
def gold(lake: DomainLake) -> None:
    lake.replace(GOLD, SELECT.format(rows=1000), LakeCommit("anne", "Gold", "r", "c"))


def serve(lake: DomainLake, target: PostgresAddress, commit: LakeCommit, contract: Contract | None = None) -> OutputReport:
    signed = replace(commit, contracts={str(GOLD): "2.1.0"})
    return to_postgres(lake, GOLD, target, schema="meuse", table="Served rows", commit=signed, contract=contract)


def test_an_output_is_served_whole_with_its_lineage(lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    report = serve(lake, target, commit)
    with psycopg.connect(target.url()) as session:
        counted = session.execute('SELECT count(*), sum(price), min(at)::text FROM meuse."Served rows"').fetchone()
        comment = session.execute("""SELECT obj_description('meuse."Served rows"'::regclass)""").fetchone()
    assert counted is not None
    assert comment is not None
    assert counted[:2] == (1000, lake.query("SELECT sum(price) AS s FROM meuse.gold.served").to_pylist()[0]["s"])
    lineage = json.loads(comment[0].removeprefix("polyceph: "))
    assert lineage == {"dataset": "meuse.gold.served", "snapshot": report.snapshot, "contract": "2.1.0", "run": "run-1", "code": "c0ffee"}
    assert (report.rows, report.contract) == (1000, "2.1.0")
    assert report.bytes > 0


def test_grants_comments_and_descriptions_survive_the_swap(lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    serve(lake, target, commit)
    with psycopg.connect(target.url(), autocommit=True) as session:
        for statement in (
            'GRANT SELECT ON meuse."Served rows" TO bi_reader WITH GRANT OPTION',
            'GRANT UPDATE (name) ON meuse."Served rows" TO bi_reader',
            'GRANT SELECT ON meuse."Served rows" TO PUBLIC',
            "COMMENT ON COLUMN meuse.\"Served rows\".name IS 'it''s the name'",
        ):
            session.execute(statement)
        first = session.execute("""SELECT obj_description('meuse."Served rows"'::regclass)""").fetchone()
        session.execute('COMMENT ON TABLE meuse."Served rows" IS \'What people wrote\n' + str(first[0] if first else "") + "'")
    columns = (Column("id", "integer", description="The number"),)
    place = Place("c.yaml")
    contract = Contract(GOLD, "c", "3.0.0", "active", "anne", "marc", Classification.PUBLIC, columns, place, "00")
    serve(lake, target, commit, contract)
    with psycopg.connect(target.url()) as session:
        acl = session.execute("""SELECT relacl::text FROM pg_class WHERE oid = 'meuse."Served rows"'::regclass""").fetchone()
        rights = session.execute("""SELECT has_column_privilege('bi_reader', 'meuse."Served rows"', 'name', 'UPDATE')""").fetchone()
        described = session.execute(
            """SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
               WHERE attrelid = 'meuse."Served rows"'::regclass AND attname IN ('id', 'name') ORDER BY 1"""
        ).fetchall()
        comment = session.execute("""SELECT obj_description('meuse."Served rows"'::regclass)""").fetchone()
    assert acl is not None
    assert "bi_reader=r*/" in acl[0]
    assert "{=r/" in acl[0] or ",=r/" in acl[0]
    assert rights == (True,)
    assert described == [("id", "The number"), ("name", "it's the name")]
    assert comment is not None
    assert comment[0].splitlines()[0] == "What people wrote"
    assert comment[0].count("polyceph: ") == 1
    assert '"contract": "3.0.0"' in comment[0]


def test_readers_never_see_a_missing_empty_or_half_table(lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    serve(lake, target, commit)
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        with psycopg.connect(target.url(), autocommit=True) as session:
            while not stop.is_set():
                row = session.execute('SELECT count(*) FROM meuse."Served rows"').fetchone()
                seen.add(row[0] if row else -1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for rows in (5000, 1000, 5000):
            lake.replace(GOLD, SELECT.format(rows=rows), commit)
            serve(lake, target, commit)
    finally:
        stop.set()
        watcher.join()
        lake.replace(GOLD, SELECT.format(rows=1000), commit)
    assert seen <= {1000, 5000}
    assert 5000 in seen


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ('CREATE VIEW meuse.dashboard AS SELECT id FROM meuse."Served rows"', "meuse.dashboard would be lost"),
        ('ALTER TABLE meuse."Served rows" ENABLE ROW LEVEL SECURITY', "its row security would be lost"),
    ],
)
def test_a_swap_that_would_lose_something_is_refused(
    lake: DomainLake, target: PostgresAddress, commit: LakeCommit, statement: str, said: str
) -> None:
    serve(lake, target, commit)
    with psycopg.connect(target.url(), autocommit=True) as session:
        session.execute(statement)
        with pytest.raises(Conflict, match=said):
            serve(lake, target, commit)
        assert session.execute('SELECT count(*) FROM meuse."Served rows"').fetchone() == (1000,)


def test_indexes_and_keys_survive_the_swap(lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    serve(lake, target, commit)
    with psycopg.connect(target.url(), autocommit=True) as session:
        session.execute('CREATE INDEX "By day, ON x" ON meuse."Served rows" (day DESC) WHERE even')
        session.execute('CREATE UNIQUE INDEX by_name ON meuse."Served rows" (lower(name)) INCLUDE (day)')
        session.execute('ALTER TABLE meuse."Served rows" ADD CONSTRAINT served_key PRIMARY KEY (id)')
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'meuse' ORDER BY 1"
        before = session.execute(query).fetchall()
        for _ in range(2):
            serve(lake, target, commit)
        assert session.execute(query).fetchall() == before
        keys = session.execute("SELECT conname FROM pg_constraint WHERE contype = 'p' AND connamespace = 'meuse'::regnamespace").fetchall()
    assert len(before) == 3
    assert keys == [("served_key",)]


def test_an_index_that_the_new_rows_do_not_take_keeps_the_old_ones(lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    with psycopg.connect(target.url(), autocommit=True) as session:
        session.execute('CREATE TABLE meuse."Served rows" (even boolean UNIQUE, gone integer)')
        session.execute("""INSERT INTO meuse."Served rows" VALUES (true, 1)""")
        with pytest.raises(Conflict, match="rows repeat its values"):
            serve(lake, target, commit)
        session.execute('ALTER TABLE meuse."Served rows" DROP CONSTRAINT "Served rows_even_key"')
        session.execute('CREATE INDEX by_gone ON meuse."Served rows" (gone)')
        with pytest.raises(Conflict, match="by_gone cannot be made on the new rows: what it needs is gone"):
            serve(lake, target, commit)
        assert session.execute('SELECT * FROM meuse."Served rows"').fetchall() == [(True, 1)]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ('CREATE TABLE meuse.visits (id bigint REFERENCES meuse."Served rows" (id))', "foreign key visits_id_fkey of meuse.visits"),
        (
            'CREATE TRIGGER told BEFORE UPDATE ON meuse."Served rows" FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
            "trigger told",
        ),
        ('ALTER TABLE meuse."Served rows" ADD CONSTRAINT positive CHECK (id >= 0)', "constraint positive"),
        ("CREATE FUNCTION meuse.first(meuse.\"Served rows\") RETURNS bigint LANGUAGE sql AS 'SELECT 1'", "function meuse.first"),
    ],
)
def test_what_hangs_on_a_table_is_named_when_a_swap_would_lose_it(
    lake: DomainLake, target: PostgresAddress, commit: LakeCommit, statement: str, named: str
) -> None:
    serve(lake, target, commit)
    with psycopg.connect(target.url(), autocommit=True) as session:
        session.execute('ALTER TABLE meuse."Served rows" ADD PRIMARY KEY (id)')
        session.execute(statement)
        with pytest.raises(Conflict, match=named):
            serve(lake, target, commit)


def test_a_schema_of_somebody_else_is_denied(world: World, lake: DomainLake, target: PostgresAddress, commit: LakeCommit) -> None:
    with pytest.raises(Denied, match="may not write"):
        to_postgres(lake, GOLD, target, schema="culture", table="t", commit=commit)


def test_a_dataset_whose_own_snapshots_expired_is_still_served(
    lake: DomainLake, target: PostgresAddress, commit: LakeCommit, tmp_path: Path
) -> None:
    lake.replace(DatasetId("meuse", Zone.SILVER, "later"), "SELECT 1 AS id", commit)
    maintain(lake, commit, keep=Keep(snapshot_days=0))
    assert serve(lake, target, commit).rows == 1000
    assert to_file(lake, GOLD, tmp_path / "served.csv", file_format="csv", commit=commit).rows == 1000


def test_a_dataset_that_is_not_there_is_not_served(lake: DomainLake, target: PostgresAddress, commit: LakeCommit, tmp_path: Path) -> None:
    absent = DatasetId("meuse", Zone.GOLD, "absent")
    with pytest.raises(NotFound):
        to_postgres(lake, absent, target, schema="meuse", table="absent", commit=commit)
    with pytest.raises(NotFound):
        to_file(lake, absent, tmp_path / "absent.csv", file_format="csv", commit=commit)


@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx"])
def test_a_file_is_written_with_its_facts(lake: DomainLake, commit: LakeCommit, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "outputs" / f"served.{kind}"
    report = to_file(lake, GOLD, path, file_format=kind, commit=replace(commit, contracts={str(GOLD): "2.1.0"}))
    facts = json.loads(path.with_name(f"served.{kind}.json").read_text())
    assert (report.rows, facts["rows"], facts["contract"], facts["snapshot"]) == (1000, 1000, "2.1.0", report.snapshot)
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(file.name for file in path.parent.iterdir()) == [f"served.{kind}", f"served.{kind}.json"]
    if kind == "parquet":
        assert pyarrow.parquet.read_table(path).num_rows == 1000
    elif kind == "csv":
        assert len(path.read_text().splitlines()) == 1001
    else:
        rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
        assert rows[0] == ("id", "name", "share", "day", "price", "at", "even")
        assert (rows[3][1], rows[3][4], rows[3][6], str(rows[3][3]), str(rows[3][5])) == (
            "n2", 2.5, True, "2026-01-03 00:00:00", "2026-01-01 10:00:00",
        )  # fmt: skip


def test_text_that_could_run_as_a_formula_is_made_harmless(lake: DomainLake, commit: LakeCommit, tmp_path: Path) -> None:
    risky = DatasetId("meuse", Zone.GOLD, "risky")
    words = ["=1+1", "+32 4", "-x", "@sum", "\ttab", "plain", "a=b", "http://x"]
    select = " UNION ALL ".join(f"SELECT {number} AS id, '{word}' AS word, -5 AS n" for number, word in enumerate(words))
    lake.replace(risky, select, commit)
    to_file(lake, risky, tmp_path / "r.csv", file_format="csv", commit=commit)
    with (tmp_path / "r.csv").open(newline="") as file:
        found = {int(row["id"]): (row["word"], row["n"]) for row in csv.DictReader(file)}
    assert [found[number][0] for number in range(8)] == ["'=1+1", "'+32 4", "'-x", "'@sum", "'\ttab", "plain", "a=b", "http://x"]
    assert {n for _, n in found.values()} == {"-5"}
    to_file(lake, risky, tmp_path / "r.xlsx", file_format="xlsx", commit=commit)
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx").active
    cells = {row[0].value: row[1] for row in sheet.iter_rows(min_row=2)}
    assert [cells[number].value for number in range(8)] == words
    assert {cell.data_type for cell in cells.values()} == {"s"}
    assert cells[0].quotePrefix
    assert not cells[5].quotePrefix


def test_an_unknown_format_is_refused_and_the_old_file_stays(lake: DomainLake, commit: LakeCommit, tmp_path: Path) -> None:
    path = tmp_path / "served.csv"
    to_file(lake, GOLD, path, file_format="csv", commit=commit)
    before = path.read_bytes()
    with pytest.raises(Invalid, match="formats are parquet, csv, xlsx"):
        to_file(lake, GOLD, path, file_format="ods", commit=commit)
    assert path.read_bytes() == before

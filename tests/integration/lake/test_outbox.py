"""The outbox: a domain's role says what it read and can do nothing else; what it cannot say it does not get; nothing said is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow.parquet as pq
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.reading import READ, Reading, SaidReading
from polyceph.core.policies.consumption import read_is_declared
from polyceph.errors import Denied, Invalid, NotFound, Unavailable
from polyceph.lake.files import to_file
from polyceph.lake.lake import DomainLake
from polyceph.lake.outbox import outbox_taken, settle, waiting
from polyceph.lake.outputs import to_postgres
from polyceph.lake.recorded import Reader, read_table, write_parquet
from polyceph.settings import LakeAddress, PostgresAddress

if TYPE_CHECKING:
    from conftest import World

LIST, SECRET = DatasetId("meuse", Zone.GOLD, "list"), DatasetId("meuse", Zone.GOLD, "secret")
OWN = DatasetId("sambre", Zone.SILVER, "own")


def reader(door: str = "dagster") -> Reader:
    def may_read(dataset: DatasetId) -> Decision:
        return read_is_declared("sambre", dataset, consumes=[LIST])

    return Reader(door, "run-1", "statistics", may_read)


@pytest.fixture(scope="module")
def sambre(world: World, lake: DomainLake) -> DomainLake:
    commit = LakeCommit("anne", "Made for the test", "r", "c")
    lake.replace(LIST, "SELECT range AS id, 'n' || range AS name FROM range(100)", commit)
    lake.replace(SECRET, "SELECT 1 AS id", commit)
    world.provision("meuse", {"domain_sambre": [LIST]})
    own = world.lake("sambre", others=("meuse",))
    own.replace(OWN, "SELECT range AS id, 'x' AS label FROM range(10)", commit)
    return own


@pytest.fixture
def taken(world: World) -> Iterator[psycopg.Connection[Any]]:
    """The platform's session on the outbox, in which nothing waits."""
    with outbox_taken(world.admin) as session:
        settle(session, waiting(session))
        yield session


def said(session: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in waiting(session)]


@contextmanager
def no_right(world: World, role: str) -> Iterator[None]:
    with psycopg.connect(world.admin.url(), autocommit=True) as session:
        session.execute(f"REVOKE INSERT (body) ON polyceph_evidence.reading FROM {role}")
        try:
            yield
        finally:
            session.execute(f"GRANT INSERT (body) ON polyceph_evidence.reading TO {role}")


def test_a_query_is_recorded_per_dataset_with_columns_rows_door_run_and_purpose(sambre: DomainLake, taken: Any) -> None:
    sql = "SELECT l.name FROM meuse.gold.list l JOIN sambre.silver.own o USING (id) WHERE o.label <> ?"
    assert read_table(sambre, sql, ["0123456789"], reader=reader()).num_rows == 10
    first, second = said(taken)
    snapshots = first.pop("snapshot"), second.pop("snapshot")
    same = {"action": "dataset.read", "rows": 10, "door": "dagster", "run": "run-1", "purpose": "statistics"}
    assert first == {**same, "dataset": "meuse.gold.list", "columns": ["id", "name"]}
    assert second == {**same, "dataset": "sambre.silver.own", "columns": ["id", "label"]}
    assert all(isinstance(one, int) for one in snapshots)
    assert {one.role for one in waiting(taken)} == {"domain_sambre"}


def test_neither_a_value_nor_a_literal_is_recorded(sambre: DomainLake, taken: Any) -> None:
    read_table(sambre, "SELECT id FROM meuse.gold.list WHERE name = 'canary1' OR name = ?", ["canary2"], reader=reader())
    with pytest.raises(Denied):
        read_table(sambre, "SELECT id FROM meuse.gold.secret WHERE id = 'canary3'", reader=reader())
    with pytest.raises(Invalid):
        read_table(sambre, "SELECT nothing FROM meuse.gold.list WHERE name = 'canary4'", reader=reader())
    assert "canary" not in json.dumps(said(taken))
    assert len(said(taken)) == 2


def test_a_purpose_that_would_not_be_understood_is_refused(sambre: DomainLake, taken: Any) -> None:
    with pytest.raises(Invalid, match="purpose"):
        read_table(sambre, "SELECT id FROM meuse.gold.list", reader=replace(reader(), purpose="x" * 501))
    assert said(taken) == []


def test_a_query_of_no_dataset_says_nothing(sambre: DomainLake, taken: Any) -> None:
    assert read_table(sambre, "SELECT 1 AS one", reader=reader()).to_pylist() == [{"one": 1}]
    assert said(taken) == []


def test_a_dataset_that_is_not_declared_is_refused_and_that_is_recorded(sambre: DomainLake, taken: Any) -> None:
    with pytest.raises(Denied) as refused:
        read_table(sambre, "SELECT s.id FROM meuse.gold.secret s, meuse.gold.list", reader=reader())
    assert "sambre may not read meuse.gold.secret" in str(refused.value)
    assert "policy consumption" in str(refused.value)
    assert "domains/sambre/domain.yaml" in str(refused.value)
    [one] = said(taken)
    assert (one["action"], one["dataset"], one["rows"]) == ("read.refused", "meuse.gold.secret", None)


def test_a_dataset_of_a_domain_that_is_not_attached_is_refused_in_the_same_words(sambre: DomainLake, taken: Any) -> None:
    with pytest.raises(Denied, match=r"may not read escaut\.gold\.anything"):
        read_table(sambre, "SELECT * FROM escaut.gold.anything", reader=reader())
    assert [one["action"] for one in said(taken)] == ["read.refused"]


def test_a_view_of_ones_own_does_not_open_what_is_not_declared(world: World, sambre: DomainLake, commit: LakeCommit, taken: Any) -> None:
    world.provision("meuse", {"domain_sambre": [LIST, SECRET]})
    with world.lake("sambre", others=("meuse",)) as lake:
        with lake.connection(commit) as connection:
            connection.execute("CREATE OR REPLACE VIEW sambre.silver.behind AS SELECT id FROM meuse.gold.secret")
        with pytest.raises(Denied, match=r"may not read meuse\.gold\.secret"):
            read_table(lake, "SELECT * FROM sambre.silver.behind", reader=reader())
    world.provision("meuse", {"domain_sambre": [LIST]})


def test_a_declared_dataset_that_is_not_there_is_not_an_empty_result(sambre: DomainLake, taken: Any) -> None:
    with pytest.raises(NotFound, match=r"sambre\.gold\.not_yet"):
        read_table(sambre, "SELECT * FROM sambre.gold.not_yet", reader=reader())
    assert said(taken) == []


def test_an_export_is_recorded_before_anybody_gets_the_file(sambre: DomainLake, taken: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    assert write_parquet(sambre, LIST, path, reader=reader("shell")) == 100
    assert pq.read_table(path).num_rows == 100
    [one] = said(taken)
    assert (one["door"], one["rows"], one["columns"]) == ("shell", 100, ["id", "name"])


def test_a_reading_that_may_not_be_recorded_hands_out_no_row(world: World, sambre: DomainLake, taken: Any, tmp_path: Path) -> None:
    with no_right(world, "domain_sambre"):
        with pytest.raises(Denied, match="nothing is handed out"):
            read_table(sambre, "SELECT * FROM meuse.gold.list", reader=reader())
        with pytest.raises(Denied, match="nothing is handed out"):
            write_parquet(sambre, LIST, tmp_path / "list.parquet", reader=reader())
    assert list(tmp_path.iterdir()) == []
    assert said(taken) == []
    assert read_table(sambre, "SELECT * FROM meuse.gold.list", reader=reader()).num_rows == 100


def test_a_reading_that_reaches_nobody_hands_out_no_row(world: World, sambre: DomainLake) -> None:
    unreachable = sambre.own.catalogue.model_copy(update={"port": 1})
    with world.lake("sambre", others=("meuse",)) as lake:
        lake.outbox._lake = LakeAddress(**{**dict(sambre.own), "catalogue": unreachable})
        with pytest.raises(Unavailable, match="nothing is handed out"):
            read_table(lake, "SELECT * FROM meuse.gold.list", reader=reader())


def test_a_session_that_broke_costs_no_reading(world: World, sambre: DomainLake, taken: Any) -> None:
    sambre.outbox.say([Reading(READ, OWN, "dagster")])
    with psycopg.connect(world.admin.url(), autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'polyceph lake sambre'")
    sambre.outbox.say([Reading(READ, OWN, "dagster")])
    assert len(said(taken)) == 2


def test_a_lake_whose_database_has_no_outbox_says_what_to_do(sambre: DomainLake, database: PostgresAddress) -> None:
    elsewhere = sambre.own.catalogue.at(database.database)
    lake = DomainLake(LakeAddress(**{**dict(sambre.own), "catalogue": elsewhere}), extensions=Path())
    with lake, pytest.raises(Unavailable, match="polyceph up"):
        lake.outbox.say([Reading(READ, OWN, "dagster")])


def test_what_a_replacement_takes_over_from_another_domain_is_recorded(sambre: DomainLake, commit: LakeCommit, taken: Any) -> None:
    select = "SELECT o.label, l.name FROM sambre.silver.own o JOIN meuse.gold.list l USING (id)"
    sambre.replace(DatasetId("sambre", Zone.SILVER, "joined"), select, commit)
    [one] = said(taken)
    assert (one["dataset"], one["columns"], one["rows"], one["run"]) == ("meuse.gold.list", ["id", "name"], None, "run-1")


def test_what_is_served_is_recorded_with_its_address_and_before_anybody_sees_it(
    world: World, lake: DomainLake, commit: LakeCommit, taken: Any, database: PostgresAddress, tmp_path: Path
) -> None:
    with psycopg.connect(database.url(), autocommit=True) as session:
        session.execute("CREATE SCHEMA meuse AUTHORIZATION domain_meuse")
    target = lake.own.catalogue.at(database.database)
    file = tmp_path / "list.csv"
    to_postgres(lake, LIST, target, schema="meuse", table="list", commit=commit)
    to_file(lake, LIST, file, file_format="csv", commit=commit)
    table, written = said(taken)
    same = {"action": "dataset.served", "dataset": "meuse.gold.list", "door": "output", "rows": 100, "columns": ["id", "name"]}
    assert same.items() <= table.items()
    assert same.items() <= written.items()
    assert table["where"].endswith("/meuse.list")
    assert written["where"] == str(file)

    file.unlink()
    with no_right(world, "domain_meuse"):
        with pytest.raises(Denied, match="nothing is handed out"):
            to_file(lake, LIST, file, file_format="csv", commit=commit)
        with pytest.raises(Denied):
            to_postgres(lake, LIST, target, schema="meuse", table="never", commit=commit)
    assert not file.exists()
    with psycopg.connect(database.url()) as session:
        assert session.execute("SELECT to_regclass('meuse.never')").fetchone() == (None,)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO polyceph_evidence.reading (role, body) VALUES ('domain_meuse', '{}')",
        "INSERT INTO polyceph_evidence.reading (at, body) VALUES ('2020-01-01', '{}')",
        "INSERT INTO polyceph_evidence.reading (id, body) OVERRIDING SYSTEM VALUE VALUES (1, '{}')",
        "INSERT INTO polyceph_evidence.reading (body) VALUES ('{}') RETURNING id",
        "SELECT * FROM polyceph_evidence.reading",
        "UPDATE polyceph_evidence.reading SET body = '{}'",
        "DELETE FROM polyceph_evidence.reading",
        "TRUNCATE polyceph_evidence.reading",
        "SELECT * FROM polyceph_evidence.waiting",
        "DELETE FROM polyceph_evidence.waiting",
        "INSERT INTO polyceph_evidence.waiting VALUES (1)",
        "SET session_replication_role = replica",
        "SET ROLE domain_meuse",
        "SET SESSION AUTHORIZATION domain_meuse",
        "ALTER TABLE polyceph_evidence.reading DISABLE TRIGGER reading_waits",
        "CREATE TABLE polyceph_evidence.mine ()",
    ],
)
def test_a_domains_role_says_nothing_for_another_and_sees_and_changes_nothing(world: World, sambre: DomainLake, statement: str) -> None:
    with world.session("sambre") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement)


def test_nobody_changes_or_removes_what_was_said(world: World, sambre: DomainLake) -> None:
    sambre.outbox.say([Reading(READ, OWN, "dagster")])
    for statement in ("UPDATE {} SET role = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
        with psycopg.connect(world.admin.url()) as session:
            session.execute("SET session_replication_role = replica")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="keeps every row"):
                session.execute(statement.format("polyceph_evidence.reading"))


def test_a_reading_that_is_committed_late_is_not_missed(world: World, sambre: DomainLake, taken: Any) -> None:
    insert = "INSERT INTO polyceph_evidence.reading (body) VALUES ('{\"late\": true}')"
    with psycopg.connect(world.address("sambre").catalogue.url()) as late:
        late.execute(insert)
        sambre.outbox.say([Reading(READ, OWN, "dagster")])
        early = waiting(taken)
        settle(taken, early)
        assert len(early) == 1
        late.commit()
        [found] = waiting(taken)
    assert found.id < early[0].id
    assert json.loads(found.body) == {"late": True}


def test_what_was_settled_stays_in_the_outbox_and_waits_no_more(world: World, sambre: DomainLake, taken: Any) -> None:
    for _ in range(3):
        sambre.outbox.say([Reading(READ, OWN, "dagster")])
    first = waiting(taken, most=2)
    assert [isinstance(one, SaidReading) for one in first] == [True, True]
    settle(taken, first)
    assert len(waiting(taken)) == 1
    kept = taken.execute("SELECT count(*) FROM polyceph_evidence.reading WHERE id = ANY(%s)", [[one.id for one in first]]).fetchone()
    assert kept == (2,)


def test_provisioning_does_not_wait_for_who_writes_into_the_outbox(world: World, sambre: DomainLake) -> None:
    with psycopg.connect(world.address("sambre").catalogue.url()) as late:
        late.execute("INSERT INTO polyceph_evidence.reading (body) VALUES ('{}')")
        world.provision("sambre")
        late.rollback()

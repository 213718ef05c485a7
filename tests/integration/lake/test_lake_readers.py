"""What a consumer sees of a producer's lake: the declared datasets and nothing else, read only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest
from psycopg import sql

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.lake.attach import attach_lake
from polyceph.lake.engine import open_engine
from polyceph.lake.lake import DomainLake

if TYPE_CHECKING:
    from conftest import World

CANARY = "canary7319"
DECLARED = DatasetId("meuse", Zone.GOLD, "open_list")


@pytest.fixture(autouse=True, scope="module")
def produced(world: World, lake: DomainLake) -> None:
    commit = LakeCommit(CANARY, f"{CANARY} message", CANARY, "code", {f"meuse.silver.{CANARY}": "1"})
    hidden = DatasetId("meuse", Zone.SILVER, f"secret_{CANARY}")
    lake.replace(hidden, f"SELECT '{CANARY}' AS {CANARY}, 1 AS id", commit)
    lake.replace(DECLARED, "SELECT range AS id, 'x' AS name FROM range(10)", LakeCommit("anne", "Open list", "r", "c"))
    with lake.connection(commit) as connection:
        connection.execute(f"COMMENT ON TABLE meuse.silver.secret_{CANARY} IS '{CANARY}'")
        connection.execute(f"COMMENT ON COLUMN meuse.silver.secret_{CANARY}.id IS '{CANARY}'")
        connection.execute(f"CREATE VIEW meuse.silver.view_{CANARY} AS SELECT '{CANARY}' AS id")
        connection.execute(f"CREATE MACRO meuse.silver.macro_{CANARY}() AS '{CANARY}'")
        connection.execute(f"DELETE FROM meuse.silver.secret_{CANARY} WHERE id = 2")
        connection.execute(f"INSERT INTO meuse.silver.secret_{CANARY} VALUES ('{CANARY}', 2)")
        connection.execute(f"ALTER TABLE meuse.silver.secret_{CANARY} SET PARTITIONED BY ({CANARY})")
        connection.execute(f"INSERT INTO meuse.silver.secret_{CANARY} VALUES ('{CANARY}', 3)")
    world.provision("meuse", {"domain_sambre": [DECLARED]})


def test_a_declared_dataset_is_read_beside_the_own_lake_and_follows_the_producer(
    world: World, lake: DomainLake, commit: LakeCommit
) -> None:
    with world.lake("sambre", others=("meuse",)) as consumer:
        consumer.replace(DatasetId("sambre", Zone.SILVER, "joined"), "SELECT count(*) AS n FROM meuse.gold.open_list", commit)
        assert consumer.query("SELECT n FROM sambre.silver.joined").to_pylist() == [{"n": 10}]
        lake.replace(DECLARED, "SELECT range AS id, 'y' AS name FROM range(12)", commit)
        assert consumer.query("SELECT count(*) AS n, max(name) AS name FROM meuse.gold.open_list").to_pylist() == [{"n": 12, "name": "y"}]
        with lake.connection(commit) as connection:
            connection.execute("DELETE FROM meuse.gold.open_list WHERE id < 2")
        assert consumer.query("SELECT count(*) AS n FROM meuse.gold.open_list").to_pylist() == [{"n": 10}]


def test_an_undeclared_dataset_does_not_exist_for_the_consumer(world: World) -> None:
    with world.lake("sambre", others=("meuse",)) as consumer:
        for name in (f"secret_{CANARY}", f"view_{CANARY}"):
            with pytest.raises(duckdb.CatalogException, match="does not exist"):
                consumer.query(f"SELECT * FROM meuse.silver.{name}")
        seen = consumer.query("SELECT table_name FROM information_schema.tables WHERE table_catalog = 'meuse'").to_pylist()
    assert seen == [{"table_name": "open_list"}]


def test_nothing_of_an_undeclared_dataset_is_in_any_table_of_the_catalogue_that_the_consumer_may_read(world: World) -> None:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'lake_meuse'"
    with psycopg.connect(world.admin.url()) as session:
        names = [row[0] for row in session.execute(query)]
    assert len(names) > 28
    shown, refused = "", []
    with world.session("sambre") as session:
        for name in names:
            try:
                shown += str(session.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("lake_meuse", name))).fetchall())
            except psycopg.errors.InsufficientPrivilege:
                refused.append(name)
    assert "open_list" in shown
    assert CANARY not in shown
    assert all(name.startswith(("polyceph_", "ducklake_inlined_data_", "ducklake_files_scheduled")) for name in refused)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO meuse.gold.open_list VALUES (99, 'z')",
        "DELETE FROM meuse.gold.open_list",
        "DROP TABLE meuse.gold.open_list",
        "CREATE TABLE meuse.gold.mine AS SELECT 1 AS id",
        "CREATE SCHEMA meuse.mine",
    ],
)
def test_a_consumer_cannot_write_even_without_read_only(world: World, commit: LakeCommit, statement: str) -> None:
    address = world.address("meuse", as_domain="sambre")
    with open_engine(extensions=world.extensions) as engine:
        attach_lake(engine, address, read_only=False, commit=commit)
        with pytest.raises(duckdb.Error, match="permission denied"):
            engine.execute(statement)
    with world.lake("sambre", others=("meuse",)) as consumer, consumer.connection() as connection:
        refused = pytest.raises(duckdb.Error, match="read-only")
        with refused:
            connection.execute(statement)


def test_a_table_renamed_away_from_a_declared_name_is_gone_for_the_consumer(world: World, lake: DomainLake, commit: LakeCommit) -> None:
    dataset = DatasetId("meuse", Zone.GOLD, "renamed")
    lake.replace(dataset, "SELECT 1 AS id", commit)
    world.provision("meuse", {"domain_sambre": [DECLARED, dataset]})
    with lake.connection(commit) as connection:
        connection.execute("ALTER TABLE meuse.gold.renamed RENAME TO private_now")
        connection.execute("INSERT INTO meuse.gold.private_now VALUES (2)")
    with world.lake("sambre", others=("meuse",)) as consumer:
        seen = consumer.query("SELECT table_name FROM information_schema.tables WHERE table_catalog = 'meuse'").to_pylist()
    assert seen == [{"table_name": "open_list"}]


def test_a_consumer_that_is_no_longer_declared_sees_nothing(world: World) -> None:
    world.provision("meuse", {})
    with world.session("sambre") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT * FROM lake_meuse.ducklake_table")
    world.provision("meuse", {"domain_sambre": [DECLARED]})

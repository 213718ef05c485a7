"""Making a lake, stamping every snapshot, and keeping the stamp out of the domain's reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, Misconfigured, Unavailable
from polyceph.lake.attach import attach_lake
from polyceph.lake.engine import open_engine
from polyceph.lake.lake import DomainLake
from polyceph.lake.provision import provision_lake
from polyceph.lake.stamp import stamp_environment

if TYPE_CHECKING:
    from conftest import World

CHILD = """
import json, sys
from pathlib import Path
from polyceph.lake.attach import attach_lake
from polyceph.lake.engine import open_engine
from polyceph.settings import LakeAddress, PostgresAddress
given = json.loads(sys.stdin.read())
password = given["lake"]["catalogue"].pop("password")
catalogue = PostgresAddress(password=password, **given["lake"].pop("catalogue"))
engine = open_engine(extensions=Path(given["extensions"]))
attach_lake(engine, LakeAddress(catalogue=catalogue, **given["lake"]), read_only=False)
engine.execute("CREATE OR REPLACE TABLE meuse.silver.by_child AS SELECT 1 AS id")
"""


def child(world: World, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    address = world.address("meuse")
    lake = address.model_dump(mode="json") | {"catalogue": address.catalogue.model_dump(mode="json")}
    lake["catalogue"]["password"] = address.catalogue.password.get_secret_value()
    given = json.dumps({"lake": lake, "extensions": str(world.extensions)})
    clean = {name: value for name, value in os.environ.items() if name != "PGOPTIONS"}
    return subprocess.run([sys.executable, "-c", CHILD], input=given, env=clean | environment, capture_output=True, text=True, check=False)


def test_a_lake_has_its_zones_and_every_snapshot_has_an_author(world: World, lake: DomainLake) -> None:
    with lake.connection() as connection:
        rows = connection.execute("SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'meuse'").fetchall()
    assert {row[0] for row in rows} >= {"raw", "bronze", "silver", "gold", "_polyceph"}
    assert all(snapshot.author and snapshot.message for snapshot in lake.snapshots())


def test_provisioning_again_changes_nothing(world: World, lake: DomainLake) -> None:
    before = lake.snapshots()
    world.provision("meuse")
    assert lake.snapshots() == before


def test_a_change_without_author_is_refused(lake: DomainLake) -> None:
    with lake.connection() as connection, pytest.raises(duckdb.Error, match="without author and message"):
        connection.execute("CREATE TABLE meuse.silver.unsigned AS SELECT 1 AS id")
    assert lake.query("SELECT count(*) AS n FROM information_schema.tables WHERE table_name = 'unsigned'").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize("message", ["plain", 'it\'s "quoted" \\ back', "deux\nlignes été 日本", "x" * 9000])
def test_a_connection_with_a_commit_stamps_what_is_done_through_it(lake: DomainLake, commit: LakeCommit, message: str) -> None:
    contracts = {f"meuse.gold.dataset_{number}": "1.0.0" for number in range(3 if message == "plain" else 400)}
    signed = replace(commit, message=message, contracts=contracts)
    with lake.connection(signed) as connection:
        connection.execute("CREATE OR REPLACE TABLE meuse.silver.signed AS SELECT 1 AS id")
    stamp = lake.snapshots()[-1]
    assert (stamp.author, stamp.message) == ("anne.dupont", message[: len(stamp.message or "")])
    assert len(stamp.message or "") >= min(len(message), 500)
    assert (stamp.extra["run"], stamp.extra["role"]) == ("run-1", "domain_meuse")
    kept = stamp.extra["contracts"]
    assert kept == contracts or (isinstance(kept, dict) and kept["number"] == 400 and len(str(kept["sha256"])) == 64)


def test_a_child_process_stamps_through_its_environment(world: World, lake: DomainLake, commit: LakeCommit) -> None:
    refused = child(world, {})
    assert refused.returncode != 0
    assert "without author and message" in refused.stderr
    done = child(world, stamp_environment(commit))
    assert done.returncode == 0, done.stderr
    stamp = lake.snapshots()[-1]
    assert (stamp.author, stamp.message, stamp.extra["code"]) == ("anne.dupont", "Monthly load", "c0ffee")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER polyceph_stamp ON lake_meuse.ducklake_snapshot_changes",
        "ALTER TABLE lake_meuse.ducklake_snapshot_changes DISABLE TRIGGER ALL",
        "UPDATE lake_meuse.ducklake_snapshot_changes SET author = 'somebody else'",
        "INSERT INTO lake_meuse.polyceph_load VALUES ('d', 'k', NULL, 1)",
        "DELETE FROM lake_meuse.polyceph_load",
        "INSERT INTO lake_meuse.polyceph_declared VALUES ('domain_meuse', 'raw', 'x')",
        "DROP TABLE lake_meuse.ducklake_table",
        "CREATE OR REPLACE FUNCTION lake_meuse.polyceph_stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SELECT * FROM lake_sambre.ducklake_table",
    ],
)
def test_the_domains_own_role_cannot_touch_stamp_register_or_limits(world: World, statement: str) -> None:
    with world.session("meuse") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement)


def test_the_role_that_committed_is_recorded_whatever_author_it_claims(lake: DomainLake, commit: LakeCommit) -> None:
    with lake.connection(replace(commit, author="minister")) as connection:
        connection.execute("CREATE OR REPLACE TABLE meuse.silver.claimed AS SELECT 1 AS id")
    assert lake.snapshots()[-1].extra["role"] == "domain_meuse"


def test_a_consumer_can_only_be_given_datasets_of_this_lake(world: World) -> None:
    with pytest.raises(Invalid, match=r"are not in the lake of meuse: sambre\.gold\.x"):
        world.provision("meuse", {"domain_sambre": [DatasetId("sambre", Zone.GOLD, "x")]})


def test_the_password_stands_in_no_path_and_no_error(world: World, lake: DomainLake) -> None:
    with lake.connection() as connection:
        shown = str(connection.execute("SELECT database_name, path FROM duckdb_databases()").fetchall())
        shown += str(connection.execute("FROM duckdb_secrets()").fetchall())
    assert "meuse's word" not in shown
    broken = world.address("meuse")
    broken = broken.model_copy(update={"catalogue": broken.catalogue.at("absent")})
    with DomainLake(broken, extensions=world.extensions) as nowhere, pytest.raises(Unavailable) as refused:
        nowhere.query("SELECT 1")
    assert "word" not in str(refused.value)


def test_a_lake_that_moved_is_read_from_its_new_folder(world: World, lake: DomainLake, commit: LakeCommit) -> None:
    lake.replace(DatasetId("meuse", Zone.SILVER, "moved"), "SELECT 42 AS id", commit)
    address = world.address("meuse", root=str(world.folder / "elsewhere"))
    os.rename(world.folder / "lakes", world.folder / "elsewhere")  # noqa: PTH104 -- a rename of the folder is the point
    try:
        with DomainLake(address, extensions=world.extensions) as moved:
            assert moved.query("SELECT id FROM meuse.silver.moved").to_pylist() == [{"id": 42}]
    finally:
        os.rename(world.folder / "elsewhere", world.folder / "lakes")  # noqa: PTH104 -- as above


def test_a_role_that_is_not_there_is_not_made(world: World) -> None:
    with pytest.raises(Misconfigured, match="the role domain_nobody of nobody does not exist") as caught:
        provision_lake(world.admin, world.address("nobody"), {}, extensions=world.extensions)
    assert caught.value.hint is not None
    assert "provision the server first" in caught.value.hint


def test_a_password_is_in_no_message_when_the_catalogue_does_not_answer(world: World) -> None:
    address = world.address("meuse")
    gone = address.model_copy(update={"catalogue": address.catalogue.model_copy(update={"port": 1})})
    with open_engine(extensions=world.extensions) as engine, pytest.raises(Unavailable) as caught:
        attach_lake(engine, gone, read_only=True)
    text = "".join(traceback.format_exception(caught.value))
    assert "meuse's word" not in text
    assert "meuse''s word" not in text

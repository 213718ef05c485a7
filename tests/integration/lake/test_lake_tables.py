"""Replacing tables, reading facts, housekeeping."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.source_ports import Delivery, Original
from polyceph.errors import Conflict, Invalid, NotFound
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.locks import table_locks
from polyceph.lake.maintenance import Keep, maintain

if TYPE_CHECKING:
    from conftest import World


def silver(name: str) -> DatasetId:
    return DatasetId("meuse", Zone.SILVER, name)


def test_a_table_is_made_then_replaced_whole_and_readers_of_a_snapshot_keep_the_old(lake: DomainLake, commit: LakeCommit) -> None:
    first = lake.replace(silver("schools"), pa.table({"id": [1, 2], "name": ["a", "b"]}), commit)
    second = lake.replace(silver("schools"), "SELECT 9 AS id, true AS is_open", commit)
    assert first.columns == (("id", "BIGINT"), ("name", "VARCHAR"))
    assert second.columns == (("id", "INTEGER"), ("is_open", "BOOLEAN"))
    assert lake.query("SELECT * FROM meuse.silver.schools").to_pylist() == [{"id": 9, "is_open": True}]
    old = lake.query(f"SELECT count(*) AS n FROM meuse.silver.schools AT (VERSION => {first.snapshot})").to_pylist()
    assert old == [{"n": 2}]


def test_a_stream_that_fails_leaves_the_old_rows(lake: DomainLake, commit: LakeCommit) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": [2]})
        raise NotFound("page 2 is gone")

    lake.replace(silver("kept"), "SELECT 1::BIGINT AS id", commit)
    with pytest.raises(NotFound, match="page 2 is gone"):
        lake.replace(silver("kept"), pa.RecordBatchReader.from_batches(pa.schema([("id", pa.int64())]), batches()), commit)
    assert lake.query("SELECT id FROM meuse.silver.kept").to_pylist() == [{"id": 1}]


@pytest.mark.parametrize(
    ("dataset", "rows", "said"),
    [
        (DatasetId("meuse", Zone.RAW, "x"), "SELECT 1 AS id", "raw is append-only"),
        (DatasetId("sambre", Zone.SILVER, "x"), "SELECT 1 AS id", "a domain writes its own lake only"),
        (silver("x"), "SELECT nothing FROM nowhere", "does not fit the lake"),
    ],
)
def test_what_cannot_be_replaced_is_refused(lake: DomainLake, commit: LakeCommit, dataset: DatasetId, rows: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        lake.replace(dataset, rows, commit)


def test_facts_come_from_the_catalogue_and_follow_deletes(lake: DomainLake, commit: LakeCommit) -> None:
    made = lake.replace(silver("counted"), "SELECT range AS id FROM range(1000)", commit)
    with lake.connection(commit) as connection:
        connection.execute("DELETE FROM meuse.silver.counted WHERE id < 10")
        connection.execute("INSERT INTO meuse.silver.counted VALUES (5000)")
    facts = lake.facts(silver("counted"))
    assert (made.rows, made.files, facts.rows, facts.files) == (1000, 1, 991, 2)
    assert facts.bytes > made.bytes > 0
    assert facts.snapshot == lake.snapshots()[-1].snapshot


def test_what_snapshots_changed_is_told_by_the_numbers_a_table_has_had(lake: DomainLake, commit: LakeCommit) -> None:
    for name in ("counted", "other"):
        lake.replace(silver(name), "SELECT range AS id FROM range(10)", commit)
    first = lake.numbers(silver("counted"))
    with lake.connection(commit) as connection:
        connection.execute("INSERT INTO meuse.silver.counted VALUES (5000)")
    with lake.connection(commit) as connection:
        connection.execute("DROP TABLE meuse.silver.counted")
        connection.execute("CREATE TABLE meuse.silver.counted AS SELECT 1 AS id")
    numbers = lake.numbers(silver("counted"))

    assert first < numbers, "a table that is gone is still known by its number"
    assert not numbers & lake.numbers(silver("other"))
    assert lake.numbers(silver("absent")) == frozenset()
    told = [{int(one) for one in re.findall(r"_(?:table|insert|delete):(\d+)", each.changes)} for each in lake.snapshots()]
    assert [bool(each & numbers) for each in told][-2:] == [True, True]


def test_a_view_has_columns_and_no_count(lake: DomainLake, commit: LakeCommit) -> None:
    with lake.connection(commit) as connection:
        connection.execute("CREATE VIEW meuse.bronze.seen AS SELECT 1 AS id, 'a' AS name")
    facts = lake.facts(DatasetId("meuse", Zone.BRONZE, "seen"))
    assert (facts.rows, facts.files, facts.columns) == (None, 0, (("id", "INTEGER"), ("name", "VARCHAR")))


def test_a_dataset_that_is_not_there_is_not_found(lake: DomainLake) -> None:
    with pytest.raises(NotFound, match=r"has no meuse\.gold\.absent"):
        lake.facts(DatasetId("meuse", Zone.GOLD, "absent"))


def test_a_query_takes_parameters_and_streams(lake: DomainLake) -> None:
    assert lake.query("SELECT ? AS word", ["it's"]).to_pylist() == [{"word": "it's"}]
    with lake.stream("SELECT range AS id FROM range(300000)", batch_rows=50_000) as reader:
        assert sum(batch.num_rows for batch in reader) == 300_000


def test_one_writer_per_table_waits_for_the_other(world: World, lake: DomainLake) -> None:
    with (
        lake.writing([silver("locked"), silver("other")]),
        pytest.raises(Conflict, match=r"silver\.locked is being written by another process"),
        table_locks(world.address("meuse"), ["silver.locked"], wait_seconds=0.1),
    ):
        pass
    with table_locks(world.address("meuse"), ["silver.locked"], wait_seconds=0.1) as lock:
        lock.still_held()


def test_housekeeping_merges_expires_and_removes_what_nobody_names(
    world: World, lake: DomainLake, contract: Callable[..., Contract], commit: LakeCommit, tmp_path: Path
) -> None:
    promise = contract()
    for key in range(4):
        lake.load(Delivery(f"k{key}", pa.table({"id": [key], "name": ["a"]})), promise, commit)
    lake.replace(silver("small_files"), "SELECT 0 AS id", commit)
    with lake.connection(commit) as connection:
        for number in range(3):
            connection.execute("INSERT INTO meuse.silver.small_files VALUES (?)", [number])
    root = Path(lake.own.data_path)
    orphan = root / "raw" / promise.dataset.name / "orphan.parquet"
    leftover, young = root / "_staging" / "killed", root / "_staging" / "running"
    nameless, fresh = root / "_originals" / "ab" / ("ab" * 32), root / "_originals" / "ab" / ("ac" * 32)
    for folder in (leftover, young, nameless.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (orphan, nameless, fresh):
        file.write_bytes(b"x")
    taken = tmp_path / "pupils.csv"
    taken.write_bytes(b"id;name\n")
    original = Original(taken, "pupils.csv", hashlib.sha256(taken.read_bytes()).hexdigest())
    lake.load(Delivery("k4", pa.table({"id": [4], "name": ["a"]}), originals=(original,)), promise, commit)
    kept = root / "_originals" / original.sha256[:2] / original.sha256
    past = time.time() - 48 * 3600
    for path in (orphan, leftover, kept, nameless):
        os.utime(path, (past, past))
    report = maintain(lake, commit, keep=Keep(snapshot_days=0, grace_hours=24))
    assert not orphan.exists()
    assert not leftover.exists()
    assert young.exists()
    assert (kept.exists(), fresh.exists(), nameless.exists()) == (True, True, False)
    assert (report.orphans_removed, report.leftovers_removed) == (1, 2)
    assert report.files_merged >= 4
    assert report.snapshots_expired > 0
    assert promise.dataset in report.tables
    assert (lake.facts(silver("small_files")).files, lake.facts(silver("small_files")).rows) == (1, 4)
    assert lake.facts(promise.dataset).files == 5
    assert lake.query(f"SELECT count(*) AS n FROM meuse.raw.{promise.dataset.name}").to_pylist() == [{"n": 5}]
    assert not lake.load(Delivery("k0", pa.table({"id": [0], "name": ["a"]})), promise, commit).is_new


def test_a_past_load_replays_to_the_same_bytes(lake: DomainLake, contract: Callable[..., Contract], commit: LakeCommit) -> None:
    promise = contract()
    for number in range(3):
        lake.load(Delivery(f"k{number}", pa.table({"id": [number], "name": ["a"]})), promise, commit)
    before = [Path(path).read_bytes() for path in lake.replay(promise.dataset, "k1")]
    maintain(lake, commit, keep=Keep(snapshot_days=0, grace_hours=1))
    lake.load(Delivery("k3", pa.table({"id": [3], "name": ["b"]})), promise, commit)
    maintain(lake, commit, keep=Keep(snapshot_days=0, grace_hours=1))
    after = [Path(path).read_bytes() for path in lake.replay(promise.dataset, "k1")]
    query = "SELECT sha256 FROM meuse._polyceph.load WHERE dataset = ? AND key = 'k1'"
    [kept] = lake.query(query, [str(promise.dataset)]).to_pylist()
    assert len(before) == 1
    assert after == before
    assert [hashlib.sha256(content).hexdigest() for content in after] == kept["sha256"]
    with pytest.raises(NotFound, match="has no load k9"):
        lake.replay(promise.dataset, "k9")


def test_housekeeping_without_a_grace_time_is_refused() -> None:
    with pytest.raises(Invalid, match="0 hours"):
        Keep(grace_hours=0)


def test_an_engine_without_a_folder_gets_a_private_one() -> None:
    first, second = EngineLimits().temporary, EngineLimits().temporary
    try:
        assert first != second
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
    finally:
        first.rmdir()
        second.rmdir()


def test_housekeeping_waits_for_writers(lake: DomainLake, commit: LakeCommit) -> None:
    lake.replace(silver("busy"), "SELECT 1 AS id", commit)
    with lake.writing([silver("busy")]), pytest.raises(Conflict, match="being written"):
        maintain(lake, commit, wait_seconds=0.1)


def test_housekeeping_tells_when_a_table_lost_rows(world: World, lake: DomainLake, commit: LakeCommit) -> None:
    lake.replace(silver("damaged"), "SELECT range AS id FROM range(100)", commit)
    (file,) = Path(lake.own.data_path).glob("silver/damaged*/*.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS id FROM range(99)) TO '{file}.new' (FORMAT parquet, FIELD_IDS {{id: 1}})")
    Path(f"{file}.new").rename(file)
    try:
        with pytest.raises(Conflict, match=r"meuse\.silver\.damaged"):
            maintain(world.lake(), commit)
    finally:
        lake.replace(silver("damaged"), "SELECT 1 AS id", commit)

"""Loads of a table that goes on growing, through the connector: nothing twice when two runs meet, or when one is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pyarrow as pa
import pytest

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.source_ports import Delivery, Demand, Follows, LoadReport
from polyceph.errors import Conflict, Unavailable
from polyceph.lake.lake import DomainLake
from polyceph.settings import PostgresAddress

Build = Callable[..., Contract]
Ask = Callable[..., list[Delivery]]

_CUT = """
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NEW; END $$
"""


@pytest.fixture
def source(database: PostgresAddress) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database.url(), autocommit=True) as session:
        session.execute("CREATE TABLE pupils (id bigint PRIMARY KEY, name text)")
        session.execute("INSERT INTO pupils VALUES (1, 'a'), (2, 'b')")
        yield session


@pytest.fixture
def ask(database: PostgresAddress, lake: DomainLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what the connector delivers of the table for a contract, from where the lake's last load stopped."""
    monkeypatch.setenv("PUPILS_PASSWORD", database.password.get_secret_value())
    given = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
    options = PostgresConnector.source_options.model_validate({**given, "password_env": "PUPILS_PASSWORD"})
    connector = PostgresConnector(options, base=tmp_path)

    def deliveries(promise: Contract, *, run: str = "", **dataset: object) -> list[Delivery]:
        is_loaded = lambda key: lake.is_loaded(promise.dataset, key)  # noqa: E731
        cursor = lake.cursor(promise.dataset)
        asked = {"table": "public.pupils", **dataset}
        return list(connector.deliveries(Demand(promise.dataset, promise, asked, cursor, is_loaded, tmp_path, tmp_path, run=run)))

    return deliveries


def ids(lake: DomainLake, promise: Contract) -> list[int]:
    return [row["id"] for row in lake.query(f"SELECT id FROM meuse.raw.{promise.dataset.name} ORDER BY id").to_pylist()]


def test_two_loads_from_the_same_cursor_at_the_same_time_load_nothing_twice(
    world: object, lake: DomainLake, ask: Ask, source: psycopg.Connection[tuple[object, ...]], contract: Build, commit: LakeCommit
) -> None:
    promise = contract()
    [first] = ask(promise, cursor="id")
    source.execute("INSERT INTO pupils VALUES (3, 'c')")
    [second] = ask(promise, cursor="id")
    assert first.key != second.key
    ready = Barrier(2)

    def load(delivery: Delivery) -> LoadReport | Conflict:
        with world.lake() as own:  # type: ignore[attr-defined]
            own.cursor(promise.dataset)
            ready.wait(30)
            try:
                return own.load(delivery, promise, commit)
            except Conflict as error:
                return error

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(load, [first, second]))
    [refused] = [one for one in ended if isinstance(one, Conflict)]
    assert "another run has loaded" in refused.message
    assert refused.hint is not None
    assert "again" in refused.hint
    for delivery in ask(promise, cursor="id"):
        lake.load(delivery, promise, commit)
    assert ids(lake, promise) == [1, 2, 3]


def test_the_first_load_is_refused_when_another_was_first(
    lake: DomainLake, ask: Ask, source: object, contract: Build, commit: LakeCommit
) -> None:
    promise = contract()
    [first] = ask(promise, cursor="id")
    assert first.follows == Follows(None)
    lake.load(first, promise, commit)
    with pytest.raises(Conflict, match="another run has loaded"):
        lake.load(Delivery("other", first.rows, cursor="9", follows=Follows(None)), promise, commit)
    assert ids(lake, promise) == [1, 2]


def test_a_range_tried_again_after_its_commit_changes_nothing(
    lake: DomainLake, ask: Ask, source: object, contract: Build, commit: LakeCommit
) -> None:
    promise = contract()
    [delivery] = ask(promise, cursor="id")
    assert lake.load(delivery, promise, commit).is_new
    assert not lake.load(delivery, promise, commit).is_new
    assert ids(lake, promise) == [1, 2]


def test_a_snapshot_tried_again_by_the_same_run_is_loaded_once(
    lake: DomainLake, ask: Ask, source: object, contract: Build, commit: LakeCommit
) -> None:
    promise = contract()
    for run, is_new in (("run-1", True), ("run-1", False), ("run-2", True)):
        [delivery] = ask(promise, run=run)
        assert lake.load(delivery, promise, commit).is_new is is_new
    assert ids(lake, promise) == [1, 1, 2, 2]


def test_a_snapshot_does_not_move_the_cursor(lake: DomainLake, ask: Ask, source: object, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    [delivery] = ask(promise, cursor="id")
    lake.load(delivery, promise, commit)
    [whole] = ask(promise, run="run-1")
    assert (whole.cursor, whole.follows) == (None, None)
    lake.load(whole, promise, commit)
    assert lake.cursor(promise.dataset) == "2"


def test_a_commit_that_was_not_answered_is_not_called_undone(world: object, lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    with psycopg.connect(world.admin.url(), autocommit=True) as session:  # type: ignore[attr-defined]
        session.execute(_CUT)
        session.execute("CREATE TRIGGER cut AFTER INSERT ON lake_meuse.polyceph_load FOR EACH ROW EXECUTE FUNCTION cut()")
        try:
            with pytest.raises(Unavailable, match="whether the change was committed is not known") as caught:
                lake.load(Delivery("k1", pa.table({"id": [1], "name": ["a"]})), promise, commit)
        finally:
            session.execute("DROP FUNCTION cut CASCADE")
    assert caught.value.hint is not None
    assert "nothing was" not in str(caught.value)
    lake.close()
    assert lake.load(Delivery("k1", pa.table({"id": [1], "name": ["a"]})), promise, commit).is_new
    assert ids(lake, promise) == [1]

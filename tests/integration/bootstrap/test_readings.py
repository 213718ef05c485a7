"""From a domain's process to the journal: what its code reads by every door, what it is refused, and what the platform records of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from polyceph.bootstrap import lakes, reading
from polyceph.bootstrap.domain import DomainRuntime, domain_runtime
from polyceph.bootstrap.platform import Platform, open_platform
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Event, EventFilter
from polyceph.errors import Denied, Unavailable
from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation
from polyceph.settings import DomainProcess, Settings

COMMIT = LakeCommit("anne", "Made for the test", "r", "c")
VISITS = DatasetId("library", Zone.GOLD, "visits_by_town")
DIARY = DatasetId("library", Zone.SILVER, "diary")
OTHER = DatasetId("library", Zone.GOLD, "other")


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform of two domains whose lakes are made; museum consumes one dataset of library."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    folder.chmod(0o711)
    write_federation(folder, "reads", ("en",))
    for name in ("library", "museum"):
        write_domain(folder, name, name.title())
    declared = folder / "domains" / "museum" / "domain.yaml"
    declared.write_text(declared.read_text().replace("consumes: []", f"consumes: [{VISITS}]"))
    platform = open_platform(Settings(federation=folder, home=folder / ".polyceph"))
    try:
        platform.provision_lakes()
        with platform.lake("library") as lake:
            lake.replace(VISITS, "SELECT 'Liège' AS town, 3 AS visits UNION ALL SELECT 'Eupen', 4", COMMIT)
            lake.replace(DIARY, "SELECT 'secret' AS text", COMMIT)
        yield platform
    finally:
        platform.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def museum(platform: Platform) -> Iterator[DomainRuntime]:
    """The process of museum, which holds its own role alone."""
    role = platform.addresses.lake("museum")
    process = DomainProcess(name="museum", host=role.host, port=role.port, user=role.user, password=role.password)
    runtime = domain_runtime(platform.settings, process)
    yield runtime
    runtime.lake.close()


def recorded(platform: Platform) -> list[Event]:
    """Record what waits; return the events of that."""
    last = max((one.number for one in platform.queries().events(EventFilter(limit=100_000))), default=0)
    platform.record_readings()
    return [one.event for one in platform.queries().events(EventFilter(after=last, limit=100_000))]


def read(museum: DomainRuntime, sql: str, *values: object) -> list[dict[str, object]]:
    by = reading.reader(museum, "dagster", "run-1", "statistics")
    rows: list[dict[str, object]] = reading.query(museum, sql, values, reader=by).to_pylist()
    return rows


def test_a_read_stands_in_the_journal_once(platform: Platform, museum: DomainRuntime) -> None:
    assert read(museum, f"SELECT town FROM {VISITS} WHERE visits > ?", 3) == [{"town": "Eupen"}]
    [event] = recorded(platform)
    assert (event.action, event.subject_id, event.actor.id) == ("dataset.read", str(VISITS), "domain:museum")
    after = dict(event.after or {})
    assert (after["columns"], after["rows"]) == (["visits", "town"], 1)
    assert event.correlation["snapshot"].startswith("library@")
    assert recorded(platform) == []


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (OTHER, "add - library.gold.other under consumes in domains/museum/domain.yaml, then run polyceph up"),
        (DIARY, "ask the steward of library for a gold dataset"),
    ],
)
def test_a_refused_read_says_which_file_whom_to_ask_and_is_recorded(
    platform: Platform, museum: DomainRuntime, dataset: DatasetId, said: str
) -> None:
    owner = platform.federation.domains["library"].owner
    with pytest.raises(Denied) as refused:
        read(museum, f"SELECT * FROM {dataset}")
    assert said in str(refused.value)
    assert f"its owner is {owner}" in str(refused.value)
    [event] = recorded(platform)
    assert (event.action, event.subject_id, event.allowed) == ("read.refused", str(dataset), False)


def test_a_read_of_a_domain_that_nobody_knows_says_which_there_are(platform: Platform, museum: DomainRuntime) -> None:
    with pytest.raises(Denied, match="domains are: library, museum"):
        read(museum, "SELECT * FROM nobody.gold.visits")
    assert [one.action for one in recorded(platform)] == ["read.refused"]


def test_an_output_and_a_query_on_it_are_recorded(platform: Platform, museum: DomainRuntime) -> None:
    mine = DatasetId("museum", Zone.GOLD, "visits_by_town")
    museum.lake.replace(mine, f"SELECT town, visits FROM {VISITS}", COMMIT)
    lakes.serve_table(museum, mine, "visits_by_town", COMMIT)
    by = reading.reader(museum, "postgres", "run-1")
    assert reading.output_query(museum, "SELECT town FROM visits_by_town WHERE town <> %s", ["Eupen"], reader=by).num_rows == 1
    assert reading.output_query(museum, "SELECT 1 AS one", [], reader=by).num_rows == 1
    taken, served, queried = recorded(platform)
    assert (taken.action, taken.subject_id, dict(taken.after or {})["rows"]) == ("dataset.read", str(VISITS), None)
    assert (served.action, served.subject_id, served.door) == ("dataset.served", str(mine), "output")
    assert str(dict(served.after or {})["where"]).endswith("/polyceph_output/museum.visits_by_town")
    assert (queried.action, queried.subject_id, queried.door) == ("dataset.read", "museum.output.visits_by_town", "postgres")
    assert dict(queried.after or {})["columns"] == ["town"]


def test_what_dbt_is_about_to_read_is_recorded(platform: Platform, museum: DomainRuntime) -> None:
    reading.say_sources(museum, [VISITS], "run-1")
    [event] = recorded(platform)
    assert (event.door, event.subject_id, dict(event.after or {})["columns"]) == ("dbt", str(VISITS), None)


def test_a_domains_process_cannot_enter_the_store(platform: Platform, museum: DomainRuntime) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(**museum.process.address("polyceph").arguments())


def test_what_waits_when_the_recorder_ends_is_recorded_by_the_next(
    platform: Platform, museum: DomainRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> None:
        raise Unavailable("the recorder ended between its commit and the outbox")

    read(museum, f"SELECT town FROM {VISITS}")
    with monkeypatch.context() as patched:
        patched.setattr("polyceph.bootstrap.platform.settle", ends)
        with pytest.raises(Unavailable):
            platform.record_readings()
    read(museum, f"SELECT visits FROM {VISITS}")
    assert [dict(one.after or {})["columns"] for one in recorded(platform)] == [["visits"]]

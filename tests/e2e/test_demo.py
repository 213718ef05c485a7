"""The demo as a newcomer runs it, and the same federation started again: reuse, increments, kills, stamps, refusals."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import psycopg
import pytest

from polyceph.bootstrap.platform import Platform, join_platform
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import EventFilter
from polyceph.orchestrate.code_keys import socket_of
from polyceph.orchestrate.services import launcher_of, socket_folder
from polyceph.settings import Settings
from polyceph.testing.federation.register_moves import move_pupils
from polyceph.testing.federation.servers import serving

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]
PUPILS = DatasetId("education", Zone.RAW, "pupils")
NOT_SOURCES = ("running", "received")


@pytest.fixture(scope="module")
def demo(folder: Path, polyceph: Command, answer: Answer) -> dict[str, Any]:
    """Run the demo once, as `make demo ONCE=1` does; return what it printed."""
    done = polyceph("demo", "--once", "--json", "--folder", str(folder), seconds=600)
    result: dict[str, Any] = answer(done)
    assert done.returncode == 0, result["wrong"]
    return result


@pytest.fixture(scope="module")
def platform(demo: dict[str, Any], folder: Path, polyceph: Command) -> Iterator[Platform]:
    """Start the demo's federation again, beside the servers of its systems; return its platform."""
    with serving.serve(folder / "systems"):
        started = polyceph("up", "--detach")
        assert started.returncode == 0, started.stderr
        joined = join_platform(Settings(federation=folder))
        yield joined
        joined.engine.dispose()
        polyceph("down")


def test_the_demo_runs_six_domains_end_to_end(demo: dict[str, Any]) -> None:
    assert demo["domains"] == ["culture", "data_office", "education", "higher_education", "sport", "youth_care"]
    assert demo["wrong"] == []
    assert demo["excused"] == {}
    assert demo["datasets"] > 170
    assert demo["rows_by_zone"]["raw"] > 150_000
    assert all(demo["rows_by_zone"][zone] > 0 for zone in ("raw", "bronze", "silver", "gold"))
    assert demo["checks"]["passed"] >= 300
    assert demo["checks"]["failed"] == 0
    assert len(demo["outputs"]) >= 10


def test_what_was_found_is_what_was_planted(demo: dict[str, Any]) -> None:
    found = {one["kind"]: (one["planted"], one["found"], one["unplanted"]) for one in demo["findings"]}
    assert found["duplicate"] == (15, 15, 0)
    assert found["orphan"] == (15, 15, 0)
    assert found["out of range"] == (15, 15, 0)
    assert found["unknown code"] == (12, 12, 0)
    assert found["refused rows where none was planted"] == (0, 0, 0)
    cells = {kind: one for kind, one in found.items() if kind.startswith("wrong cell")}
    assert sum(planted for planted, _, _ in cells.values()) == 200
    assert sum(named or 0 for _, named, _ in cells.values()) >= 180
    assert sum(unplanted for _, _, unplanted in cells.values()) == 0


def test_what_nothing_looks_for_yet_is_said_to_be_so(demo: dict[str, Any]) -> None:
    nobody = {one["kind"]: one for one in demo["findings"] if one["found"] is None}
    assert {"late file", "volume drop", "person", "series", "lineage", "small_cell"} <= nobody.keys()
    assert {one["by"] for one in nobody.values()} == {"not built yet"}
    assert all(one["planted"] > 0 for one in nobody.values())


def test_the_demo_keeps_its_promise_of_memory(demo: dict[str, Any]) -> None:
    assert demo["peak_mb"] <= 3072


def test_once_leaves_no_process_behind(demo: dict[str, Any], folder: Path) -> None:
    words = (str(folder), str(socket_folder(folder / ".polyceph")))
    running = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert [line for line in running if any(word in line for word in words)] == []


def test_every_source_is_loaded_and_equals_what_was_written(
    platform: Platform, folder: Path, written: ModuleType, values: ModuleType
) -> None:
    different, systems = {}, set()
    for one in written.loaded(platform.federation, folder):
        systems.add(one.system)
        columns = one.contract.columns
        sent = [[values.written(row, column, one.options) for column in columns] for row in one.rows()]
        held = [[values.plain(row[column.name], column, {}) for column in columns] for row in _held(platform, one)]
        facts = [(len(rows), values.checksum(rows)) for rows in (sent, held)]
        if not sent or facts[0] != facts[1]:
            different[str(one.contract.dataset)] = facts
    assert different == {}
    assert systems == {path for path in (folder / "systems").glob("*/*_*") if path.is_dir() and path.parent.name not in NOT_SOURCES}
    assert len(systems) == 41


def test_every_snapshot_says_who_why_and_in_which_run(platform: Platform) -> None:
    for name in platform.federation.domains:
        with platform.lake(name) as lake:
            records = lake.snapshots(0)
        assert records
        assert all(r.author and r.message and r.extra.get("run") and "code" in r.extra for r in records)
        by_dbt = [r for r in records if r.message == f"dbt build of {name}"]
        assert by_dbt
        assert all(r.author == f"domain_{name}" for r in by_dbt)


def test_the_contract_versions_stand_in_the_snapshots(platform: Platform) -> None:
    with platform.lake("education") as lake:
        stamped = [r.extra["contracts"] for r in lake.snapshots(0) if r.message and r.message.startswith("load education.raw.pupils")]
    assert stamped == [{"education.raw.pupils": "1.0.0"}]


def test_every_declared_read_of_another_domain_stands_in_the_journal(platform: Platform) -> None:
    declared = {(f"domain:{name}", str(d)) for name, domain in platform.federation.domains.items() for d in domain.consumes}
    events = [one.event for one in platform.queries().events(EventFilter(action="dataset.read", limit=10_000))]
    assert {(one.actor.id, one.subject_id) for one in events if one.door == "dbt"} == declared
    assert all(one.correlation["run"] for one in events)
    served = platform.queries().events(EventFilter(action="dataset.served"))
    assert len(served) >= 10


def test_a_second_run_loads_nothing_twice(platform: Platform, polyceph: Command, answer: Answer) -> None:
    before = _count(platform, "education", "education.raw.pupils")
    done = answer(polyceph("run", "education/pupils", "--json"))
    assert [run["status"] for run in done["runs"]] == ["SUCCESS"]
    assert _count(platform, "education", "education.raw.pupils") == before == 40_000


def test_changed_pupils_are_loaded_alone_and_become_current(platform: Platform, polyceph: Command, answer: Answer) -> None:
    move_pupils(_register(platform), pupils=100)
    done = answer(polyceph("run", "education", "--json"))
    assert [(run["status"], run["error"]) for run in done["runs"]] == [("SUCCESS", None)]
    assert _count(platform, "education", "education.raw.pupils") == 40_100
    assert _count(platform, "education", "education.bronze.pupils") == 40_000


def test_a_killed_run_says_so_and_the_next_loses_and_doubles_nothing(platform: Platform, polyceph: Command, answer: Answer) -> None:
    move_pupils(_register(platform), pupils=200)
    launcher = launcher_of(platform.settings)
    killer = threading.Thread(target=_kill_worker, args=(socket_of(socket_folder(platform.settings.state()), "education"),))
    killer.start()
    run = launcher.launch("education", (PUPILS,), {})
    killer.join()
    end = time.monotonic() + 60
    while (outcome := launcher.outcome(run)) is None and time.monotonic() < end:
        time.sleep(0.3)
    assert outcome is not None
    assert outcome.status == "FAILURE"
    assert "process" in str(outcome.error)
    before = _count(platform, "education", "education.raw.pupils")
    assert before in (40_100, 40_300)
    done = answer(polyceph("run", "education/raw.pupils", "--json"))
    assert [one["status"] for one in done["runs"]] == ["SUCCESS"]
    assert _count(platform, "education", "education.raw.pupils") == 40_300


def test_who_asked_for_a_run_and_how_it_ended_is_in_the_journal(platform: Platform) -> None:
    queries = platform.queries()
    asked = queries.events(EventFilter(action="run.requested"))
    ended = {entry.event.subject_id for entry in queries.events(EventFilter(action="run.finished"))}
    assert len(ended) >= 6
    assert {entry.event.subject_id for entry in asked} >= ended


def test_a_domain_reads_only_what_it_declares(platform: Platform, folder: Path) -> None:
    address = platform.addresses.lake("culture")
    with psycopg.connect(**address.arguments()) as session:
        visible = {row[0] for row in session.execute("SELECT table_name FROM lake_education.ducklake_table WHERE end_snapshot IS NULL")}
        assert visible == {"pupils_by_municipality"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("DELETE FROM lake_education.ducklake_table")


def test_a_domain_cannot_enter_the_journal(platform: Platform) -> None:
    address = platform.addresses.lake("culture").at("polyceph")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(**address.arguments())


def test_an_unknown_dataset_is_refused_with_those_that_exist(polyceph: Command, platform: Platform) -> None:
    done = polyceph("run", "education/pupil")
    assert done.returncode == 3
    assert "education.raw.pupils" in done.stderr


def test_a_federation_is_not_started_twice(polyceph: Command, platform: Platform) -> None:
    done = polyceph("up", "--detach")
    assert done.returncode == 5
    assert "polyceph down" in done.stderr


def _count(platform: Platform, domain: str, table: str) -> int:
    with platform.lake(domain) as lake:
        return int(lake.query(f"SELECT count(*) AS n FROM {table}").to_pylist()[0]["n"])


def _held(platform: Platform, one: Any) -> list[dict[str, Any]]:
    """Return the rows of a raw dataset; of one whose files are each the whole, the newest of each key that is still there."""
    keys = ", ".join(column.name for column in one.contract.columns if column.primary_key)
    newest = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY rowid DESC) = 1" if one.options.get("whole") else ""
    with platform.lake(one.contract.dataset.domain) as lake:
        found = lake.query(f"SELECT * FROM (SELECT * FROM {one.contract.dataset} {newest}) WHERE _change IS DISTINCT FROM 'removed'")
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def _register(platform: Platform) -> Any:
    name = "education_register"
    return platform.server.admin.at(name).as_role(name, platform.role_password(name))


def _kill_worker(socket: Path) -> None:
    """Kill the newest process below the code server at a socket, which is the run's, a moment after it appears."""
    end = time.monotonic() + 60
    servers = [p for p in psutil.process_iter(["cmdline"]) if str(socket) in (p.info["cmdline"] or [])]
    known = {child.pid for server in servers for child in server.children(recursive=True)}
    while time.monotonic() < end:
        workers = [child for server in servers for child in server.children(recursive=True) if child.pid not in known]
        if workers:
            time.sleep(1.5)
            for worker in workers:
                worker.kill()
            return
        time.sleep(0.02)
    pytest.fail(f"no process of a run appeared below the code server at {socket}")

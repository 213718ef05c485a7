"""A domain that does not import, loops or eats memory leaves the others running: their runs and their schedules go on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]

_SOUND = """\
import dagster as dg
import pyarrow as pa
from polyceph.orchestrate.resources import Lake


@dg.asset(key=["{name}", "silver", "numbers"])
def numbers(lake: Lake) -> dg.MaterializeResult:
    return lake.replace("silver.numbers", pa.table({{"n": [1, 2, 3]}}))


every_minute = dg.ScheduleDefinition(
    name="every_minute", cron_schedule="* * * * *", target=dg.AssetSelection.all(), default_status=dg.DefaultScheduleStatus.RUNNING
)
"""
_BROKEN = {
    "broken": "import a_package_that_nobody_has\n",
    "looping": "while True:\n    pass\n",
    "greedy": "kept = [bytearray(64 * 1024 * 1024) for _ in range(1000)]\n",
}
_RUNS = """{runsOrError{... on Runs{results{status repositoryOrigin{repositoryLocationName} tags{key value}}}}}"""
_LIMITS = {"POLYCEPH_LIMITS__LOAD_SECONDS": "45", "POLYCEPH_LIMITS__PROCESS_MEMORY_MB": "3000"}


@pytest.fixture(scope="module")
def address(folder: Path, polyceph: Command, answer: Answer, federation_yaml: str) -> str:
    """Start a federation of two sound and three broken domains; return where its webserver is."""
    (folder / "federation.yaml").write_text(federation_yaml)
    _write_domain(folder, "sound", _SOUND.format(name="sound"))
    for name, code in _BROKEN.items():
        _write_domain(folder, name, code)
    _write_domain(folder, "undeclared", _SOUND.format(name="undeclared"))
    (folder / "domains" / "undeclared" / "domain.yaml").write_text("name: undeclared\nowner: nobody.known\n")
    started = polyceph("up", "--detach", **_LIMITS)
    assert started.returncode == 0, started.stderr
    return str(answer(polyceph("status", "--json"))["address"])


def _write_domain(folder: Path, name: str, code: str) -> None:
    domain = folder / "domains" / name
    (domain / "defs").mkdir(parents=True)
    (domain / "defs" / "assets.py").write_text(code)
    (domain / "domain.yaml").write_text(f"name: {name}\ntitle: {{en: {name}}}\nowner: ann.lee\nsteward: bob.ray\ncontact: stewards\n")


def test_each_broken_domain_says_why(polyceph: Command, answer: Answer, address: str) -> None:
    domains = answer(polyceph("status", "--json"))["domains"]
    assert domains["sound"] == "runs"
    assert "a_package_that_nobody_has" in domains["broken"]
    assert domains["looping"] != "runs"
    assert "MemoryError" in domains["greedy"]
    assert "nobody.known" in domains["undeclared"]


def test_a_sound_domain_runs_beside_broken_ones(polyceph: Command, answer: Answer, address: str) -> None:
    done = polyceph("run", "sound", "--json")
    assert [(run["status"], run["error"]) for run in answer(done)["runs"]] == [("SUCCESS", None)]


def test_a_broken_domain_is_refused_with_its_reason(polyceph: Command, answer: Answer, address: str) -> None:
    done = polyceph("run", "broken", "--json")
    run = answer(done)["runs"][0]
    assert done.returncode == 1
    assert run["status"] == "FAILURE"
    assert run["error"]


def test_the_schedule_of_a_sound_domain_goes_on(address: str, dagster: Callable[..., Any]) -> None:
    end = time.monotonic() + 100
    while time.monotonic() < end:
        runs = dagster(_RUNS)["runsOrError"]["results"]
        by_schedule = [run for run in runs if {"key": "dagster/schedule_name", "value": "every_minute"} in run["tags"]]
        if any(run["status"] == "SUCCESS" for run in by_schedule):
            assert {run["repositoryOrigin"]["repositoryLocationName"] for run in by_schedule} == {"sound"}
            return
        time.sleep(1)
    pytest.fail("no scheduled run of the sound domain succeeded within 100 s")

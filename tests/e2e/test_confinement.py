"""What hostile code of one domain gets of another's and of the platform's: nothing; while its own work runs.

The kernel's Landlock is what holds it, so this fails, and says so, on a kernel without.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyceph.orchestrate import child
from polyceph.orchestrate.services import socket_folder

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]

_VICTIM = """\
import dagster as dg
import pyarrow as pa
from polyceph.orchestrate.resources import Lake


@dg.asset(key=["victim", "gold", "secret"])
def secret(lake: Lake) -> dg.MaterializeResult:
    return lake.replace("gold.secret", pa.table({"n": list(range(5000))}))


@dg.asset(key=["victim", "gold", "shared"])
def shared(lake: Lake) -> dg.MaterializeResult:
    print("a line that only the victim says")
    return lake.replace("gold.shared", pa.table({"n": list(range(5000))}))
"""
_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: victim.gold.{name}
name: {name}
version: 1.0.0
status: active
domain: victim
description: {{purpose: A dataset of the test.}}
team:
  members:
    - {{username: ann.lee, role: owner}}
    - {{username: bob.ray, role: steward}}
customProperties:
  - {{property: zone, value: gold}}
  - {{property: classification, value: internal}}
schema:
  - name: {name}
    logicalType: object
    properties:
      - {{name: n, logicalType: integer, required: true}}
"""


@pytest.fixture(scope="module")
def found(folder: Path, polyceph: Command, answer: Answer, federation_yaml: str) -> dict[str, Any]:
    """Start a victim and a spy that consumes one dataset of it, run both, and return what the spy wrote about its attempts."""
    assert child.level(), "this kernel has no Landlock: domains cannot be confined on it"
    (folder / "federation.yaml").write_text(federation_yaml)
    _write_domain(folder, "victim", _VICTIM)
    (folder / "domains/victim/contracts/gold").mkdir(parents=True)
    for name in ("secret", "shared"):
        (folder / f"domains/victim/contracts/gold/{name}.odcs.yaml").write_text(_CONTRACT.format(name=name))
    _write_domain(folder, "spy", Path(__file__).with_name("hostile.py").read_text(), "consumes: [victim.gold.shared]\n")
    started = polyceph("up", "--detach", POLYCEPH_CONFINEMENT="required")
    assert started.returncode == 0, started.stderr
    assert answer(polyceph("run", "victim", "--json"))["runs"][0]["status"] == "SUCCESS"
    (folder / "domains/spy/defs/targets.json").write_text(json.dumps(_targets(folder)))
    done = answer(polyceph("run", "spy", "--json"))["runs"][0]
    assert (done["status"], done["error"]) == ("SUCCESS", None)
    told: dict[str, Any] = json.loads((folder / "domains/spy/found.json").read_text())
    return told


def _write_domain(folder: Path, name: str, code: str, more: str = "") -> None:
    domain = folder / "domains" / name
    (domain / "defs").mkdir(parents=True)
    (domain / "defs" / "assets.py").write_text(code)
    (domain / "domain.yaml").write_text(f"name: {name}\ntitle: {{en: {name}}}\nowner: ann.lee\nsteward: bob.ray\ncontact: stewards\n{more}")


def _targets(folder: Path) -> dict[str, Any]:
    """Return real files that this test can read and the spy must not, places it must not write to or look into."""
    state, sockets = folder / ".polyceph", socket_folder((folder / ".polyceph").resolve())
    parquet = next((folder / ".polyceph/lakes/victim/gold/secret").rglob("*.parquet"))
    output = next(one for one in (state / "dagster/logs/victim").rglob("*.out") if "only the victim" in one.read_text())
    read = [
        parquet,
        output,
        state / "secrets/roles.json",
        sockets / "keys/victim",
        sockets / "keys/.platform",
        folder / "domains/victim/defs/assets.py",
        state / "confinement/victim.json",
        state / "running.json",
        state / "logs/victim.log",
        Path("/etc/shadow"),
    ]
    assert all(one.read_bytes() for one in read), "the attempts would fail for want of a file"
    packages = Path(sysconfig.get_path("purelib"))
    write = [
        state / "extensions/planted",
        state / "environments/victim/planted",
        state / "cache/planted",
        state / "lakes/victim/planted",
        state / "confinement/spy.json",
        folder / "federation.yaml",
        folder / "domains/victim/planted",
        packages / "planted.pth",
        Path("/proc/sys/kernel/core_pattern"),
        Path(sys.prefix) / "planted",
    ]
    look = [state / "secrets", sockets / "keys", state / "journal", Path("/root"), Path("/tmp")]
    assert all(one.is_dir() for one in look if one != state / "journal")
    return {"parquet": str(parquet), "read": [*map(str, read)], "write": [*map(str, write)], "list": [*map(str, look)]}


def test_every_attempt_is_refused(found: dict[str, Any]) -> None:
    got = {what: said for what, said in found["attempts"].items() if not said.startswith("refused")}
    assert got == {}
    assert len(found["attempts"]) > 35


def test_attempts_are_refused_for_the_right_reason(found: dict[str, Any]) -> None:
    said = found["attempts"]
    files = {what: one for what, one in said.items() if what.startswith(("read ", "write ", "list "))}
    assert {what: one for what, one in files.items() if "PermissionError" not in one} == {}
    asked = ("ping", "ping with its own key", "repositories", "shut down")
    assert {what: said[what] for what in asked if "UNAUTHENTICATED" not in said[what]} == {}
    assert "permission denied for database" in said["store as the domain"]
    assert "permission denied for database" in said["store as Dagster"]
    assert "tells of [('shared',)] only" in said["catalogue of the victim"]


def test_only_the_environment_of_its_own_processes_can_be_read(found: dict[str, Any]) -> None:
    assert found["environments"] == ["spy"]
    assert len(found["own key"]) == 64


def test_nothing_was_planted_and_the_victim_still_works(folder: Path, found: dict[str, Any], polyceph: Command, answer: Answer) -> None:
    assert not list(folder.rglob("planted"))
    assert "spy" not in (folder / "federation.yaml").read_text()
    assert answer(polyceph("run", "victim", "--json"))["runs"][0]["status"] == "SUCCESS"


def test_the_key_of_no_code_server_is_in_what_domains_can_read(folder: Path, found: dict[str, Any]) -> None:
    keys = [one.read_text() for one in (socket_folder((folder / ".polyceph").resolve()) / "keys").iterdir()]
    assert len(keys) == 3
    home = folder / ".polyceph/dagster"
    assert not [one for one in home.rglob("*") if one.is_file() and any(key in one.read_text(errors="replace") for key in keys)]


def test_status_says_how_domains_are_held_apart(found: dict[str, Any], polyceph: Command) -> None:
    assert f"Landlock level {child.level()}" in polyceph("status").stdout

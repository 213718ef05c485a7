"""What people declare and write besides loads and dbt: shell steps, Python assets, outputs; and the rules that refuse them."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from polyceph.bootstrap.platform import join_platform
from polyceph.core.model.event import EventFilter
from polyceph.orchestrate.services import socket_folder
from polyceph.settings import Settings

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]

_DOMAIN = """\
name: {name}
title: {{en: {name}}}
owner: ann.lee
steward: bob.ray
contact: stewards
sources:
  inbox: {{connector: files, folder: sources}}
"""
_DEFS = """\
type: polyceph.orchestrate.components.Ingest
attributes:
  source: inbox
  datasets:
    - {name: numbers, path: numbers.csv}
---
type: polyceph.orchestrate.components.Shell
attributes:
  name: totals
  command: [python, scripts/totals.py]
  reads: [silver.numbers]
  writes: [gold.totals]
---
type: polyceph.orchestrate.components.Output
attributes:
  outputs:
    - {name: totals, of: gold.totals, to: parquet}
    - {name: other_totals, of: gold.totals, to: csv}
"""
_SCRIPT = """\
import os
import pathlib
import pyarrow as pa
import pyarrow.parquet as pq

assert not [name for name in os.environ if "PASSWORD" in name]
numbers = pq.read_table(pathlib.Path(os.environ["POLYCEPH_INPUTS"]) / "lab.silver.numbers.parquet").to_pylist()
totals = {}
for row in numbers:
    totals[row["kind"]] = totals.get(row["kind"], 0) + row["n"]
table = pa.table({"kind": list(totals), "total": pa.array(list(totals.values()), pa.int64())})
pq.write_table(table, pathlib.Path(os.environ["POLYCEPH_OUTPUTS"]) / "lab.gold.totals.parquet")
"""
_PYTHON = """\
import dagster as dg
from polyceph.orchestrate.resources import Lake, Postgres


@dg.asset(key=["lab", "silver", "numbers"], deps=[["lab", "raw", "numbers"]])
def numbers(lake: Lake) -> dg.MaterializeResult:
    rows = lake.query("select kind, n from lab.raw.numbers where n > ?", [0]).to_polars()
    return lake.replace("silver.numbers", rows)


@dg.asset(key=["lab", "silver", "served"], deps=[["lab", "gold", "totals"]])
def served(lake: Lake, postgres: Postgres) -> dg.MaterializeResult:
    assert postgres.copy_from("gold.totals", table="served_totals") == 2
    return lake.replace("silver.served", postgres.query("select * from served_totals where kind = %s", ["a"]).to_arrow())
"""
_THIEF = """\
import dagster as dg


@dg.asset(key=["thief", "silver", "taken"], deps=[dg.AssetKey(["lab", "gold"] + ["totals"])])
def taken() -> None: ...
"""


def _contract(zone: str, name: str, columns: dict[str, str]) -> str:
    properties = "".join(f"      - {{name: {column}, logicalType: {kind}, required: true}}\n" for column, kind in columns.items())
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nid: lab.{zone}.{name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: lab\n"
        "description: {purpose: A dataset of the test.}\n"
        "team:\n  members:\n    - {username: ann.lee, role: owner}\n    - {username: bob.ray, role: steward}\n"
        f"customProperties:\n  - {{property: zone, value: {zone}}}\n  - {{property: classification, value: internal}}\n"
        f"schema:\n  - name: {name}\n    logicalType: object\n    properties:\n{properties}"
    )


@pytest.fixture(scope="module")
def federation(folder: Path, polyceph: Command, federation_yaml: str) -> Path:
    """Write and start two domains: `lab`, which uses every component, and `thief`, which reads what it does not declare."""
    files = {
        "federation.yaml": federation_yaml,
        "domains/lab/domain.yaml": _DOMAIN.format(name="lab"),
        "domains/lab/sources/numbers.csv": "kind;n\na;1\nb;2\na;3\n",
        "domains/lab/scripts/totals.py": _SCRIPT,
        "domains/lab/defs/steps/defs.yaml": _DEFS,
        "domains/lab/defs/python_assets.py": _PYTHON,
        "domains/lab/contracts/raw/numbers.odcs.yaml": _contract("raw", "numbers", {"kind": "string", "n": "integer"}),
        "domains/lab/contracts/gold/totals.odcs.yaml": _contract("gold", "totals", {"kind": "string", "total": "integer"}),
        "domains/lab/contracts/output/totals.odcs.yaml": _contract("output", "totals", {"kind": "string", "total": "integer"}),
        "domains/lab/contracts/output/other_totals.odcs.yaml": _contract("output", "other_totals", {"kind": "string"}),
        "domains/lab/contracts/output/served_totals.odcs.yaml": _contract(
            "output", "served_totals", {"kind": "string", "total": "integer"}
        ),
        "domains/thief/domain.yaml": _DOMAIN.format(name="thief"),
        "domains/thief/sources/none.csv": "a\n",
        "domains/thief/defs/python_assets.py": _THIEF,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    started = polyceph("up", "--detach")
    assert started.returncode == 0, started.stderr
    return folder


@pytest.fixture(scope="module")
def run(federation: Path, polyceph: Command, answer: Answer) -> dict[str, Any]:
    """Run all of `lab` once."""
    found: dict[str, Any] = answer(polyceph("run", "lab", "--json"))["runs"][0]
    return found


def test_an_output_that_contradicts_its_contract_is_not_served(run: dict[str, Any], federation: Path) -> None:
    assert run["status"] == "FAILURE"
    assert "column total is there and not promised" in run["error"]
    assert not (federation / ".polyceph/outputs/lab/other_totals.csv").exists()


def test_shell_and_python_assets_and_outputs_work_together(run: dict[str, Any], federation: Path) -> None:
    served = federation / ".polyceph/outputs/lab/totals.parquet"
    assert sorted(pq.read_table(served).to_pylist(), key=str) == [{"kind": "a", "total": 4}, {"kind": "b", "total": 2}]
    facts = json.loads(served.with_name("totals.parquet.json").read_text())
    assert facts["rows"] == 2
    assert facts["snapshot"] > 0


def test_what_each_door_read_is_in_the_journal(run: dict[str, Any], federation: Path) -> None:
    platform = join_platform(Settings(federation=federation))
    found = {(one.event.action, one.event.door, one.event.subject_id): one.event for one in platform.queries().events(EventFilter())}
    platform.engine.dispose()
    ran = run["run"]
    doors = {
        ("dataset.read", "dagster", "lab.raw.numbers"): (["n", "kind"], 3),
        ("dataset.read", "shell", "lab.silver.numbers"): (["kind", "n"], 3),
        ("dataset.served", "output", "lab.gold.totals"): (["kind", "total"], 2),
        ("dataset.read", "postgres", "lab.output.served_totals"): (["kind", "total"], 1),
    }
    assert {key: (found[key].after["columns"], found[key].after["rows"]) for key in doors} == doors
    assert {found[key].correlation["run"] for key in doors} == {ran}
    assert {(found[key].actor.id, found[key].actor.on_behalf_of) for key in doors} == {("domain:lab", getpass.getuser())}


def test_a_read_that_consumes_does_not_declare_is_refused_and_names_the_file(federation: Path, polyceph: Command, answer: Answer) -> None:
    refused = answer(polyceph("status", "--json"))["domains"]["thief"]
    assert "domains/thief/domain.yaml" in refused
    assert "add lab.gold.totals to consumes" in refused


def test_bad_rows_are_refused_with_their_line_and_nothing_is_loaded(
    run: dict[str, Any], federation: Path, polyceph: Command, answer: Answer
) -> None:
    (federation / "domains/lab/sources/numbers.csv").write_text("kind;n\na;1\nb;many\na;3\n")
    done = answer(polyceph("run", "lab/raw.numbers", "--json"))["runs"][0]
    assert done["status"] == "FAILURE"
    assert done["checks_failed"] == 1
    assert "numbers.csv:3" in done["error"]
    assert "many" in done["error"]


def test_check_loads_every_domain_and_names_the_one_that_breaks_a_rule(federation: Path, polyceph: Command) -> None:
    done = polyceph("check", "--defs")
    assert done.returncode == 2
    assert "domains/thief" in done.stderr


def test_a_killed_platform_leaves_no_process_behind_and_starts_again(federation: Path, polyceph: Command, answer: Answer) -> None:
    pid = answer(polyceph("status", "--json"))["pid"]
    os.kill(pid, signal.SIGKILL)
    words = (str(federation), str(socket_folder(federation / ".polyceph")))
    end = time.monotonic() + 30
    while (left := _running(words)) and time.monotonic() < end:
        time.sleep(0.5)
    assert left == []
    assert polyceph("up", "--detach").returncode == 0
    assert answer(polyceph("status", "--json"))["domains"]["lab"] == "runs"


def _running(words: tuple[str, ...]) -> list[str]:
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(word in line for word in words)]

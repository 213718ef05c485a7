"""Behaviours of large loads, in processes of their own: the memory they take, and being killed in the middle."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from child import COLUMNS
from stands.behaviours import Behaviour
from stands.registry import behaviour
from stands.stand import Numbers, Stand, Table

CHILD = Path(__file__).with_name("child.py")
SMALL = 2_000
MORE_MB = 200
"""What a load may take beyond a small one: buffers of a fixed size. All rows as Python objects would take several times as much."""


@dataclass(frozen=True)
class Work:
    """A table of a stand, and the raw table that child processes load it into."""

    stand: Stand
    loading: Any
    table: Table

    def start(self, run: str) -> subprocess.Popen[str]:
        loading, catalogue = self.loading, self.loading.address.catalogue
        parts = {name: getattr(catalogue, name) for name in ("host", "port", "database", "user")}
        parts["password"] = catalogue.password.get_secret_value()
        given = {"catalogue": parts, "folder": str(loading.folder), "data_path": loading.address.data_path, "name": self.loading.name}
        given |= {"extensions": str(loading.extensions), "connector": self.stand.connector, "base": str(self.stand.tools.folder)}
        given |= {"source": self.stand.source(), "options": self.stand.dataset(self.table), "run": run}
        return subprocess.Popen([sys.executable, str(CHILD), json.dumps(given)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, run: str) -> dict[str, Any]:
        child = self.start(run)
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, err[-3000:]
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def kill(self, run: str, *, after: str, seconds: float) -> bool:
        """Kill a load so long after it said something; return whether there was still something to kill."""
        child = self.start(run)
        assert child.stdout is not None
        for line in child.stdout:
            if after in json.loads(line):
                break
        time.sleep(seconds)
        is_alive = child.poll() is None
        child.kill()
        child.communicate()
        return is_alive

    def counted(self) -> dict[str, int]:
        query = f"SELECT count(*) AS n, count(DISTINCT id) AS d, max(id) AS m, sum(amount) AS s FROM education.raw.{self.loading.name}"
        [found] = self.loading.lake.query(query).to_pylist()
        return {name: int(value) for name, value in found.items()}


def expected(count: int) -> dict[str, int]:
    return {"n": count, "d": count, "m": count, "s": 7 * count * (count - 1) // 2}


def work(stand: Stand, loading: Any, rows: int) -> Work:
    table = Table(f"large_{loading.name}", COLUMNS, Numbers(rows))
    stand.publish(table)
    return Work(stand, loading, table)


@pytest.mark.slow
@behaviour(Behaviour.LARGE)
def test_many_rows_take_the_memory_of_few(stand: Stand, loading: Any, other_loading: Any) -> None:
    few, many = work(stand, other_loading, SMALL), work(stand, loading, stand.large_rows)
    small, large = few.finish("small"), many.finish("large")
    assert (sum(small["rows"]), sum(large["rows"])) == (SMALL, stand.large_rows)
    assert many.counted() == expected(stand.large_rows)
    assert large["memory_mb"] < small["memory_mb"] + MORE_MB, (small, large)
    sys.stderr.write(f"{stand.connector}: {small['memory_mb']} MB for {SMALL} rows, {large['memory_mb']} MB for {stand.large_rows}\n")


@pytest.mark.slow
@behaviour(Behaviour.KILLED)
def test_a_load_killed_in_the_middle_and_run_again_is_whole(stand: Stand, loading: Any) -> None:
    killed = work(stand, loading, stand.killed_rows)
    chance = random.Random(stand.connector)
    shots = [
        killed.kill("run-1", after="begun", seconds=chance.uniform(0.05, 0.4)),
        killed.kill("run-1", after="delivered", seconds=chance.uniform(0.02, 0.15)),
    ]
    killed.finish("run-1")
    assert any(shots)
    assert killed.counted() == expected(stand.killed_rows)
    assert sum(killed.finish("run-1")["rows"]) == 0
    assert killed.counted() == expected(stand.killed_rows)

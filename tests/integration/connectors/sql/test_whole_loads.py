"""Loads in processes of their own: killed in the middle and run again, and of any size in the same memory."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from polyceph.settings import PostgresAddress

CHILD = Path(__file__).with_name("child.py")
ROWS = 300_000


def given(loading: Any, connector: str, source: dict[str, object], options: dict[str, object], run: str) -> str:
    catalogue = loading.address.catalogue
    parts = {name: getattr(catalogue, name) for name in ("host", "port", "database", "user")}
    parts["password"] = catalogue.password.get_secret_value()
    words = {"catalogue": parts, "folder": str(loading.folder), "data_path": loading.address.data_path, "name": loading.name}
    words |= {"extensions": str(loading.extensions), "connector": connector, "source": source, "options": options, "run": run}
    return json.dumps(words)


def start(words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )


def finish(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err[-3000:]
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.fixture(params=["mysql", "postgres"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, object], str, Any]:
    """A connector's name, its source, the table's name, and how to write."""
    if request.param == "postgres":
        database: PostgresAddress = request.getfixturevalue("database")
        source: dict[str, object] = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}

        def write(statement: str) -> None:
            with psycopg.connect(database.url(), autocommit=True) as session:
                session.execute(statement.encode())

        monkeypatch.setenv("SOURCE_PASSWORD", database.password.get_secret_value())
        return "postgres", {**source, "password_env": "SOURCE_PASSWORD"}, "public.t", write
    mariadb, name = request.getfixturevalue("mariadb"), f"d_{secrets.token_hex(4)}"
    mariadb.write(f"CREATE DATABASE {name}; CREATE USER IF NOT EXISTS loader@'127.0.0.1' IDENTIFIED BY 'loads';")
    mariadb.write(f"GRANT SELECT ON {name}.* TO loader@'127.0.0.1';")
    monkeypatch.setenv("SOURCE_PASSWORD", "loads")
    source = {"host": "127.0.0.1", "port": mariadb.port, "database": name, "user": "loader", "password_env": "SOURCE_PASSWORD"}
    return "mysql", source, f"{name}.t", lambda statement: mariadb.write(statement, database=name)


def fill(kind: str, write: Any, first: int, last: int) -> None:
    numbers = f"generate_series({first}, {last}) AS s (seq)" if kind == "postgres" else f"seq_{first}_to_{last}"
    write(f"INSERT INTO t SELECT seq, repeat('x', 100) FROM {numbers}")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["snapshot", "cursor"])
def test_a_load_killed_in_the_middle_and_run_again_loses_and_doubles_nothing(server: Any, loading: Any, way: str) -> None:
    kind, source, table, write = server
    write("CREATE TABLE t (id int PRIMARY KEY, pad varchar(200))")
    fill(kind, write, 1, ROWS)
    options = {"table": table, **({"cursor": "id", "overlap": 1000} if way == "cursor" else {})}
    random.seed(7)
    killed = 0
    for _ in range(4):
        child = start(given(loading, kind, source, options, "run-1"))
        time.sleep(random.uniform(0.8, 2.0))
        if child.poll() is None:
            child.kill()
            killed += 1
        child.communicate()
    finish(start(given(loading, kind, source, options, "run-1")))
    if way == "cursor":
        fill(kind, write, ROWS + 1, ROWS + 10)
        finish(start(given(loading, kind, source, options, "run-2")))
    expected = ROWS + (10 if way == "cursor" else 0)
    found = loading.lake.query(f"SELECT count(*) n, count(DISTINCT id) d, max(id) m FROM education.raw.{loading.name}").to_pylist()
    assert killed > 0
    assert found == [{"n": expected, "d": expected, "m": expected}]


@pytest.mark.slow
def test_ten_times_the_rows_take_the_same_memory(server: Any, loading: Any) -> None:
    kind, source, table, write = server
    write("CREATE TABLE t (id int PRIMARY KEY, pad varchar(200))")
    fill(kind, write, 1, 100_000)
    small = finish(start(given(loading, kind, source, {"table": table}, "small")))
    fill(kind, write, 100_001, 1_000_000)
    large = finish(start(given(loading, kind, source, {"table": table}, "large")))
    assert (small["rows"], large["rows"]) == ([100_000], [1_000_000])
    assert large["memory_mb"] < small["memory_mb"] + 120, (small, large)

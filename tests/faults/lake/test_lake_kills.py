"""Loads under SIGKILL and under each other: nothing lost, doubled or torn."""

from __future__ import annotations

import json
import multiprocessing
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from polyceph.lake.engine import install_extensions
from polyceph.lake.provision import provision_lake
from polyceph.settings import LakeAddress, PostgresAddress

sys.path.insert(0, str(Path(__file__).parent))
import killing
import targets


@pytest.fixture
def target(postgres: PostgresAddress, tmp_path: Path) -> Iterator[targets.Target]:
    name = f"kills_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
        if session.execute("SELECT FROM pg_roles WHERE rolname = 'domain_ourthe'").fetchone() is None:
            session.execute("CREATE ROLE domain_ourthe LOGIN PASSWORD 'ourthe'")
    own = postgres.at(name).as_role("domain_ourthe", SecretStr("ourthe"))
    lake = LakeAddress(domain="ourthe", catalogue=own, metadata_schema="lake_ourthe", data_path=str(tmp_path / "lake"))
    extensions = install_extensions(tmp_path / "extensions")
    provision_lake(postgres.at(name), lake, {}, extensions=extensions)
    yield targets.Target(lake, extensions, tmp_path / "temporary", postgres.at(name))
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_thirty_killed_loads_lose_double_and_tear_nothing(target: targets.Target) -> None:
    tally = killing.shoot(target, 30)
    assert tally.is_clean(), json.dumps(vars(tally))
    assert (tally.kills, tally.followed) == (30, 15)
    # Kills before and after the commit both happened, so that both ways of a retry were taken.
    assert 0 < tally.committed_before_kill < 30


def test_four_processes_load_the_same_keys_of_one_table_once_each(target: targets.Target) -> None:
    context = multiprocessing.get_context("forkserver")
    with context.Pool(4) as pool:
        reports = pool.starmap(killing.load, [(target, number) for number in range(4) for _ in range(4)], chunksize=1)
    assert sorted(report.key for report in reports if report.is_new) == ["k0", "k1", "k2", "k3"]
    with target.open() as lake:
        query = "SELECT _load, count(*) AS n, count(DISTINCT id) AS ids FROM ourthe.raw.shots GROUP BY 1 ORDER BY 1"
        found = lake.query(query).to_pylist()
    assert found == [{"_load": f"k{number}", "n": targets.ROWS, "ids": targets.ROWS} for number in range(4)]

"""The Belgian files as published, through YAML and dbt SQL alone, end in figures that an independent calculation confirms."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from belgian_oracle import differences  # the oracle stands beside this test and belongs to no package

from polyceph.bootstrap.platform import Platform, join_platform
from polyceph.settings import Settings

_EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "belgium"


@pytest.fixture(scope="module")
def belgium(shared_data: Path) -> Iterator[tuple[Platform, dict[str, Any]]]:
    """Run the Belgian federation on the published files; return its platform and what its runs said."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-belgium-"))
    folder.chmod(0o711)
    shutil.copytree(_EXAMPLE, folder / "federation", ignore=shutil.ignore_patterns(".polyceph", "__pycache__"))
    source = str((shared_data / "data" / "belgium").resolve())
    environment = {**os.environ, "POLYCEPH_WEB__PORT": "0", "POLYCEPH_SHARED_DATA": source}

    def polyceph(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "polyceph.cli", "--federation", str(folder / "federation"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)

    try:
        started = polyceph("up", "--detach")
        assert started.returncode == 0, started.stderr
        ran = polyceph("run", "--json")
        platform = join_platform(Settings(federation=folder / "federation"))
        yield platform, json.loads(ran.stdout)
        platform.engine.dispose()
    finally:
        polyceph("down")
        shutil.rmtree(folder, ignore_errors=True)


def _rows(platform: Platform, domain: str, sql: str) -> list[dict[str, Any]]:
    with platform.lake(domain) as lake:
        found: list[dict[str, Any]] = lake.query(sql).to_pylist()
        return found


def test_every_known_truth_holds_as_a_check(belgium: tuple[Platform, dict[str, Any]]) -> None:
    runs = belgium[1]["runs"]
    assert {run["domain"]: (run["status"], run["checks_failed"], run["error"]) for run in runs} == {
        "statistical_office": ("SUCCESS", 0, None),
        "education": ("SUCCESS", 0, None),
    }
    assert sum(run["checks_passed"] for run in runs) >= 60


def test_gold_equals_an_independent_calculation(belgium: tuple[Platform, dict[str, Any]], shared_data: Path) -> None:
    gold = _rows(belgium[0], "education", "SELECT * FROM education.gold.schooling_by_municipality")
    assert len(gold) == 262
    assert differences(gold, shared_data / "data" / "belgium") == []


def test_sites_without_coordinates_are_counted_and_kept(belgium: tuple[Platform, dict[str, Any]]) -> None:
    sites = _rows(belgium[0], "education", "SELECT latitude FROM education.bronze.sites")
    known = [row["latitude"] for row in sites if row["latitude"] is not None]
    assert len(sites) == 6805
    assert len(sites) - len(known) == 192
    assert all(49 < latitude < 52 for latitude in known)  # the decimal point is back


def test_published_files_are_kept_as_they_came(belgium: tuple[Platform, dict[str, Any]], shared_data: Path) -> None:
    platform, _ = belgium
    published = {path.read_bytes() for path in (shared_data / "data" / "belgium").glob("fwb_*.csv")}
    kept = {path.read_bytes() for path in (platform.settings.federation / ".polyceph" / "lakes").rglob("_originals/*/*")}
    assert published <= kept

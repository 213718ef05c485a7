"""The synthetic federation as a whole: the same scenario, the same bytes; a later month only adds; the truth is what its schema says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from polyceph.testing.federation import generate, truth
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

COUNTS = {
    "workbook_cell": 200,
    "quality": 60,
    "series": 13,
    "person": 30,
    "drift": 0,
    "move": 0,
    "unknown_code": 12,
    "small_cell": 6,
}
ROWED = (".csv", ".ndjson")
TABLES = {"drift", "move"}


def digests(scenario: Scenario) -> tuple[dict[str, str], Truth]:
    planted = Truth()
    return {piece.path: hashlib.sha256(piece.content).hexdigest() for piece in generate.pieces(scenario, planted)}, planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("systems")
    generate.generate(made, Scenario())
    return made


@pytest.fixture(scope="module")
def later() -> tuple[dict[str, str], Truth]:
    return digests(Scenario(month=Month(2026, 10)))


def test_two_generations_of_a_seed_are_byte_identical(folder: Path) -> None:
    again, planted = digests(Scenario())
    written = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}
    assert written.pop(truth.FILE) == hashlib.sha256(planted.text(Scenario()).encode()).hexdigest()
    assert written == again


def test_there_are_forty_sources_or_more(folder: Path) -> None:
    assert len({p.relative_to(folder).parts[:2] for p in folder.rglob("*") if p.is_file() and p.name != truth.FILE}) >= 40


def test_the_truth_keeps_its_schema_and_has_what_is_promised(folder: Path) -> None:
    planted = truth.read(folder)
    assert {kind: count for kind, count in planted.counts().items() if kind in COUNTS} == COUNTS
    assert planted.faults("quality") == {"duplicate": 15, "orphan": 15, "out_of_range": 15, "late_file": 10, "volume_drop": 5}
    assert {entry["marked"] for entry in planted.of("personal_data")} == {True, False}
    anomalies = [entry["anomalies"] for entry in planted.of("series")]
    assert sorted(len(one) for one in anomalies) == [0] * 12 + [2]


def test_a_truth_with_a_field_too_many_is_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / truth.FILE).read_text().replace('"fault": "orphan"', '"fault": "orphan", "guess": 1', 1)
    (tmp_path / truth.FILE).write_text(text)
    with pytest.raises(ValueError, match="guess"):
        truth.read(tmp_path)


def test_a_year_later_all_drifts_have_come_and_everybody_has_moved(later: tuple[dict[str, str], Truth]) -> None:
    counts = later[1].counts()
    assert counts["drift"] == 10
    assert counts["move"] == 12
    assert {kind: count for kind, count in counts.items() if kind in COUNTS and kind not in TABLES} == {
        kind: count for kind, count in COUNTS.items() if kind not in TABLES
    }


def test_a_year_later_delivered_files_have_the_bytes_they_had(folder: Path, later: tuple[dict[str, str], Truth]) -> None:
    places = ("share", "ftp", "sftp", "s3")
    before = [p for place in places for p in (folder / place).rglob("*") if p.is_file()]
    changed = [
        str(p.relative_to(folder)) for p in before if later[0].get(str(p.relative_to(folder))) != hashlib.sha256(p.read_bytes()).hexdigest()
    ]
    assert len(changed) <= len(before) // 10, changed

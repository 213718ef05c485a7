"""The example federation in its place: repositories, releases, a submodule, people who leave, and time that only goes forward."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from polyceph.errors import Conflict, Invalid
from polyceph.orchestrate.demo import place
from polyceph.testing.federation import truth
from polyceph.testing.federation.moves import MOVES
from polyceph.testing.federation.scenario import LAST, PRESENT, Month, Scenario


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def domains(folder: Path) -> list[Path]:
    return sorted((folder / "domains").iterdir())


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    place.place_federation(folder, Scenario())
    return folder


def test_each_domain_is_a_repository_with_a_release(placed: Path) -> None:
    assert len(domains(placed)) >= 6
    for domain in domains(placed):
        assert git(domain, "tag") == "v1.0.0"
        assert git(domain, "status", "--porcelain") == ""
        assert git(domain, "log", "-1", "--format=%s") == f"{domain.name} 1.0.0"


def test_one_domain_has_its_dbt_project_as_a_submodule_with_its_own_tags(placed: Path) -> None:
    culture = placed / "domains" / "culture"
    assert git(culture, "submodule", "status").split()[1:] == ["transform", "(1.0.0)"]
    assert git(culture / "transform", "tag").split() == ["0.9.0", "1.0.0"]
    assert (culture / "transform" / "dbt_project.yml").exists()


def test_the_same_federation_has_the_same_commits_everywhere(placed: Path, tmp_path: Path) -> None:
    place.place_federation(tmp_path, Scenario())
    for domain in domains(placed):
        assert git(tmp_path / "domains" / domain.name, "rev-parse", "HEAD") == git(domain, "rev-parse", "HEAD")


def test_placing_it_again_changes_nothing_and_touches_no_file(placed: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in placed.rglob("*.yaml")}
    heads = [git(domain, "rev-parse", "HEAD") for domain in domains(placed)]
    place.place_federation(placed, Scenario())
    assert {p: p.stat().st_mtime_ns for p in placed.rglob("*.yaml")} == before
    assert [git(domain, "rev-parse", "HEAD") for domain in domains(placed)] == heads


def test_who_leaves_is_marked_and_each_successor_is_a_release(tmp_path: Path) -> None:
    place.place_federation(tmp_path, Scenario())
    place.place_federation(tmp_path, Scenario(month=LAST))
    text = (tmp_path / "federation.yaml").read_text()
    for move in MOVES:
        assert (f"left: {move.left}" in text) == (move.left <= Scenario(month=LAST).today)
    education = tmp_path / "domains" / "education"
    assert git(education, "tag").split() == ["v1.0.0", "v1.0.1", "v1.0.2"]
    assert "isabelle.georges follows anne.dupont" in git(education, "log", "--format=%s")
    declared = "".join(path.read_text() for path in (education / "domain.yaml", *(education / "contracts").rglob("*.yaml")))
    assert "anne.dupont" not in declared
    assert "marc.leroy" not in declared
    assert "## 1.0.2 (2026-07-01)\n- sarah.benoit follows marc.leroy as steward." in (education / "CHANGELOG.md").read_text()


def test_a_month_played_at_once_or_step_by_step_ends_in_the_same_declarations(tmp_path: Path) -> None:
    month = Month(2026, 3)
    for number in range(month.since(PRESENT) + 1):
        place.place_federation(tmp_path / "steps", Scenario(month=PRESENT.plus(number)))
    place.place_federation(tmp_path / "once", Scenario(month=month))
    for path in (tmp_path / "once").rglob("*.yaml"):
        assert path.read_bytes() == (tmp_path / "steps" / path.relative_to(tmp_path / "once")).read_bytes()


def test_what_somebody_changed_in_a_copy_is_committed_and_put_right(tmp_path: Path) -> None:
    place.place_federation(tmp_path, Scenario())
    declared = tmp_path / "domains" / "sport" / "domain.yaml"
    right = declared.read_text()
    declared.write_text("name: broken\n")
    place.place_federation(tmp_path, Scenario())
    assert declared.read_text() == right
    assert git(declared.parent, "status", "--porcelain") == ""


def reach(folder: Path, scenario: Scenario) -> None:
    (folder / place.SYSTEMS).mkdir()
    (folder / place.SYSTEMS / truth.FILE).write_text(truth.Truth().text(scenario))


def test_without_a_month_the_demo_stays_where_it_is(tmp_path: Path) -> None:
    assert place.scenario_of(tmp_path, seed=2025, scale=1, month=None) == Scenario()
    reach(tmp_path, Scenario(month=Month(2026, 1)))
    assert place.scenario_of(tmp_path, seed=2025, scale=1, month=None).month == Month(2026, 1)
    assert place.scenario_of(tmp_path, seed=2025, scale=1, month="2026-02").today == date(2026, 3, 10)


def test_time_does_not_go_back(tmp_path: Path) -> None:
    reach(tmp_path, Scenario(month=Month(2026, 1)))
    with pytest.raises(Conflict, match="reached 2026-01"):
        place.scenario_of(tmp_path, seed=2025, scale=1, month="2025-12")


def test_a_folder_keeps_its_seed_and_scale(tmp_path: Path) -> None:
    reach(tmp_path, Scenario(seed=7))
    with pytest.raises(Conflict, match="seed 7 and scale 1"):
        place.scenario_of(tmp_path, seed=2025, scale=1, month=None)


@pytest.mark.parametrize("month", ["2025-9", "2025-13", "now", "25-11", "2025/11"])
def test_a_month_that_cannot_be_read_is_refused(tmp_path: Path, month: str) -> None:
    with pytest.raises(Invalid, match=r"cannot be read"):
        place.scenario_of(tmp_path, seed=2025, scale=1, month=month)


@pytest.mark.parametrize("month", ["2025-09", "2026-11"])
def test_a_month_that_the_generator_does_not_know_is_refused(tmp_path: Path, month: str) -> None:
    with pytest.raises(Invalid, match=r"from 2025-10 to 2026-10"):
        place.scenario_of(tmp_path, seed=2025, scale=1, month=month)


def test_the_truth_names_the_kinds_it_has(tmp_path: Path) -> None:
    reach(tmp_path, Scenario())
    document = json.loads((tmp_path / place.SYSTEMS / truth.FILE).read_text())
    assert set(document["planted"]) == {kind.name for kind in truth.KINDS}
    assert truth.read(tmp_path / place.SYSTEMS).counts() == dict.fromkeys(document["planted"], 0)

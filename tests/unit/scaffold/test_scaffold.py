"""New federations and domains come complete, valid YAML, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from polyceph.errors import Conflict, Invalid, NotFound
from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation


@pytest.fixture
def federation(tmp_path: Path) -> Path:
    write_federation(tmp_path / "wallonia", "wallonia", ("fr", "nl"))
    return tmp_path / "wallonia"


def _read(path: Path) -> dict[str, object]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_a_new_federation_has_the_name_and_languages_asked_for(federation: Path) -> None:
    declared = _read(federation / "federation.yaml")
    assert declared["name"] == "wallonia"
    assert declared["languages"] == ["fr", "nl"]
    assert declared["title"] == {"fr": "Wallonia", "nl": "Wallonia"}
    assert ".polyceph/" in (federation / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_what_is_written_is_what_is_returned(tmp_path: Path) -> None:
    written = write_federation(tmp_path, "wallonia", ("fr",)) + write_domain(tmp_path, "culture", "Culture")
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_a_new_domain_takes_people_channel_and_languages_of_its_federation(federation: Path) -> None:
    write_domain(federation, "culture", 'Culture "et" sport')
    declared = _read(federation / "domains/culture/domain.yaml")
    assert declared["title"] == {"fr": 'Culture "et" sport', "nl": 'Culture "et" sport'}
    assert (declared["owner"], declared["steward"], declared["contact"]) == ("ada.owner", "sam.steward", "stewards")


def test_every_yaml_file_of_a_new_domain_parses_and_no_place_stays_open(federation: Path) -> None:
    for path in write_domain(federation, "culture", "Culture"):
        text = path.read_text(encoding="utf-8")
        assert "$" not in text, path
        if path.suffix in {".yaml", ".yml"}:
            assert yaml.safe_load(text), path


def test_each_contract_is_called_like_its_file_and_its_domain(federation: Path) -> None:
    contracts = [path for path in write_domain(federation, "culture", "Culture") if path.name.endswith(".odcs.yaml")]
    assert {path.parent.name for path in contracts} == {"raw", "gold", "output"}
    for path in contracts:
        contract = _read(path)
        assert contract["name"] == path.name.removesuffix(".odcs.yaml")
        assert contract["domain"] == "culture"
        assert {"property": "zone", "value": path.parent.name} in contract["customProperties"]  # type: ignore[operator]


def test_an_existing_federation_is_not_overwritten(federation: Path) -> None:
    before = (federation / "federation.yaml").read_bytes()
    (federation / "README.md").unlink()
    with pytest.raises(Conflict, match=r"federation\.yaml"):
        write_federation(federation, "other", ("en",))
    assert (federation / "federation.yaml").read_bytes() == before
    assert not (federation / "README.md").exists()


def test_an_existing_domain_is_not_overwritten(federation: Path) -> None:
    write_domain(federation, "culture", "Culture")
    with pytest.raises(Conflict, match="culture is already there"):
        write_domain(federation, "culture", "Culture")


@pytest.mark.parametrize(("name", "hint"), [("Data Office", "data_office"), ("2nd", "nd"), ("Été 2026", "ete_2026"), ("", "my_domain")])
def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(federation: Path, name: str, hint: str) -> None:
    with pytest.raises(Invalid) as refusal:
        write_domain(federation, name, "Title")
    assert hint in str(refusal.value)
    assert not (federation / "domains").exists()


def test_a_domain_needs_a_federation(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="polyceph init"):
        write_domain(tmp_path, "culture", "Culture")


def test_a_federation_without_people_gets_no_domain(tmp_path: Path) -> None:
    (tmp_path / "federation.yaml").write_text(
        "name: empty\nlanguages: [fr]\nchannels: {a: {kind: ntfy, target_env: A}}\n", encoding="utf-8"
    )
    with pytest.raises(Invalid, match="no people"):
        write_domain(tmp_path, "culture", "Culture")


@pytest.mark.parametrize("languages", [(), ("fr", "es")])
def test_a_federation_speaks_known_languages(tmp_path: Path, languages: tuple[str, ...]) -> None:
    with pytest.raises(Invalid, match="language"):
        write_federation(tmp_path, "wallonia", languages)

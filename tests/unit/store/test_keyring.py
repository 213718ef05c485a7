"""A domain's secrets in an encrypted file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from polyceph.errors import Invalid, Misconfigured, NotFound
from polyceph.store.keyring import Keyring
from polyceph.store.secrets import domain_environment

PHRASE = SecretStr("correct horse battery")


def _ring(folder: Path, phrase: SecretStr = PHRASE) -> Keyring:
    return Keyring(folder / "education.keyring", phrase)


def test_secrets_come_back_and_stand_nowhere_in_clear(tmp_path: Path) -> None:
    ring = _ring(tmp_path)
    assert ring.read() == {}
    ring.set("REGISTER_PASSWORD", SecretStr("canary-é-1"))
    ring.set("API_KEY", SecretStr("two"))
    ring.set("API_KEY", SecretStr("three"))
    assert {name: value.get_secret_value() for name, value in ring.read().items()} == {
        "REGISTER_PASSWORD": "canary-é-1",
        "API_KEY": "three",
    }
    text = ring.path.read_text()
    assert "canary" not in text
    assert "REGISTER" not in text
    assert ring.path.stat().st_mode & 0o077 == 0
    ring.remove("API_KEY")
    assert set(ring.read()) == {"REGISTER_PASSWORD"}


def test_another_passphrase_and_a_changed_file_are_refused(tmp_path: Path) -> None:
    ring = _ring(tmp_path)
    ring.set("A", SecretStr("x"))
    with pytest.raises(Misconfigured, match="does not open"):
        _ring(tmp_path, SecretStr("another passphrase")).read()
    document = json.loads(ring.path.read_text())
    sealed = document["sealed"]
    for at in range(0, len(sealed) - 2, 7):
        document["sealed"] = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        ring.path.write_text(json.dumps(document))
        with pytest.raises(Misconfigured):
            ring.read()
    for text in ("", "{}", "[]", '{"format": "polyceph-keyring-1"}', '{"format": 2}'):
        ring.path.write_text(text)
        with pytest.raises(Misconfigured):
            ring.read()


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="too short"):
        _ring(tmp_path, SecretStr("short")).set("A", SecretStr("x"))
    with pytest.raises(Invalid, match="empty"):
        _ring(tmp_path).set("A", SecretStr(""))
    with pytest.raises(NotFound, match="there is no secret A"):
        _ring(tmp_path).remove("A")
    assert not (tmp_path / "education.keyring").exists()


def test_a_domain_gets_its_keyring_beside_its_variables(tmp_path: Path) -> None:
    _ring(tmp_path).set("A", SecretStr("x"))
    lines = tmp_path / "education.env"
    lines.touch(0o600)
    lines.write_text("B=y\n")
    found = domain_environment(tmp_path, "education", passphrase=PHRASE)
    assert {name: value.get_secret_value() for name, value in found.items()} == {"A": "x", "B": "y"}
    assert domain_environment(tmp_path, "culture", passphrase=PHRASE) == {}
    with pytest.raises(Misconfigured, match="needs a passphrase"):
        domain_environment(tmp_path, "education")
    lines.write_text("A=y\n")
    with pytest.raises(Invalid) as caught:
        domain_environment(tmp_path, "education", passphrase=PHRASE)
    assert "A is in the keyring too" in str(caught.value)

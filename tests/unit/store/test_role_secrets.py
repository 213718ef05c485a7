"""Passwords of roles and variables of domains, as files."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polyceph.errors import Conflict, Invalid, Misconfigured
from polyceph.store.private_file import locked, read_private, write_private
from polyceph.store.secrets import domain_environment, role_passwords


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_passwords_are_made_once_and_kept(tmp_path: Path) -> None:
    first = role_passwords(tmp_path / "secrets", ["polyceph_app"])
    second = role_passwords(tmp_path / "secrets", ["polyceph_app", "domain_culture"])

    assert second["polyceph_app"] == first["polyceph_app"]
    assert second["domain_culture"] != first["polyceph_app"]
    assert len(first["polyceph_app"].get_secret_value()) >= 32
    assert role_passwords(tmp_path / "secrets", ["domain_culture"]) == {"domain_culture": second["domain_culture"]}


def test_passwords_are_closed_to_others(tmp_path: Path) -> None:
    role_passwords(tmp_path / "secrets", ["polyceph_app"])

    assert mode_of(tmp_path / "secrets") == 0o700
    assert mode_of(tmp_path / "secrets" / "roles.json") == 0o600


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    passwords = role_passwords(tmp_path / "secrets", ["polyceph_app"])
    assert passwords["polyceph_app"].get_secret_value() not in repr(passwords)


def test_processes_that_ask_at_once_get_the_same_passwords(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: role_passwords(tmp_path / "secrets", ["polyceph_app"]), range(16)))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("text", ["{", "[1]", '{"polyceph_app": 5}'])
def test_a_damaged_password_file_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    write_private(tmp_path / "roles.json", text)
    with pytest.raises(Misconfigured, match=r"roles\.json") as caught:
        role_passwords(tmp_path, ["polyceph_app"])
    assert text not in str(caught.value)


def test_a_password_file_open_to_others_is_refused(tmp_path: Path) -> None:
    role_passwords(tmp_path, ["polyceph_app"])
    (tmp_path / "roles.json").chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        role_passwords(tmp_path, ["polyceph_app"])


def test_a_domain_without_a_file_has_no_variables(tmp_path: Path) -> None:
    assert domain_environment(tmp_path, "education") == {}


def test_variables_of_a_domain_are_read_as_written(tmp_path: Path) -> None:
    text = "# register\nHOST=db.example.org\n\nexport PASSWORD='a b#c=$d'\nEMPTY=\nQUOTED=\"x\"\n"
    write_private(tmp_path / "education.env", text)

    found = {name: value.get_secret_value() for name, value in domain_environment(tmp_path, "education").items()}

    assert found == {"HOST": "db.example.org", "PASSWORD": "a b#c=$d", "EMPTY": "", "QUOTED": "x"}


def test_all_wrong_lines_are_named_and_no_value_is_shown(tmp_path: Path) -> None:
    write_private(tmp_path / "education.env", "A=1\nhunter2\n2B=hunter2\nA=hunter2\nC='hunter2\n")
    with pytest.raises(Invalid) as caught:
        domain_environment(tmp_path, "education")

    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5]
    assert {problem.file for problem in caught.value.problems} == {str(tmp_path / "education.env")}
    assert "hunter2" not in str(caught.value)


def test_a_variable_file_open_to_others_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "education.env", "A=1\n")
    (tmp_path / "education.env").chmod(0o644)
    with pytest.raises(Misconfigured, match="0644"):
        domain_environment(tmp_path, "education")


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    write_private(tmp_path / "word", "old")
    write_private(tmp_path / "word", "new")

    assert read_private(tmp_path / "word") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["word"]


def test_a_held_lock_is_a_conflict(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(Conflict, match="lock"), locked(tmp_path / "lock", seconds=0.1):
        pass
    with locked(tmp_path / "lock", seconds=0.1):
        pass

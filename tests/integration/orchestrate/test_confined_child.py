"""The kernel holds what the rules of a child say, for it and what it starts; rules open nothing that is guarded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyceph.errors import Misconfigured
from polyceph.orchestrate import child
from polyceph.orchestrate.confinement import applies, outside, public_in
from polyceph.settings import load_settings

PYTHON = [("read", path) for path in ("/usr", "/lib", "/lib64", "/bin", "/proc", sys.base_prefix, sys.prefix)]
LISTEN = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"


def confined(folder: Path, rules: list[tuple[str, str]], *command: str) -> subprocess.CompletedProcess[str]:
    file = folder / "rules.json"
    file.write_text(json.dumps([*PYTHON, *rules]))
    wrapped = [sys.executable, "-I", str(Path(child.__file__)), "0", str(os.getpid()), str(file), *command]
    return subprocess.run(wrapped, capture_output=True, text=True, check=False)


def shell(folder: Path, rules: list[tuple[str, str]], text: str) -> str:
    done = confined(folder, rules, "/bin/sh", "-c", text)
    return done.stdout + done.stderr


@pytest.fixture
def places(tmp_path: Path) -> Path:
    for name in ("own", "shared", "listed", "foreign"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"content of {name}")
    return tmp_path


def test_only_what_is_named_can_be_read_and_only_what_is_ones_own_written(places: Path) -> None:
    rules = [("write", f"{places}/own"), ("read", f"{places}/shared"), ("list", f"{places}/listed")]
    said = shell(places, rules, f"cd /; for n in own shared listed foreign; do cat {places}/$n/file; echo; done")
    assert ("content of own" in said, "content of shared" in said) == (True, True)
    assert ("content of listed" in said, "content of foreign" in said) == (False, False)
    assert said.count("Permission denied") == 2
    shell(places, rules, f"for n in own shared listed foreign; do echo more > {places}/$n/new; done")
    assert [one.parent.name for one in places.glob("*/new")] == ["own"]
    assert "file" in shell(places, rules, f"ls {places}/listed")
    assert "Permission denied" in shell(places, rules, f"ls {places}/foreign")


def test_a_link_in_ones_own_folder_opens_nothing(places: Path) -> None:
    (places / "own" / "link").symlink_to(places / "foreign" / "file")
    said = shell(places, [("write", f"{places}/own")], f"cat {places}/own/link; ln {places}/foreign/file {places}/own/hard")
    assert "content of foreign" not in said
    assert not (places / "own" / "hard").exists()


def test_what_a_confined_process_starts_is_confined_and_cannot_signal_its_parent(places: Path) -> None:
    inner = f"cat {places}/foreign/file || exec cat {places}/foreign/file"
    said = shell(places, [], f'sh -c "{inner}"; kill -0 {os.getpid()}; cat /proc/{os.getpid()}/environ')
    assert "content of foreign" not in said
    assert (said.count("Permission denied"), said.count("not permitted")) == (3, 1), said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")
def test_root_keeps_only_the_capabilities_to_own_files_and_change_its_account(places: Path) -> None:
    effective = next(one for one in shell(places, [], "cat /proc/self/status").splitlines() if one.startswith("CapEff"))
    assert int(effective.split()[1], 16) == 0b11101111
    assert "NoNewPrivs:\t1" in shell(places, [], "cat /proc/self/status")


def test_a_child_whose_rules_cannot_be_read_does_not_start(places: Path) -> None:
    wrapped = [sys.executable, "-I", str(Path(child.__file__)), "0", str(os.getpid()), str(places / "none.json"), "/bin/echo", "started"]
    done = subprocess.run(wrapped, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "started" not in done.stdout


def test_of_a_folder_that_holds_guarded_ones_only_what_is_beside_them_is_opened(places: Path) -> None:
    found = set(outside([places, places / "own"], [places / "foreign", places / "own"]))
    assert found == {places / "shared", places / "listed"}


def test_of_the_systems_settings_only_what_everybody_may_read_is_opened(tmp_path: Path) -> None:
    for name, mode in {"a/public": 0o644, "a/private": 0o600, "b/public": 0o644}.items():
        (tmp_path / name).parent.mkdir(mode=0o755, exist_ok=True)
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    (tmp_path / "closed").mkdir(mode=0o700)
    assert set(public_in(tmp_path)) == {tmp_path / "a/public", tmp_path / "b"}


def test_a_machine_without_landlock_is_named_or_refused_as_settings_say(caplog: pytest.LogCaptureFixture) -> None:
    wanted, required, off = (load_settings(confinement=word) for word in ("when-possible", "required", "off"))
    assert applies(wanted, 1)
    assert applies(required, 1)
    with caplog.at_level(logging.WARNING, logger="polyceph"):
        assert not applies(wanted, 0)
        assert not applies(off, 7)
    assert [("NOT confined" in one or "is off" in one) for one in caplog.messages] == [True, True]
    with pytest.raises(Misconfigured, match="no Landlock"):
        applies(required, 0)

"""The repository speaks of the product alone and depends on no machine, no registry address and no network at run time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Built from pieces, so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:" + "|".join(["home/[a-z]", "root/", "work/", "Users/", "mnt/[a-z]/Users"]) + ")")
REGISTRIES = re.compile(
    "|".join([r"\bpypi" + r"\.org", r"python" + r"hosted", r"registry\.npm" + r"js", r"debian\.org" + "/debian"]), re.IGNORECASE
)
LOCKS = ("requirements/platform.txt", "requirements/dev.txt", "requirements/bootstrap.txt")


def _tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def _text(name: str) -> str:
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Return every tracked text file's content by its name."""
    return {name: _text(name) for name in _tracked()}


def test_the_repository_is_read(texts: dict[str, str]) -> None:
    assert {"README.md", "pyproject.toml", *LOCKS} <= texts.keys()


def test_no_file_names_a_path_of_one_machine(texts: dict[str, str]) -> None:
    found = {name: match.group() for name, text in texts.items() if (match := MACHINE_PATHS.search(text))}
    assert not found


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    found = {name: match.group() for name, text in texts.items() if (match := REGISTRIES.search(text))}
    assert not found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash_and_no_address(texts: dict[str, str], lock: str) -> None:
    entries = re.split(r"\n(?=\S)", texts[lock].strip())
    assert len(entries) > 0
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in texts[lock]
    assert "--index-url" not in texts[lock]


def test_the_development_environment_holds_the_platform_in_the_same_versions(texts: dict[str, str]) -> None:
    platform, dev = (set(re.findall(r"(?m)^([\w.-]+==[^\s\\]+)", texts[lock])) for lock in LOCKS[:2])
    assert platform
    assert platform <= dev


def test_no_tracked_file_is_large(texts: dict[str, str]) -> None:
    large = {name: (ROOT / name).stat().st_size for name in texts if (ROOT / name).stat().st_size > 1_000_000}
    assert not large, "generate data at run time instead of keeping it here"

"""The verifier runs from one copied file, isolated, where neither polyceph nor anything but its one package is installed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import bundles
import pytest
from bundles import WITNESSES, journal, seal

# What an auditor has beside the standard library: the package and what it needs itself.
PACKAGES = ("cryptography", "cffi", "_cffi_backend", "pycparser")
RUN = "import runpy, sys; sys.path[:0] = [sys.argv[1]]; sys.argv[:] = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the one package and its own needs, and nothing of polyceph."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
            (folder / found.name).symlink_to(found)
    return folder


def run_alone(packages: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file isolated: without the environment, the working folder and any installed package but those given."""
    copy = packages.parent / "polyceph_verify.py"
    shutil.copy(bundles.FILE, copy)
    command = [sys.executable, "-I", "-S", "-c", RUN, str(packages), str(copy), *arguments]
    return subprocess.run(command, cwd=packages.parent, capture_output=True, text=True, check=False)


def test_it_runs_where_polyceph_is_not_installed(packages: Path) -> None:
    probe = [sys.executable, "-I", "-S", "-c", "import polyceph"]
    assert b"ModuleNotFoundError" in subprocess.run(probe, cwd=packages.parent, capture_output=True, check=False).stderr
    one = journal(witnesses={20: WITNESSES})
    (packages.parent / "bundle").write_bytes(seal(one.log()))
    one.keep(packages.parent / "trust", 20, leaves=20)
    done = run_alone(packages, "bundle", "--trust", "trust", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["events"] == 20
    assert run_alone(packages, "bundle").returncode == 3


def test_without_its_package_it_says_what_to_do(packages: Path) -> None:
    empty = packages.parent / "empty"
    empty.mkdir()
    done = run_alone(empty, "bundle")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("the package `cryptography` is missing: install it")
    assert done.stderr.count("\n") == 1

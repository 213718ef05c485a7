"""A domain's own packages, from wheels in a folder: they come before the platform's, and are installed only when somebody says so."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from polyceph.errors import Misconfigured
from polyceph.orchestrate.environments import install, python_of


def wheel(folder: Path, name: str, release: str) -> str:
    """Make a wheel that holds one module with its release, and return the line of requirements.txt that asks for it."""
    path, info = folder / f"{name}-{release}-py3-none-any.whl", f"{name}-{release}.dist-info"
    parts = {
        f"{name}/__init__.py": f"__version__ = {release!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as file:
        for part, text in parts.items():
            file.writestr(part, text)
        file.writestr(f"{info}/RECORD", "".join(f"{part},,\n" for part in (*parts, f"{info}/RECORD")))
    return f"{name} @ {path.as_uri()} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def said(python: Path, expression: str) -> str:
    return subprocess.run([str(python), "-c", f"print({expression})"], capture_output=True, text=True, check=True).stdout.strip()


def test_own_packages_come_first_and_the_platforms_stay_below(tmp_path: Path) -> None:
    domain = tmp_path / "domain"
    domain.mkdir()
    (domain / "requirements.txt").write_text(wheel(tmp_path, "tiny", "1.0") + wheel(tmp_path, "pytz", "9999.1"))
    with pytest.raises(Misconfigured, match="polyceph domain install lab"):
        python_of(tmp_path / "state", domain, "lab")
    install(tmp_path / "state", domain, "lab")
    python = python_of(tmp_path / "state", domain, "lab")
    assert said(python, "__import__('tiny').__version__, __import__('pytz').__version__") == "1.0 9999.1"
    assert said(python, "__import__('duckdb').__version__") == version("duckdb")
    assert version("pytz") != "9999.1"


def test_changed_requirements_are_not_run_before_they_are_installed(tmp_path: Path) -> None:
    domain = tmp_path / "domain"
    domain.mkdir()
    (domain / "requirements.txt").write_text(wheel(tmp_path, "tiny", "1.0"))
    install(tmp_path / "state", domain, "lab")
    (domain / "requirements.txt").write_text(wheel(tmp_path, "tiny", "2.0"))
    with pytest.raises(Misconfigured, match="does not hold"):
        python_of(tmp_path / "state", domain, "lab")
    install(tmp_path / "state", domain, "lab")
    assert said(python_of(tmp_path / "state", domain, "lab"), "__import__('tiny').__version__") == "2.0"


def test_a_package_whose_bytes_are_not_those_that_were_locked_is_refused(tmp_path: Path) -> None:
    domain = tmp_path / "domain"
    domain.mkdir()
    line = wheel(tmp_path, "tiny", "1.0")
    (domain / "requirements.txt").write_text(line[:-9] + "deadbeef\n")
    with pytest.raises(Misconfigured, match=r"cannot be installed(?s:.)*hash"):
        install(tmp_path / "state", domain, "lab")
    with pytest.raises(Misconfigured):
        python_of(tmp_path / "state", domain, "lab")


def test_a_domain_without_packages_of_its_own_has_an_environment_at_once(tmp_path: Path) -> None:
    (tmp_path / "domain").mkdir()
    python = python_of(tmp_path / "state", tmp_path / "domain", "lab")
    assert said(python, "__import__('duckdb').__version__") == version("duckdb")

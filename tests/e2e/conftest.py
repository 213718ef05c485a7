"""Federations that run for real: their folders, their processes, and commands as people type them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]
Dagster = Callable[..., Any]


_FEDERATION = """\
name: components
title: {en: Components}
languages: [en]
environments:
  dev: {storage: .polyceph/lakes}
channels:
  stewards: {kind: ntfy, target_env: NTFY}
people:
  ann.lee: {name: Ann Lee, email: ann.lee@example.org}
  bob.ray: {name: Bob Ray, email: bob.ray@example.org}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return a folder that the database's account may enter, gone at the end."""
    made = Path(tempfile.mkdtemp(prefix="polyceph-e2e-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def polyceph(folder: Path) -> Iterator[Command]:
    """Return a function that runs the command `polyceph` on the federation in `folder`; what it started is stopped at the end."""

    def run(*arguments: str, seconds: float = 280, given: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "polyceph.cli", "--federation", str(folder), *arguments],
            capture_output=True,
            text=True,
            input=given,
            timeout=seconds,
            env={**os.environ, "POLYCEPH_WEB__PORT": "0", **environment},
        )

    yield run
    run("down")


@pytest.fixture(scope="module")
def dagster(folder: Path) -> Dagster:
    """Return a function that asks Dagster over the platform's own socket."""

    def ask(query: str, **variables: object) -> Any:
        from polyceph.orchestrate.code_keys import PLATFORM_HEADER, platform_key
        from polyceph.orchestrate.services import platform_socket
        from polyceph.settings import Settings

        socket = platform_socket(Settings(federation=folder))
        given = {"transport": httpx.HTTPTransport(uds=str(socket)), "headers": {PLATFORM_HEADER: platform_key(socket)}}
        with httpx.Client(base_url="http://platform", timeout=60, **given) as client:
            return client.post("/dagster/graphql", json={"query": query, "variables": variables}).json()["data"]

    return ask


@pytest.fixture(scope="session")
def answer() -> Answer:
    """Return a function that gives the JSON document a command printed, and fails with all it said when it printed none."""

    def read(done: subprocess.CompletedProcess[str]) -> Any:
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            pytest.fail(f"exit {done.returncode}, no JSON:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")

    return read


@pytest.fixture(scope="session")
def federation_yaml() -> str:
    """Return the smallest `federation.yaml` with an owner and a steward."""
    return _FEDERATION


@pytest.fixture(scope="session")
def written() -> ModuleType:
    """Return the module that reads what the generator wrote."""
    return _sibling("written")


@pytest.fixture(scope="session")
def values() -> ModuleType:
    """Return the module that makes values comparable."""
    return _sibling("values")


def _sibling(name: str) -> ModuleType:
    """Load a module beside this file: tests are imported each on its own, not as a package."""
    found = importlib.util.spec_from_file_location(f"{name}_of_e2e", Path(__file__).with_name(f"{name}.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses look their module up
    found.loader.exec_module(module)
    return module

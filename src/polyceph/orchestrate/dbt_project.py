"""A domain's dbt project as it comes: its profile is generated, its manifest parsed when its files changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.errors import Invalid, Problem

_IGNORED = frozenset({"target", "logs", ".git", ".user.yml"})
_SHOWN_LINES = 20


@dataclass(frozen=True)
class PreparedProject:
    """A dbt project ready to build: where it is, its generated profile, its parsed manifest."""

    project: Path
    profiles: Path
    target: Path
    manifest: Mapping[str, Any]


def prepare(runtime: DomainRuntime, folder: str) -> PreparedProject:
    """Write the profile and parse the project if anything in it changed; raise `Invalid` with dbt's own words if it cannot."""
    project = runtime.folder / folder
    if not (project / "dbt_project.yml").exists():
        where = f"{runtime.domain.folder}/{folder}/dbt_project.yml"
        raise Invalid(f"{where} does not exist", hint="put a dbt project there, or run git submodule update --init")
    state = runtime.state / "dbt" / runtime.domain.name / project.name
    state.mkdir(parents=True, exist_ok=True)
    target = state / "target"
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write_profile(runtime, project, state)
        digest, seen = _digest(project, (state / "profiles.yml").read_bytes()), state / "digest"
        if not (target / "manifest.json").exists() or not seen.exists() or seen.read_text() != digest:
            _parse(runtime, project, state)
            seen.write_text(digest)
        return PreparedProject(project, state, target, json.loads((target / "manifest.json").read_text()))


def dbt_command() -> list[str]:
    """Return the command that runs dbt in this process's own environment."""
    return [sys.executable, "-m", "dbt.cli.main"]


def dbt_environment(prepared: PreparedProject, target: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a dbt process: quiet, offline, artefacts in `target`."""
    return {
        **os.environ,
        **more,
        "DBT_PROFILES_DIR": str(prepared.profiles),
        "DBT_PROJECT_DIR": str(prepared.project),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_LOG_FORMAT": "json",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DAGSTER_DBT_CLI": "true",
        "PYTHONUNBUFFERED": "1",
    }


def run_target(prepared: PreparedProject, run: str, step: str) -> Path:
    """Return a fresh artefact folder for one invocation, with the parsed project in it so that dbt need not parse again."""
    target = prepared.profiles / "runs" / run / hashlib.sha256(step.encode()).hexdigest()[:12]
    target.mkdir(parents=True, exist_ok=True)
    parsed = prepared.target / "partial_parse.msgpack"
    if parsed.exists():
        shutil.copy(parsed, target / parsed.name)
    return target


def _write_profile(runtime: DomainRuntime, project: Path, state: Path) -> None:
    """Write a profile without secrets: the plugin opens the lakes with what the process's environment holds."""
    name = yaml.safe_load((project / "dbt_project.yml").read_text()).get("profile", "polyceph")
    lakes = [runtime.domain.name, *sorted({d.domain for d in runtime.domain.consumes})]
    output = {
        "type": "duckdb",
        "path": ":memory:",
        "database": runtime.domain.name,
        "schema": "main",
        "threads": 1,
        "plugins": [{"module": "polyceph.orchestrate.dbt_plugin"}],
        # The plugin has attached the lakes before dbt comes to these lines; they only tell dbt that these are DuckLakes.
        "attach": [{"path": "ducklake:postgres:", "alias": lake, "is_ducklake": True} for lake in lakes],
    }
    text = yaml.safe_dump({name: {"target": "polyceph", "outputs": {"polyceph": output}}}, sort_keys=False)
    (state / "profiles.yml").write_text(text)


def _digest(project: Path, profile: bytes) -> str:
    """Return a digest over names, sizes and times of the project's files: cheap, and a touched file only costs a parse."""
    seen = hashlib.sha256(profile)
    for path in sorted(project.rglob("*")):
        if _IGNORED.isdisjoint(path.relative_to(project).parts) and path.is_file():
            stat = path.stat()
            seen.update(f"{path.relative_to(project)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _parse(runtime: DomainRuntime, project: Path, state: Path) -> None:
    prepared = PreparedProject(project, state, state / "target", {})
    environment = dbt_environment(prepared, prepared.target, {"DBT_LOG_FORMAT": "text", "DBT_USE_COLORS": "false"})
    command = [*dbt_command(), "parse"]
    done = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        where = f"{runtime.domain.folder}/{project.name}"
        raise Invalid(f"the dbt project {where} does not parse", problems=[Problem(said, file=where)])

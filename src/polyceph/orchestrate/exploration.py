"""Asks a process of a domain's own to look into a source: it has the domain's environment and secrets, and none of the platform's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyceph import errors
from polyceph.bootstrap.processes import source_environment
from polyceph.bootstrap.source_files import GivenSource
from polyceph.core.model.classification import PersonalData
from polyceph.core.model.profile import ColumnProfile, TableProfile
from polyceph.core.source_ports import SourceTable
from polyceph.errors import PolycephError, Problem, Unavailable
from polyceph.orchestrate import environments
from polyceph.settings import Settings

_LONGEST_S = 300.0
_ANSWER = "from polyceph.bootstrap.exploration import answer; answer()"


@dataclass(frozen=True)
class Explored:
    """A source that can be looked into: the domain it belongs to, its connector and options. `folder` is the domain's."""

    settings: Settings
    domain: str
    folder: Path
    connector: str
    options: Mapping[str, object]

    def tables(self) -> tuple[SourceTable, ...]:
        """Return what the source offers; raises what its connector raises."""
        return tuple(SourceTable(**table) for table in self._ask({})["tables"])

    def look(self, dataset: Mapping[str, object], *, rows: int, shown: int = 0) -> Looked:
        """Return what so many first rows of something tell, and the first `shown` of them with personal columns masked."""
        answer = self._ask({"dataset": dict(dataset), "rows": rows, "shown": shown})
        found = answer["profile"]
        columns = tuple(ColumnProfile(**{**one, "personal_data": PersonalData(one["personal_data"])}) for one in found["columns"])
        profile = TableProfile(columns, found["rows"], found["description"])
        return Looked(profile, tuple(map(tuple, answer["preview"])), tuple(answer["notes"]))

    def _ask(self, more: Mapping[str, object]) -> dict[str, Any]:
        question = {"connector": self.connector, "options": dict(self.options), "base": str(self.folder), **more}
        python = environments.python_of(self.settings.state(), self.folder, self.domain)
        environment = source_environment(self.settings, self.domain, self.options)
        asked = json.dumps(question, default=str)
        try:
            done = subprocess.run(
                [str(python), "-c", _ANSWER],
                input=asked,
                env=environment,
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"the source did not answer within {_LONGEST_S:g} s", hint="check address and network") from None
        return _answer(done)


def explored(settings: Settings, source: GivenSource) -> Explored:
    """Return a source of a domain as one that can be looked into."""
    folder = (settings.federation / "domains" / source.domain).resolve()
    return Explored(settings, source.domain, folder, source.kind, source.options)


@dataclass(frozen=True)
class Looked:
    """What the first rows tell, and some of them as texts."""

    profile: TableProfile
    preview: tuple[tuple[str | None, ...], ...]
    notes: tuple[str, ...]


def _answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        # A driver may have printed anything, a password too: only what kind of error it was is passed on.
        last = done.stderr.strip().splitlines()[-1:] or [""]
        kind = last[0].split(":", 1)[0][:100]
        raise Unavailable(f"the connector broke ({kind or f'its process ended with {done.returncode}'})", hint="report it") from None
    if "error" in answer:
        problems = [Problem(**{**one, "allowed": tuple(one.get("allowed", ()))}) for one in answer["problems"]]
        kind_of: type[PolycephError] = getattr(errors, answer["error"])
        raise kind_of(answer["message"], problems=problems, hint=answer["hint"])
    return answer

"""The catalogue of event kinds, the code that records them and the reference page say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyceph.core.model.event_kinds import KINDS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "polyceph"
CATALOGUE = SOURCE / "core" / "model" / "event_kinds.py"
PAGE = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
ASKS = ("core/model/dossier.py", "core/usecases/dossier.py", "core/usecases/dossier_facts.py", "core/usecases/spells.py")
"""Modules that look for events and record none."""
_ACTION = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")

UNWRITTEN: dict[str, str] = {}
"""Kinds that nothing records yet, with the reason. It only gets shorter: a kind that is recorded must not stand here."""


def _actions(folder: Path) -> Iterator[str]:
    """Yield every text in code that looks like an action; the catalogue itself records nothing."""
    for path in sorted(folder.rglob("*.py")):
        if path != CATALOGUE and path.relative_to(SOURCE).as_posix() not in ASKS:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ACTION.fullmatch(node.value):
                    yield node.value


def test_use_cases_record_only_kinds_of_the_catalogue() -> None:
    found = set(_actions(SOURCE / "core" / "usecases"))
    assert "federation.applied" in found
    assert not found - KINDS.keys(), "describe the new kinds in core/model/event_kinds.py"


def test_every_kind_of_the_catalogue_is_recorded_somewhere() -> None:
    missing = KINDS.keys() - set(_actions(SOURCE))
    assert missing == UNWRITTEN.keys()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.action)
def test_every_kind_is_on_the_reference_page(kind) -> None:
    row = next((line for line in PAGE.splitlines() if line.startswith(f"| `{kind.action}` |")), "")
    assert kind.subject in row
    assert kind.meaning in row
    assert kind.keeps in row

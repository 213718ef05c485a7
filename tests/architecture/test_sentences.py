"""What a person may be refused with is a sentence that pages can say in her language, never a bare text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "polyceph"
SHOWN = {"Invalid", "NotFound", "Denied", "Conflict", "Unavailable", "NotSignedIn", "TooLarge", "TooMany"}
"""`Misconfigured` is for the engineer who starts a process: a page tells nothing of it."""
MODULES = sorted(
    [
        *(SOURCE / "web").rglob("*.py"),
        *(SOURCE / "portal").rglob("*.py"),
        *(SOURCE / "identity").glob("*.py"),
        *(SOURCE / "bootstrap" / f"{name}.py" for name in ("accounts", "identity", "services", "sign_in", "site")),
        *(SOURCE / "core" / "usecases" / f"{name}.py" for name in ("accounts", "emergencies", "service_identities", "sessions", "sign_in")),
        SOURCE / "store" / "identity_changes.py",
    ]
)
POLICIES = [
    SOURCE / "core" / "policies" / f"{name}.py"
    for name in ("authorisation", "emergencies", "nearest", "passwords", "refusing", "restriction", "service_identities", "sessions")
]


def bare(source: str, *, decisions: bool = False) -> list[str]:
    """Return the texts that errors, and with `decisions` refusals, are given without `said`, also by way of a name."""
    tree = ast.parse(source)
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [ast.unparse(text) for call in calls for given in _given(call, decisions=decisions) for text in _texts(given, values)]


def _given(call: ast.Call, *, decisions: bool) -> Iterator[ast.expr]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    is_refusal = decisions and name == "Decision" and isinstance(call.args[0], ast.Constant) and call.args[0].value is False
    if name in SHOWN:
        yield from call.args[:1]
    elif is_refusal:
        yield from (call.args[2], *call.args[4:])
    elif decisions and name == "_no":
        yield from call.args[:2]
    else:
        return
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "hint")


def _texts(given: ast.expr, values: dict[str, list[ast.expr]]) -> Iterator[ast.expr]:
    match given:
        case ast.Constant(value=str()) | ast.JoinedStr() | ast.BinOp():
            yield given
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _texts(part, values)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one, values), *_texts(other, values))
        case ast.Name(id=name):
            for value in values.get(name, ()):
                yield from _texts(value, values)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_error_that_a_page_may_show_can_be_translated(module: Path) -> None:
    assert bare(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", POLICIES, ids=lambda path: path.stem)
def test_every_refusal_that_a_page_may_show_can_be_translated(module: Path) -> None:
    assert bare(module.read_text(encoding="utf-8"), decisions=True) == []


def test_a_bare_text_would_be_found() -> None:
    assert bare('raise Denied("no", hint=said("ask"))') == ["'no'"]
    assert bare('hint = f"ask {x}"\nraise NotFound(said("no"), hint=near(x) or hint)') == ["f'ask {x}'"]
    assert bare('raise Invalid(said("no"), hint="a" if x else said("b"))') == ["'a'"]
    assert bare('reason = "no"\nDecision(False, "role", reason, hint="ask")', decisions=True) == ["'no'", "'ask'"]
    assert bare('Decision(True, "role", "yes")\nraise Denied(verdict.reason, hint=verdict.hint)', decisions=True) == []

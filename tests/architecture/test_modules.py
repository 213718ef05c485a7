"""The shape of the source tree: size and names of modules, and what import rules cannot say because it must be exhaustive."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "polyceph"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if "templates" not in path.parts)
LIMIT = 400
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "tools", "stuff"}

# Dagster resolves `polyceph.orchestrate.components.Ingest` in a package that names its components: its registry, not a convenience.
MAY_RE_EXPORT = {Path("orchestrate/components/__init__.py")}
MAY_IMPORT_DAGSTER = ("orchestrate", "gateway")


def _external_imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((SOURCE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_at_most_400_lines(module: Path) -> None:
    lines = len((SOURCE / module).read_text(encoding="utf-8").splitlines())
    assert lines <= LIMIT, f"{module} has {lines} lines: split it where its second subject begins"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_named_after_its_subject(module: Path) -> None:
    nameless = {part.lstrip("_") for part in module.with_suffix("").parts} & NAMELESS
    assert not nameless, f"{module} says nothing about its subject: name it after what belongs in it"


@pytest.mark.parametrize("module", [m for m in MODULES if m.name == "__init__.py"], ids=str)
def test_a_package_exports_nothing(module: Path) -> None:
    if module not in MAY_RE_EXPORT:
        assert not (SOURCE / module).read_text(encoding="utf-8").strip(), f"{module} must be empty: import from where a name is defined"


@pytest.mark.parametrize("module", [m for m in MODULES if m.parts[0] == "core" or m == Path("errors.py")], ids=str)
def test_core_imports_only_the_standard_library(module: Path) -> None:
    foreign = set(_external_imports(module)) - sys.stdlib_module_names - {"polyceph"}
    assert not foreign, f"{module} imports {', '.join(sorted(foreign))}: core is plain Python, put this into an adapter"


@pytest.mark.parametrize("module", [m for m in MODULES if m.parts[0] not in MAY_IMPORT_DAGSTER], ids=str)
def test_dagster_is_imported_only_in_orchestrate_and_gateway(module: Path) -> None:
    found = {name for name in _external_imports(module) if name == "dagster" or name.startswith("dagster_")}
    assert not found, f"{module} imports {', '.join(sorted(found))}: only {' and '.join(MAY_IMPORT_DAGSTER)} may"


@pytest.mark.parametrize("module", [m for m in MODULES if m.name != "__init__.py"], ids=str)
def test_a_module_says_what_belongs_in_it(module: Path) -> None:
    assert ast.get_docstring(ast.parse((SOURCE / module).read_text(encoding="utf-8"))), f"{module} has no docstring"

"""The stand-alone verifier is one short file that imports the standard library and one package."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

FILE = Path(__file__).parents[3] / "verifier" / "polyceph_verify.py"


def test_an_auditor_reads_it_in_half_an_hour() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 300
    assert max(map(len, lines)) <= 140


def test_it_imports_the_standard_library_and_one_package() -> None:
    imported = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported |= {name.partition(".")[0] for name in names}
        imported |= {(node.module or ".").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()
    assert imported - sys.stdlib_module_names == {"cryptography"}
    assert not imported & {"socket", "urllib", "http", "ssl", "subprocess", "asyncio", "ctypes", "importlib"}

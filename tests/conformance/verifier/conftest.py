"""What the tests of the stand-alone verifier share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import bundles


@pytest.fixture(scope="session")
def verifier() -> ModuleType:
    """The stand-alone file, imported by its path."""
    return bundles.load_verifier()


@pytest.fixture
def check(verifier: ModuleType, tmp_path: Path) -> bundles.Check:
    """Write a bundle, given as lines that are sealed or as bytes as they are, and verify it against a folder kept outside."""

    def run(bundle: Iterable[bytes] | bytes, trust: Path | None = None) -> dict[str, Any]:
        path = tmp_path / "bundle"
        path.write_bytes(bundle if isinstance(bundle, bytes) else bundles.seal(bundle))
        result: dict[str, Any] = verifier.verify(path, trust)
        return result

    return run

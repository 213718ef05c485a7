"""One lake for all stands, and each stand started once, when its first test comes."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyceph.settings import PostgresAddress

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from stands.registry import STANDS
from stands.stand import Stand, Tools

from lakes import Loading, lake_in


@pytest.fixture(scope="session")
def shared_lake(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loading]:
    with lake_in(postgres, tmp_path_factory.mktemp("lake")) as found:
        yield found


@pytest.fixture
def loading(shared_lake: Loading) -> Loading:
    """The session's lake with a raw table of its own for one test."""
    return replace(shared_lake, name=f"things_{secrets.token_hex(4)}")


@pytest.fixture
def other_loading(shared_lake: Loading) -> Loading:
    """The same lake with another raw table."""
    return replace(shared_lake, name=f"others_{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def _stands(postgres: PostgresAddress) -> Iterator[Callable[[str, Any], Stand]]:
    started: dict[str, Stand] = {}
    folder = Path(tempfile.mkdtemp(prefix="polyceph-stands-"))
    folder.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)

        def of(name: str, fixture: Any) -> Stand:
            if name not in started:
                own = folder / name
                own.mkdir()
                own.chmod(0o711)
                started[name] = STANDS[name](Tools(postgres, own, stack, fixture)).start()
            return started[name]

        yield of


@pytest.fixture
def stand(request: pytest.FixtureRequest, _stands: Callable[[str, Any], Stand]) -> Stand:
    """The stand that the test's parameter names."""
    return _stands(request.param, request.getfixturevalue)

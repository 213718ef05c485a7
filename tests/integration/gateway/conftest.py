"""One stand of real code servers for all tests of the gateway."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_planted import plant
from gateway_stand import Stand, standing, standing_at


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """The gateway over three domains in which something happened. Its folder has a short name: a socket's address is short."""
    if ready := os.environ.get("POLYCEPH_GATEWAY_STAND"):
        with standing_at(Path(ready)) as found:
            yield found
        return
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        with standing(folder) as found:
            plant(found)
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""Flips single bits of a file and asks a verifier each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Verify = Callable[[Path, Path], dict[str, Any]]


def passed(
    verify: Verify, path: Path, trust: Path, *, first: int = 0, step: int = 1, tell: Callable[[int, int], None] | None = None
) -> list[int]:
    """Return the bits (counted from the file's beginning) whose flip was not noticed; every `step`th bit from `first` on is flipped."""
    missed, bits = [], path.stat().st_size * 8
    handle = os.open(path, os.O_RDWR)
    try:
        for bit in range(first, bits, step):
            place, mask = bit // 8, 1 << bit % 8
            (old,) = os.pread(handle, 1, place)
            os.pwrite(handle, bytes([old ^ mask]), place)
            if verify(path, trust)["ok"]:
                missed.append(bit)
            os.pwrite(handle, bytes([old]), place)
            if tell is not None and (bit // step) % 10_000 == 0:
                tell(bit, bits)
    finally:
        os.close(handle)
    return missed

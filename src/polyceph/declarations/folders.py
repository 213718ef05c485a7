"""Lists the files of a federation folder, sorted, with paths relative to it."""

from __future__ import annotations

import os
from pathlib import Path

_SKIPPED = frozenset({"__pycache__", "node_modules"})


def files_below(folder: Path, start: str) -> list[str]:
    """Return the files below `start` (relative to `folder`), sorted, as relative paths with forward slashes.

    Hidden files and folders, and caches are left out; links to folders are not followed.
    """
    found: list[str] = []
    waiting = [start]
    while waiting:
        current = waiting.pop()
        try:
            entries = list(os.scandir(folder / current))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED:
                    waiting.append(f"{current}/{entry.name}")
            elif entry.is_file():
                found.append(f"{current}/{entry.name}")
    return sorted(found)


def folders_in(folder: Path, start: str) -> list[str]:
    """Return the names of the folders right below `start`, sorted, without hidden ones."""
    try:
        return sorted(entry.name for entry in os.scandir(folder / start) if entry.is_dir() and not entry.name.startswith((".", "__")))
    except OSError:
        return []

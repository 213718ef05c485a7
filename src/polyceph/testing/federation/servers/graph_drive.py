"""A document library with a memory of its changes: what was added, changed and deleted since a moment. Serves nothing.

The folder on the disk is looked at whenever the library is asked; each change gets the next number of the library's log.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from polyceph.testing.federation.servers.addresses import write

ROOT = ""
"""The path of the library's root."""


@dataclass(frozen=True)
class Item:
    """A file or folder of the library, or what is left of one that was deleted.

    `changed` is in seconds since 1970; `number` is that of its last change in the log.
    """

    id: str
    path: str
    is_folder: bool
    size: int
    changed: float
    mark: str
    number: int
    version: int = 1
    is_deleted: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2] or "root"

    @property
    def parent(self) -> str:
        """The path of the folder it is in."""
        return self.path.rpartition("/")[0]


class Library:
    """The items below a folder. `memory` is the file that keeps the log from one start to the next."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self._folder = folder
        self._memory = memory
        self._lock = threading.Lock()
        self._items: dict[str, Item] = {}
        if memory.exists():
            self._items = {one["path"]: Item(**one) for one in json.loads(memory.read_text())}

    def items(self) -> dict[str, Item]:
        """Return every item by its path as it is now, deleted ones too, after the log was brought up to date."""
        with self._lock:
            found = self._found()
            changed = self._changes(found)
            if changed:
                self._items |= {one.path: one for one in changed}
                self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write(self._memory, json.dumps([asdict(one) for one in self._items.values()]))
            return dict(self._items)

    def file(self, item: Item) -> Path:
        """Return an item's place on the disk."""
        return self._folder / item.path

    def _found(self) -> dict[str, tuple[bool, int, float, str]]:
        """Return folder or file, size, moment and a mark that changes with the content, by path; links are passed over."""
        found = {ROOT: (True, 0, 0.0, "")}
        for path in sorted(self._folder.rglob("*")) if self._folder.is_dir() else ():
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                continue
            state = path.stat()
            mark = "" if path.is_dir() else f"{state.st_mtime_ns} {state.st_ctime_ns} {state.st_size}"
            found[path.relative_to(self._folder).as_posix()] = (path.is_dir(), 0 if path.is_dir() else state.st_size, state.st_mtime, mark)
        return found

    def _changes(self, found: dict[str, tuple[bool, int, float, str]]) -> list[Item]:
        number = max((one.number for one in self._items.values()), default=0)
        changed: list[Item] = []
        for path, (is_folder, size, moment, mark) in found.items():
            old = self._items.get(path)
            if old is not None and not old.is_deleted and (old.is_folder, old.mark) == (is_folder, mark):
                continue
            version = 1 if old is None else old.version + 1
            number += 1
            changed.append(Item(_id(path), path, is_folder, size, moment, mark, number, version))
        for path, old in self._items.items():
            if path not in found and not old.is_deleted:
                number += 1
                changed.append(replace(old, number=number, is_deleted=True))
        return changed


def _id(path: str) -> str:
    return "01" + base64.b32encode(hashlib.sha256(path.encode()).digest()).decode()[:32]

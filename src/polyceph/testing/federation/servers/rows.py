"""Rows of NDJSON files as the servers of APIs page through them: positions are kept in memory, rows stay on the disk."""

from __future__ import annotations

import json
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyceph.errors import NotFound
from polyceph.testing.federation.servers.systems import inside

Row = dict[str, Any]
_KEPT_SELECTIONS = 16


@dataclass(frozen=True)
class Wish:
    """Which rows are wanted, in which order. `name` tells wishes apart: the same name, the same rows of an unchanged file."""

    name: str = ""
    holds: Callable[[Row], bool] | None = None
    order: Callable[[Row], Any] | None = None


EVERYTHING = Wish()


@dataclass
class Collection:
    """One file of rows, as it was when it was last looked at."""

    path: Path
    stamp: tuple[int, int, int] = (0, 0, 0)
    starts: array[int] = field(default_factory=lambda: array("Q"))
    selections: OrderedDict[str, array[int]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def select(self, wish: Wish) -> Selection:
        """Return the rows of a wish; what was found is kept for the next page."""
        with self.lock:
            self._look()
            if wish.holds is None and wish.order is None:
                return Selection(self.path, self.starts)
            found = self.selections.get(wish.name)
            if found is None:
                found = self.selections[wish.name] = self._search(wish)
            self.selections.move_to_end(wish.name)
            while len(self.selections) > _KEPT_SELECTIONS:
                self.selections.popitem(last=False)
            return Selection(self.path, found)

    def _search(self, wish: Wish) -> array[int]:
        rows = zip(self.starts, Selection(self.path, self.starts), strict=True)
        kept = ((start, row) for start, row in rows if wish.holds is None or wish.holds(row))
        if wish.order is None:
            return array("Q", (start for start, _ in kept))
        order = wish.order
        return array("Q", (start for _, start in sorted((order(row), start) for start, row in kept)))

    def _look(self) -> None:
        found = self.path.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == self.stamp:
            return
        starts, at = array("Q"), 0
        with self.path.open("rb") as opened:
            for line in opened:
                if line.strip():
                    starts.append(at)
                at += len(line)
        self.stamp, self.starts, self.selections = stamp, starts, OrderedDict()


@dataclass(frozen=True)
class Selection:
    """Rows of a file by their positions; read as they are asked for."""

    path: Path
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Row]:
        with self.path.open("rb") as opened:
            for start in self.starts:
                opened.seek(start)
                yield json.loads(opened.readline())

    def page(self, begin: int, size: int) -> list[Row]:
        """Return so many rows from a place on; empty behind the end."""
        begin = max(begin, 0)
        return list(Selection(self.path, self.starts[begin : begin + size]))


class Rows:
    """The files of rows that were asked for."""

    def __init__(self) -> None:
        self._collections: dict[Path, Collection] = {}
        self._lock = threading.Lock()

    def of(self, root: Path, name: str) -> Collection:
        """Return `<root>/<name>.ndjson`; raise `NotFound` when it is not there."""
        path = inside(root, f"{name}.ndjson")
        if path.parent != root.resolve():
            raise NotFound(f"{name!r} is not there")
        with self._lock:
            return self._collections.setdefault(path, Collection(path))


def names(root: Path) -> list[str]:
    """Return the names of the collections in a folder."""
    return sorted(path.stem for path in root.glob("*.ndjson"))

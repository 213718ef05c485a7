"""The folder of systems as the servers see it: which sources there are, and their files. It never leads out of the folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyceph.errors import NotFound

HTTP_KINDS = ("rest", "explore", "ckan", "odata", "soap", "graph")


@dataclass(frozen=True)
class Systems:
    """A folder written by `generate`: `<kind>/<domain>_<source>/…`."""

    folder: Path

    def names(self, kind: str) -> list[str]:
        """Return the sources of a kind, as they are on the disk now."""
        parent = self.folder / kind
        return sorted(path.name for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []

    def root(self, kind: str, name: str) -> Path:
        """Return the folder of a source."""
        return self.folder / kind / name

    def running(self) -> Path:
        """Return the servers' own folder."""
        return self.folder / "running"

    def received(self) -> Path:
        """Return the folder of the messages that were received."""
        return self.folder / "received"


def inside(root: Path, relative: str) -> Path:
    """Return a file or folder below `root`; raise `NotFound` when there is none, or when the path leads out of it."""
    top = root.resolve()
    try:
        path = (top / relative.lstrip("/")).resolve(strict=True)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        raise NotFound(f"{relative!r} is not there") from error
    if path != top and not path.is_relative_to(top):
        raise NotFound(f"{relative!r} is not there")
    return path


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file below `root` by its path with `/`, sorted; links are passed over, since they may lead out of the folder."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(root).as_posix(), path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

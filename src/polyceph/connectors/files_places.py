"""Finding the files of a dataset in a folder or behind an fsspec address, and fetching one without tearing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.validation import meant, nearest
from polyceph.sdk import Conflict, Denied, Invalid, NotFound, Original, Problem, Unavailable

_BLOCK = 1 << 20
_ATTEMPTS = 3
_MODIFIED = ("mtime", "LastModified", "last_modified", "modified", "created")
_VERSION = ("ETag", "etag", "version", "ino")


@dataclass(frozen=True)
class FoundFile:
    """A file of a place. `name` is its path below the place's root; `state` changes whenever it is written."""

    name: str
    path: str
    modified: str
    state: str


@dataclass(frozen=True)
class FilePlace:
    """A root folder on a file system."""

    system: Any
    root: str
    shown: str
    is_local: bool

    def find(self, pattern: str) -> list[FoundFile]:
        """Return the files that match a path or glob below the root, oldest first by modification, then by name.

        Raises:
            Invalid: the path leaves the root.
            NotFound: the root does not exist.
            Denied: the account may not list it.
            Unavailable: the service does not answer.
        """
        if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts or "://" in pattern:
            raise Invalid(f"path {pattern!r} leaves {self.shown}", hint="give a path below the folder of the source")
        found = self._listing(pattern)
        return sorted(found, key=lambda file: (file.modified, file.name))

    def nothing(self, pattern: str) -> NotFound:
        """Return the error for a pattern that matches no file, with the names that are there."""
        names = [file.name for file in self._listing("**")]
        problem = Problem(f"{pattern} matches none", value=pattern, allowed=nearest(pattern, names), hint=meant(pattern, names))
        return NotFound(f"no file {pattern} in {self.shown}", problems=[problem], hint="set may_be_absent: true if that is normal")

    def fetch(self, file: FoundFile, folder: Path) -> Original:
        """Copy a file into `folder` and return the copy; a file that changes meanwhile is copied again.

        Raises:
            Conflict: it changes each time.
            Denied, NotFound, Unavailable: it cannot be read.
        """
        target = folder / f"original{PurePosixPath(file.name).suffix}"
        for _ in range(_ATTEMPTS):
            before = self._state(file.path)
            digest = self._copy(file.path, target)
            if self._state(file.path) == before and (not self.is_local or self._copy(file.path, None) == digest):
                return Original(target, PurePosixPath(file.name).name, digest)
        raise Conflict(f"{file.name} in {self.shown} is being written", hint="load again when the writing has ended")

    def _listing(self, pattern: str) -> list[FoundFile]:
        parts = PurePosixPath(pattern).parts
        fixed = list(parts[: next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts) - 1)])
        start = "/".join([self.root.rstrip("/") or "", *fixed]) or "/"
        with self._translated(start):
            self.system.invalidate_cache()
            is_there = not self.is_local or self.system.exists(self.root)
            depth = None if "**" in parts else len(parts) - len(fixed)
            entries = self.system.find(start, maxdepth=depth, detail=True) if is_there else {}
        if not is_there:
            raise NotFound(f"folder {self.shown} does not exist", hint="make it, or correct the source's folder")
        found = [self._found(path, info) for path, info in entries.items()]
        return [f for f in found if _matches(f.name, parts) and self._is_inside(f)]

    def _found(self, path: str, info: dict[str, Any]) -> FoundFile:
        name = path[len(self.root.rstrip("/")) :].lstrip("/") if path.startswith(self.root) else path
        return FoundFile(name, path, _modified(info), _state(info))

    def _is_inside(self, file: FoundFile) -> bool:
        """Leave out what a symbolic link brings in from outside the folder."""
        return not self.is_local or Path(file.path).resolve().is_relative_to(Path(self.root).resolve())

    def _state(self, path: str) -> str:
        with self._translated(path):
            self.system.invalidate_cache()
            return _state(self.system.info(path))

    def _copy(self, path: str, target: Path | None) -> str:
        digest = hashlib.sha256()
        sink = target.open("wb") if target is not None else nullcontext()
        with self._translated(path), self.system.open(path, "rb") as source, sink as copy:
            while block := source.read(_BLOCK):
                digest.update(block)
                if copy is not None:
                    copy.write(block)
        return digest.hexdigest()

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each fsspec backend raises errors of its own library
            raise self._refused(error, path) from error

    def _refused(self, error: Exception, path: str) -> NotFound | Denied | Unavailable:
        name = path.removeprefix(self.root).lstrip("/") or self.shown
        if isinstance(error, FileNotFoundError):
            return NotFound(f"{name} is not there any more, or {self.shown} does not exist")
        if isinstance(error, PermissionError):
            return Denied(f"the account of the source may not read {name} in {self.shown}", hint="ask its owner for the right to read")
        return Unavailable(
            f"{self.shown} does not answer: {type(error).__name__}", hint="check address, endpoint and network, or try later"
        )


def place_of(source: FilesSource, base: Path) -> FilePlace:
    """Return the place of a source; local folders start at `base`.

    Raises:
        Misconfigured: a secret is not set.
        Invalid: the address has a scheme that is not installed.
    """
    folder = source.local_folder()
    if folder is not None:
        root = (base / folder).resolve()
        return FilePlace(fsspec.filesystem("file"), str(root), folder, is_local=True)
    url = source.address()
    try:
        # Listings are never cached: the next file may have just arrived.
        system, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **source.entry())
    except (ValueError, ImportError) as error:
        raise Invalid(
            f"url {url} cannot be opened: {str(error).splitlines()[0]}", hint="install the extra of that storage, e.g. s3"
        ) from error
    return FilePlace(
        system, str(root), url, is_local="file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
    )


def is_match(name: str, pattern: str) -> bool:
    """Tell whether a path below the place's root is what a path or glob names."""
    return _matches(name, PurePosixPath(pattern).parts)


def _matches(name: str, pattern: tuple[str, ...]) -> bool:
    return _match_parts(PurePosixPath(name).parts, pattern)


def _match_parts(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_match_parts(parts[i:], pattern[1:]) for i in range(len(parts) + 1)) or (len(pattern) == 1 and bool(parts))
    hidden = bool(parts) and parts[0].startswith((".", "~$")) and not pattern[0].startswith((".", "~$"))
    return bool(parts) and not hidden and _match_one(parts[0], pattern[0]) and _match_parts(parts[1:], pattern[1:])


def _match_one(part: str, pattern: str) -> bool:
    # A file may really be called [table].csv, so the plain name comes first.
    return part == pattern or fnmatchcase(part, pattern)


def _modified(info: dict[str, Any]) -> str:
    value = next((info[key] for key in _MODIFIED if info.get(key) is not None), "")
    return f"{value:020.6f}" if isinstance(value, int | float) else str(value)


def _state(info: dict[str, Any]) -> str:
    parts = [info.get("size"), _modified(info), *(str(info.get(key)) for key in _VERSION)]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]

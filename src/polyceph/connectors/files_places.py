"""Finding the files of a dataset in a folder or behind an fsspec address, fetching one without tearing it, moving one away."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from polyceph.connectors.validation import meant, nearest
from polyceph.sdk import Conflict, Denied, Invalid, Misconfigured, NotFound, Original, PolycephError, Problem, Unavailable

_BLOCK = 1 << 20
_ATTEMPTS = 3
_MODIFIED = ("mtime", "LastModified", "last_modified", "modified", "modify", "created")
_VERSION = ("VersionId", "ETag", "etag", "version", "ino")
_GONE = {errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ENODEV, errno.ESHUTDOWN}
"""What a mounted share answers whose server is gone."""


@dataclass(frozen=True)
class FoundFile:
    """A file of a place. `name` is its path below the place's root; `state` changes whenever it is written."""

    name: str
    path: str
    modified: str
    state: str
    moment: datetime | None = None
    """When the place says it was written last."""
    version: str = ""
    """The place's own mark of this content: a version, an ETag."""
    size: int | None = None
    """Bytes, where the place tells them."""


class Place(Protocol):
    """Where files lie."""

    @property
    def shown(self) -> str:
        """The place as messages name it."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether a file costs nothing to read again."""
        ...

    def find(self, pattern: str) -> list[FoundFile]:
        """Return the files that match, oldest first."""
        ...

    def nothing(self, pattern: str) -> NotFound:
        """Return the error for a pattern that matches no file."""
        ...

    def fetch(self, file: FoundFile, folder: Path) -> Original:
        """Copy a file into `folder`."""
        ...

    def move(self, file: FoundFile, folder: str, *, mark: str) -> None:
        """Move a file into a folder of the place unless it changed since it was found; `mark` keeps names apart."""
        ...

    def write(self, name: str, text: str) -> None:
        """Write a small text below the root."""
        ...


@dataclass(frozen=True)
class FilePlace:
    """A root folder on a file system."""

    system: Any
    root: str
    shown: str
    is_local: bool
    rename: Callable[[str, str], None]
    """Moves a file of the system."""
    has_folders: bool = True
    """False in an object store, where a name is all."""

    def find(self, pattern: str) -> list[FoundFile]:
        """Return the files that match a path or glob below the root, oldest first by modification, then by name.

        Raises:
            Invalid: the path leaves the root.
            NotFound: the root does not exist.
            Denied: the account may not list it.
            Unavailable: the service does not answer.
        """
        checked_path(pattern, self.shown)
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

    def move(self, file: FoundFile, folder: str, *, mark: str) -> None:
        """Move a file into a folder below the root unless it changed since it was found; `mark` keeps the names of versions apart.

        A move that was cut short leaves the file where it was, or in both places: its content is known, so it is not loaded again.

        Raises:
            Conflict: the file changed, so that what is there now was not read; it stays.
            Denied, Unavailable: it cannot be moved.
        """
        if self._state(file.path) != file.state:
            raise Conflict(f"{file.name} in {self.shown} changed after it was read", hint="it stays where it is for the next load")
        target = self._below(f"{folder}/{file.name}")
        with self._translated(file.path):
            if self.has_folders:
                self.system.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            if self.system.exists(target):
                target = f"{target}.{mark}"
            self.rename(file.path, target)

    def write(self, name: str, text: str) -> None:
        """Write a small text below the root; raises like `move`."""
        target = self._below(name)
        with self._translated(target):
            if self.has_folders:
                self.system.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            self.system.pipe_file(target, text.encode())

    def _below(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

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
        # A link of a server may lead anywhere, and a listing may name anything: neither is followed.
        real = {p: i for p, i in entries.items() if (self.is_local or i.get("type") == "file") and ".." not in PurePosixPath(p).parts}
        found = [self._found(path, info) for path, info in real.items()]
        return [f for f in found if _matches(f.name, parts) and self._is_inside(f)]

    def _found(self, path: str, info: dict[str, Any]) -> FoundFile:
        name = path[len(self.root.rstrip("/")) :].lstrip("/") if path.startswith(self.root) else path
        version = next((str(info[key]).strip('"') for key in _VERSION[:-1] if info.get(key)), "")
        return FoundFile(name, path, _modified(info), _state(info), _moment(info), version, info.get("size"))

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
        with self._translated(path), sink as copy:

            def take(block: bytes) -> None:
                digest.update(block)
                if copy is not None:
                    copy.write(block)

            self._receive(path, take)
        return digest.hexdigest()

    def _receive(self, path: str, take: Callable[[bytes], None]) -> None:
        with self.system.open(path, "rb") as source:
            while block := source.read(_BLOCK):
                take(block)

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except PolycephError:
            raise
        except Exception as error:  # each fsspec backend raises errors of its own library
            raise self._refused(error, path) from error

    def _refused(self, error: Exception, path: str) -> PolycephError:
        return refused(error, path.removeprefix(self.root).lstrip("/") or self.shown, self.shown)


def refused(error: Exception, name: str, shown: str) -> PolycephError:
    """Return what an error of a file system means for a file, in our words: theirs may hold a password."""
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{name} is not there any more, or {shown} does not exist")
    kind = type(error).__name__
    if isinstance(error, PermissionError) or kind in ("SFTPPermissionDenied", "error_perm"):
        return Denied(f"the account of the source may not enter {name} in {shown}", hint="ask its owner for the right")
    if kind in ("PermissionDenied", "ClientAuthenticationError") or getattr(error, "status_code", None) in (401, 403):
        return Misconfigured(f"{shown} does not accept our sign-in", hint="check user, password or key")
    if kind == "HostKeyNotVerifiable":
        return Misconfigured(f"{shown} shows another host key than the declared one", hint="ask its owner which is right")
    if kind in ("SSLCertVerificationError", "SSLError"):
        return Misconfigured(f"the certificate of {shown} is not signed by an authority we know", hint="declare authority: its PEM file")
    if isinstance(error, OSError) and error.errno in _GONE:
        return Unavailable(f"the mounted folder {shown} does not answer: {error.strerror}", hint="mount it again, or try later")
    return Unavailable(f"{shown} does not answer: {kind}", hint="check address, endpoint and network, or try later")


def checked_path(path: str, shown: str) -> None:
    """Raise `Invalid` when a path leaves the root of a place."""
    if path.startswith("/") or ".." in PurePosixPath(path).parts or "://" in path:
        raise Invalid(f"path {path!r} leaves {shown}", hint="give a path below the folder of the source")


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


def _moment(info: dict[str, Any]) -> datetime | None:
    """Return when a file was written: seconds, a time, or `20251231T..` as FTP's MLSD writes it, in UTC (RFC 3659, 2.3)."""
    value = next((info[key] for key in _MODIFIED if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        return datetime.strptime(str(value).split(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _state(info: dict[str, Any]) -> str:
    parts = [info.get("size"), _modified(info), *(str(info.get(key)) for key in _VERSION)]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]

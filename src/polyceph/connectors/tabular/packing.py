"""Unpacking gzip and zip in the throw-away process: one member at a time, under limits, no name of a member ever used as a path."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from polyceph.connectors.tabular.options import FilesDataset
from polyceph.sdk import Invalid, NotFound, Problem

_BLOCK = 1 << 20
_MOST_MEMBERS = 10_000
_LARGEST_RATIO = 400
"""How much smaller than its content a member may be, once the content is large; tables of zeros and repeated words reach 100 to 200."""
_RATIO_FROM = 64 << 20
_ENCRYPTED = 0x1
_PACKED = (".zip", ".gz", ".7z", ".rar", ".bz2", ".xz", ".tar")


def unpacked(path: Path, dataset: FilesDataset, folder: Path) -> Path:
    """Return the file itself, or what it holds unpacked in `folder`.

    Raises:
        Invalid: it cannot be unpacked, is protected, claims too much, or holds several files and none is named.
        NotFound: it does not hold the member.
    """
    if dataset.compression in (None, "none"):
        return path
    target = folder / "unpacked"
    with _translated(str(dataset.compression)):
        if dataset.compression == "gz":
            with gzip.open(path) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, _BLOCK)
        else:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, dataset)) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, _BLOCK)
    return target


def members(path: Path, pattern: str) -> dict[str, str]:
    """Return the members that match a glob, sorted, each with the SHA-256 of its bytes; raises like `unpacked`."""
    with _translated("zip"), zipfile.ZipFile(path) as archive:
        names = _names(archive)
        matching = sorted(name for name in names if fnmatchcase(name, pattern))
        if not matching:
            raise NotFound("no member of the zip matches", problems=[Problem(f"no {pattern!r}", allowed=tuple(names[:20]))])
        return {name: _digest(archive, _checked(archive.getinfo(name))) for name in matching}


def _digest(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    with archive.open(member) as source:
        return _sha256(source)


def _sha256(source: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def _translated(kind: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise Invalid(f"the file cannot be unpacked as {kind}: {error}") from error
    except OSError as error:
        raise Invalid(
            f"the file cannot be unpacked: {error.strerror or error}", hint="it may unpack to more than the disk limit"
        ) from error


def _member(archive: zipfile.ZipFile, dataset: FilesDataset) -> zipfile.ZipInfo:
    names = _names(archive)
    if dataset.member is not None:
        if dataset.member in names:
            return _checked(archive.getinfo(dataset.member))
        raise NotFound("the zip does not hold the member", problems=[Problem(f"no {dataset.member!r}", allowed=tuple(names[:20]))])
    if len(names) != 1:
        problem = Problem(f"the zip holds {len(names)} files", allowed=tuple(f"member: {name}" for name in names[:20]))
        raise Invalid("the zip does not hold exactly one file", problems=[problem], hint="name one, or give a glob such as member: '*.csv'")
    return _checked(archive.getinfo(names[0]))


def _names(archive: zipfile.ZipFile) -> list[str]:
    """Return the files of a zip; refuse one that is made to harm, whatever member is wanted."""
    found = archive.infolist()
    if len(found) > _MOST_MEMBERS:
        raise Invalid(f"the zip holds {len(found)} members", hint=f"at most {_MOST_MEMBERS:,} are read")
    names = [info.filename for info in found if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    leaving = [name for name in names if _leaves(name)]
    if leaving:
        problems = [Problem("the name of a member leads out of the zip", value=name) for name in leaving[:20]]
        raise Invalid("the zip holds members that no honest program writes", problems=problems, hint="have it packed anew")
    if len(set(names)) != len(names):
        doubled = sorted({name for name in names if names.count(name) > 1})[:20]
        raise Invalid("the zip holds members of the same name", problems=[Problem("stands there twice", value=name) for name in doubled])
    return names


def _leaves(name: str) -> bool:
    return name.startswith("/") or ":" in name[:3] or ".." in PurePosixPath(name.replace("\\", "/")).parts


def _checked(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    if info.flag_bits & _ENCRYPTED:
        raise Invalid(f"member {info.filename} is protected by a password", hint="have it packed without one and sent over a safe way")
    if PurePosixPath(info.filename).suffix.casefold() in _PACKED:
        raise Invalid(f"member {info.filename} is packed itself", hint="have it packed once")
    if info.file_size > _RATIO_FROM and info.file_size > _LARGEST_RATIO * max(1, info.compress_size):
        ratio = info.file_size // max(1, info.compress_size)
        raise Invalid(f"member {info.filename} claims to unpack to {ratio} times its size", hint="have it packed as gz, or as it is")
    return info

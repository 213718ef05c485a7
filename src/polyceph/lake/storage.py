"""Bytes in a lake's folder or bucket: staging, moving a finished file into place, keeping originals. Knows nothing of tables."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from polyceph.core.source_ports import Original
from polyceph.errors import Invalid, Unavailable
from polyceph.lake.engine import literal
from polyceph.settings import LakeAddress

STAGING = "_staging"
ORIGINALS = "_originals"


@dataclass(frozen=True)
class StagedFile:
    """A finished Parquet file on this machine; `sha256` over its bytes, hexadecimal; what its footer says of each column."""

    path: Path
    rows: int
    bytes: int
    sha256: str
    statistics: Mapping[str, Mapping[str, str]]


def is_remote(lake: LakeAddress) -> bool:
    """Tell whether the lake's files are in a bucket or container instead of a folder."""
    return "://" in lake.data_path


@contextmanager
def staging_folder(lake: LakeAddress, temporary: Path) -> Iterator[Path]:
    """Give a private folder that is removed at the end: inside a local lake, so that a finished file only has to be renamed.

    A killed process leaves it behind; maintenance removes it after the grace time.
    """
    root = temporary if is_remote(lake) else Path(lake.data_path)
    folder = root / STAGING / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place_file(connection: duckdb.DuckDBPyConnection, lake: LakeAddress, staged: StagedFile, folder: str) -> str:
    """Bring a staged file to its final name below the data path and return its whole path.

    The name is the hash of its bytes and a random part: a name is never used twice, so that cleaning up after an older load can
    never remove the file of a newer one.
    """
    name = f"{staged.sha256}-{uuid.uuid4().hex[:8]}.parquet"
    target = f"{lake.data_path.rstrip('/')}/{folder}{name}"
    if is_remote(lake):
        _upload(connection, staged.path, target)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        _flush(staged.path)
        staged.path.rename(target)
    return target


def keep_original(connection: duckdb.DuckDBPyConnection, lake: LakeAddress, original: Original) -> str:
    """Keep the bytes of an original under its hash, once, and return its path below the data path.

    Raises:
        Invalid: the file does not have the hash it came with.
    """
    relative = f"{ORIGINALS}/{original.sha256[:2]}/{original.sha256}"
    target = f"{lake.data_path.rstrip('/')}/{relative}"
    if _exists(connection, target, original.path.stat().st_size, remote=is_remote(lake)):
        if not is_remote(lake):
            os.utime(target)  # housekeeping must not take one that a load is about to name for a leftover
        return relative
    if file_sha256(original.path) != original.sha256:
        raise Invalid(f"{original.name} changed while it was read", hint="deliver it again when it is complete")
    if is_remote(lake):
        _upload(connection, original.path, target)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(f"{target}.{uuid.uuid4().hex}.part")
        shutil.copyfile(original.path, fresh)
        _flush(fresh)
        fresh.replace(target)
    return relative


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exists(connection: duckdb.DuckDBPyConnection, target: str, size: int, *, remote: bool) -> bool:
    if not remote:
        return Path(target).is_file() and Path(target).stat().st_size == size
    try:
        return connection.execute("SELECT size FROM read_blob(?)", [target]).fetchone() == (size,)
    except duckdb.IOException:  # not there, or not reachable: the upload that follows tells which
        return False


def _upload(connection: duckdb.DuckDBPyConnection, source: Path, target: str) -> None:
    try:
        connection.execute(f"COPY (SELECT content FROM read_blob({literal(str(source))})) TO {literal(target)} (FORMAT blob)")
    except duckdb.Error as error:
        raise Unavailable(f"the lake's storage did not take {target}: {str(error).splitlines()[0][:300]}") from error


def _flush(path: Path) -> None:
    # A catalogue that survives a power cut must not name a file that did not.
    with path.open("rb") as file:
        os.fsync(file.fileno())

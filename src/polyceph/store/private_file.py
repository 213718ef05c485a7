"""Files for one reader: written whole or not at all, mode 0600, and refused when others may read them."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyceph.errors import Conflict, Misconfigured


def write_private(path: Path, text: str) -> None:
    """Replace the file by `text` in one step, with mode 0600 from the first byte; make its folder (0700) when it is missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_private(path: Path) -> str:
    """Return the text of a file that only its owner may read.

    Raises:
        Misconfigured: it is missing, not readable, or open to its group or to everybody.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Misconfigured(f"{path} holds secrets and others may read it (mode {mode:04o})", hint=f"close it: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Misconfigured(f"{path} is missing", hint="restore it from a backup") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error


@contextmanager
def locked(path: Path, *, seconds: float = 60.0) -> Iterator[None]:
    """Let one process at a time into the block; the lock is the system's and ends with the process.

    Raises:
        Conflict: another process holds it all the time.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Conflict(f"another process holds {path}", hint="wait until it ends") from error
                time.sleep(0.05)
        yield

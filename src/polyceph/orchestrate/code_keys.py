"""The keys of the sockets on this machine and where they are kept: a server behind one answers only to whoever holds its key.

A Unix socket lets in everybody who runs under the same account, and all domains do. Keys are made anew at each start; they are
in files that the platform's processes read and that no confined process can (see `confinement`).
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from polyceph.errors import Unavailable

HEADER = "polyceph-code-server-key"
VARIABLE = "POLYCEPH_CODE_SERVER_KEY"
"""Names the key to its own code server, which forgets it before it loads the domain's code."""
PLATFORM_HEADER = "polyceph-platform-key"
"""What a request over the platform's own socket carries."""
_KEY_BYTES = 32
_PLATFORM = ".platform"


def place_of(folder: Path, domain: str) -> Path:
    """Return the folder below `folder` that is one domain's: its socket and its temporary files."""
    return folder / "at" / domain


def socket_of(folder: Path, domain: str) -> Path:
    """Return the socket of a domain's code server: a short name, for a Unix socket's path may hold 107 bytes only."""
    return place_of(folder, domain) / "socket"


def make_places(folder: Path, domains: Iterable[str]) -> None:
    """Make each domain's own folder, empty, and a new key for its code server; call it while none of them runs."""
    for part in ("at", "keys"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(mode=0o700)
    for name in domains:
        (place_of(folder, name) / "tmp").mkdir(mode=0o700, parents=True)
        _make_key(folder, name)
    _make_key(folder, _PLATFORM)


def _make_key(folder: Path, name: str) -> None:
    kept = folder / "keys" / name
    kept.touch(mode=0o600)
    kept.write_text(secrets.token_hex(_KEY_BYTES), encoding="ascii")


def platform_key(socket: Path) -> str:
    """Return the key of the platform's own socket.

    Raises:
        Unavailable: there is none: the federation does not run.
    """
    try:
        return (socket.parent / "keys" / _PLATFORM).read_text(encoding="ascii")
    except OSError as error:
        raise Unavailable("the key of the platform's own socket cannot be read", hint="start the federation with polyceph up") from error


def key_of(socket: Path) -> str | None:
    """Return the key of the code server at a socket, None where there is none: such a server is not the platform's."""
    try:
        return (socket.parents[2] / "keys" / socket.parent.name).read_text(encoding="ascii")
    except (IndexError, OSError):
        return None

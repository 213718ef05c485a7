"""The key of each domain's code server and where it is kept: a code server answers only to whoever holds its key.

A Unix socket lets in everybody who runs under the same account, and all domains do. Keys are made anew at each start; they are
in files that the platform's processes read and that no confined process can (see `confinement`).
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

HEADER = "polyceph-code-server-key"
VARIABLE = "POLYCEPH_CODE_SERVER_KEY"
"""Names the key to its own code server, which forgets it before it loads the domain's code."""
_KEY_BYTES = 32


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
        kept = folder / "keys" / name
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_hex(_KEY_BYTES), encoding="ascii")


def key_of(socket: Path) -> str | None:
    """Return the key of the code server at a socket, None where there is none: such a server is not the platform's."""
    try:
        return (socket.parents[2] / "keys" / socket.parent.name).read_text(encoding="ascii")
    except (IndexError, OSError):
        return None

"""The sealed journal as it is kept: leaves, keys, heads, archives. Hashing is in `tree`, what is signed in `head`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

LeafRow = tuple[int, int, bytes, bytes | None]
"""One sealed event: its index, its number in the store, the hash that was sealed, its bytes (None once an archive alone holds them).

A plain tuple, since a journal of millions is read at once.
"""


@dataclass(frozen=True)
class JournalKey:
    """A key that signs heads, as verifier key; `rotation` is the note by which the key before introduced it, None for the first."""

    number: int
    key: str
    rotation: str | None = None


@dataclass(frozen=True)
class KeptHead:
    """A signed head with all cosignatures that have come in, as one note."""

    size: int
    note: str


@dataclass(frozen=True)
class Archive:
    """The first `size` events were moved into a file: `root` of their tree, `sha256` of the file, hexadecimal; `place` is a file name."""

    size: int
    root: bytes
    place: str
    sha256: str


@dataclass(frozen=True)
class Trusted:
    """What is kept outside the database and trusted; heads by size, leaves as their hashes one after the other."""

    key: str
    rotations: Sequence[str] = ()
    witnesses: Sequence[str] = ()
    heads: Sequence[str] = ()
    leaves: bytes = b""


@dataclass(frozen=True)
class Verification:
    """What verifying found. `first_bad` is the index of the first bad event, None when there is none or none can be named."""

    ok: bool
    events: int
    heads: int
    first_bad: int | None = None
    reason: str | None = None
    size: int = 0
    unsealed: int = 0
    """Events that no head covers yet; the next ones will."""
    archived: int = 0
    """Events whose bytes are in archives: their hashes were verified, their bytes were not."""
    last_head_at: datetime | None = None
    witnesses: Sequence[str] = ()
    """Witnesses whose cosignature stands under at least one head."""

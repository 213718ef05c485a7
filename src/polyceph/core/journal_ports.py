"""The Protocols by which use cases reach the sealed journal; a part of `ports`, standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from polyceph.core.model.head import Signature
from polyceph.core.model.journal import Archive, JournalKey, KeptHead, LeafRow


class JournalChanges(Protocol):
    """What a unit of work can change about the journal itself, beside adding events."""

    def open_journal(self, origin: str, key: str) -> bool:
        """Give the journal its origin and first verifier key; return False when it has them."""
        ...

    def rotate_journal_key(self, key: JournalKey) -> None:
        """Keep a new key with the note that introduces it; refuse when it is not the next one."""
        ...

    def archive_journal(self, archive: Archive) -> None:
        """Keep that an archive holds the first events; from then on their bytes may leave the store."""
        ...

    def make_pseudonym(self, lookup: bytes, key: bytes, pseudonym: str) -> str:
        """Keep the pseudonym of a person found by `lookup`, or return the one that is known."""
        ...

    def destroy_pseudonym(self, lookup: bytes) -> str | None:
        """Remove the key of a pseudonym for good; return the pseudonym, None when there is none."""
        ...


class HeadSigner(Protocol):
    """Signs for the journal with its present key."""

    @property
    def key(self) -> str:
        """Return the verifier key."""
        ...

    def sign(self, text: str) -> Signature:
        """Return the signature over a note's text."""
        ...


class SealedLog(Protocol):
    """The tree over the journal: sealing what is new, and what proofs and heads are made of."""

    def origin(self) -> str | None:
        """Return the journal's origin, None before it is opened."""
        ...

    def seal(self) -> int:
        """Put every event whose order is certain into the tree; return how many there were."""
        ...

    def size(self) -> int:
        """Return the number of leaves."""
        ...

    def unsealed(self) -> int:
        """Return how many events are not in the tree yet."""
        ...

    def root_at(self, size: int) -> bytes:
        """Return the root of the tree of the first `size` leaves."""
        ...

    def range_root(self, start: int, end: int) -> bytes:
        """Return the root of a range of leaves, as proofs need it."""
        ...

    def pages(self, start: int, end: int) -> Iterator[list[LeafRow]]:
        """Yield the leaves of a range in order, some thousands at a time; one that is missing is not among them."""
        ...

    def edge(self, size: int) -> list[list[bytes]]:
        """Return the right edge of the tree of the first `size` leaves, as `GrowingTree` takes it."""
        ...

    def index_at(self, moment: datetime) -> int:
        """Return the index of the first leaf whose event is not before a moment; the size when all are."""
        ...

    def index_of(self, event: int) -> int | None:
        """Return the index of an event by its number, None while it is not sealed."""
        ...

    def keys(self) -> tuple[JournalKey, ...]:
        """Return the keys, oldest first."""
        ...

    def heads(self, after: int = 0, upto: int | None = None) -> tuple[KeptHead, ...]:
        """Return the signed heads of sizes above `after`, up to `upto`, with their cosignatures, smallest first."""
        ...

    def head_sizes(self) -> tuple[int, ...]:
        """Return the sizes of all heads, smallest first."""
        ...

    def last_head(self) -> KeptHead | None:
        """Return the newest head."""
        ...

    def add_head(self, head: KeptHead) -> None:
        """Keep a signed head."""
        ...

    def add_cosignature(self, size: int, witness: str, line: str) -> bool:
        """Keep a witness's signature line under a head; return False when it is known."""
        ...

    def archives(self) -> tuple[Archive, ...]:
        """Return the archives, smallest first."""
        ...

"""Verifying the journal in the store: every leaf hashed anew, every root compared with every head and with what is kept outside.

What is found bad first ends it, since everything after a bad event is worth nothing. Memory stays flat: a page of leaves at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

from polyceph.core.journal_ports import SealedLog
from polyceph.core.model.head import TreeHead, parse_note
from polyceph.core.model.journal import LeafRow, Trusted, Verification
from polyceph.core.model.tree import HASH_BYTES, TILE, GrowingTree
from polyceph.core.model.verifier_key import VerifierKey, parse_verifier_key
from polyceph.errors import Invalid, NotFound
from polyceph.journal.chain import KeyChain, key_chain
from polyceph.journal.keys import has_signed

Heard = Callable[[int, int], None]
"""Told how many leaves are verified, and of how many."""


class _Bad(Exception):
    """The first thing that is wrong, and the index of the first bad event where it can be told."""

    def __init__(self, index: int | None, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(reason)


def verify(log: SealedLog, trusted: Trusted, *, since: int | None = None, heard: Heard | None = None) -> Verification:
    """Verify the journal and return what was found; nothing is raised for what is wrong with it.

    Args:
        log: the journal in the store.
        trusted: what is kept outside: the first key, heads, perhaps hashes of leaves.
        since: size of a head kept outside that is trusted: only what came after it is read. None: the whole journal.
        heard: told the progress.

    Raises:
        NotFound: no head of that size is kept outside.
    """
    size = log.size()
    found = Verification(True, 0, 0, size=size, unsealed=log.unsealed())
    try:
        walk = _Walk(log, trusted, size, found)
        if since is not None:
            walk.skip_to(since)
        return walk.walk(heard)
    except _Bad as bad:
        return replace(found, ok=False, first_bad=bad.index, reason=bad.reason)


class _Walk:
    """One pass over the leaves with the heads that end on the way."""

    def __init__(self, log: SealedLog, trusted: Trusted, size: int, found: Verification) -> None:
        self._log, self._size, self._found = log, size, found
        try:
            self._chain = _chain(log, trusted)
            self._outside = {head.size: head for head in map(self._chain.head, trusted.heads)}
            self._witnesses = [parse_verifier_key(one) for one in trusted.witnesses]
        except Invalid as error:
            raise _Bad(None, error.message) from error
        self._leaves = trusted.leaves
        self._tree = GrowingTree()
        self._good = self._start = 0
        self._archived = max((one.size for one in log.archives()), default=0)

    def skip_to(self, size: int) -> None:
        """Start behind a head kept outside; the hashes in the store must give its root."""
        head = self._outside.get(size)
        if head is None:
            good = ", ".join(map(str, sorted(self._outside))) or "none"
            raise NotFound(f"no head of {size} events is kept outside", hint=f"heads kept there: {good}")
        self._tree = GrowingTree(self._log.edge(size), covered=size & -TILE)
        if self._tree.size != size or self._tree.root() != head.root:
            raise _Bad(None, f"the first {size} events are not those of the head signed at {head.at:%Y-%m-%d %H:%M:%S} UTC")
        self._good = self._start = size

    def walk(self, heard: Heard | None) -> Verification:
        heads, cosigned, last = 0, set[str](), None
        for page in self._log.pages(self._start, self._size):
            end = self._tree.size + len(page)
            self._check_page(page)
            kept = self._log.heads(self._tree.size, end)
            wanted = {one.size: self._head(one.note) for one in kept}
            self._grow([row[2] for row in page], {**{s: h for s, h in self._outside.items() if self._tree.size < s <= end}, **wanted})
            cosigned |= {one.name for kept_head in kept for one in _cosigners(kept_head.note, self._witnesses)}
            heads += len(kept)
            last = max(wanted.values(), key=lambda one: one.size, default=last)
            if heard is not None:
                heard(self._tree.size, self._size)
        self._check_end()
        archived = min(self._archived, self._size)
        return replace(
            self._found,
            events=self._tree.size - self._start,
            heads=heads,
            archived=archived,
            last_head_at=last.at if last else None,
            witnesses=tuple(sorted(cosigned)),
        )

    def _check_page(self, page: list[LeafRow]) -> None:
        start = self._tree.size
        for place, (index, _, _, _) in enumerate(page, start=start):
            if index != place:
                raise _Bad(place, f"leaf {place} is missing")
        hashes = [row[2] for row in page]
        made = [row[2] if row[3] is None else sha256(b"\x00" + row[3]).digest() for row in page]
        if made != hashes:
            bad = next(place for place, pair in enumerate(zip(made, hashes, strict=True), start=start) if pair[0] != pair[1])
            raise _Bad(bad, f"event {page[bad - start][1]} is not what was sealed at {bad}")
        outside = self._leaves[start * HASH_BYTES : (start + len(page)) * HASH_BYTES]
        if outside and not b"".join(hashes).startswith(outside):
            kept = [outside[at : at + HASH_BYTES] for at in range(0, len(outside), HASH_BYTES)]
            bad = next(place for place, pair in enumerate(zip(kept, hashes, strict=False), start=start) if pair[0] != pair[1])
            raise _Bad(bad, f"event {page[bad - start][1]} is not the one whose hash is kept outside at {bad}")
        lost = next((row for row in page if row[3] is None and row[0] >= self._archived), None)
        if lost is not None:
            raise _Bad(lost[0], f"event {lost[1]} is gone and no archive holds it")

    def _head(self, note: str) -> TreeHead:
        try:
            return self._chain.head(note)
        except Invalid as error:
            raise _Bad(self._good, error.message) from error

    def _grow(self, hashes: list[bytes], heads: Mapping[int, TreeHead]) -> None:
        start = self._tree.size
        for size in sorted(heads):
            self._tree.extend(hashes[self._tree.size - start : size - start])
            here = self._tree.root()
            for head in {heads[size], self._outside.get(size, heads[size])}:
                if head.root != here:
                    reason = f"the first {size} events are not those of the head signed at {head.at:%Y-%m-%d %H:%M:%S} UTC"
                    raise _Bad(self._good, f"{reason}; the first bad one is between {self._good} and {size - 1}")
            self._good = size
        self._tree.extend(hashes[self._tree.size - start :])

    def _check_end(self) -> None:
        if self._tree.size != self._size:
            raise _Bad(self._tree.size, f"leaf {self._tree.size} is missing")
        beyond = min((size for size in self._outside if size > self._size), default=None)
        longest = len(self._leaves) // HASH_BYTES
        if beyond is not None or longest > self._size:
            raise _Bad(self._size, f"the journal was cut: {max(beyond or 0, longest)} events were there, {self._size} are left")
        last = self._log.last_head()
        if last is not None and last.size > self._size:
            raise _Bad(self._size, f"the journal was cut: a head of {last.size} events is kept, {self._size} are left")


def _chain(log: SealedLog, trusted: Trusted) -> KeyChain:
    keys = log.keys()
    if not keys or keys[0].key != trusted.key.strip():
        raise Invalid("the journal's first key is not the one that is trusted")
    return key_chain(log.origin() or "", trusted.key, [one.rotation for one in keys if one.rotation is not None])


def _cosigners(text: str, witnesses: list[VerifierKey]) -> list[VerifierKey]:
    note = parse_note(text)
    return [one for one in witnesses if has_signed(one, note)]

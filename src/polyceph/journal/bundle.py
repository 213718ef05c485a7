"""Bundles: the journal, or chosen events with proofs, as one text file that a stand-alone program verifies. Layout: journal-format.md."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from polyceph.core.journal_ports import SealedLog
from polyceph.core.model.journal import KeptHead, LeafRow
from polyceph.core.model.tree import TILE, consistency_proof, inclusion_proof, leaf_hash, root
from polyceph.errors import Invalid, Misconfigured, NotFound, Unavailable

FORMAT = "polyceph-journal-bundle/v1"
_MOST_HEADS = 500
"""A bundle holds so many heads at most, evenly spread: they tell where a log was altered, and each costs a signature to check."""
_PROOFS_HEADS = 30
"""So many heads stand in a bundle of proofs unasked: who keeps one of them sees without asking that the journal continues it."""
Heard = Callable[[int, int], None]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written: how many events, up to which size of the tree, and the SHA-256 of the file, hexadecimal."""

    path: Path
    events: int
    size: int
    sha256: str


class _File:
    """Writes lines and hashes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, sha256()
        self._whole = sha256()

    def line(self, text: bytes) -> None:
        self._hash.update(text + b"\n")
        self._file.write(text + b"\n")

    def json(self, value: object) -> None:
        # Text and whole numbers alone: sorted and compact, this is the canonical form.
        self.line(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())

    def close(self) -> str:
        """Write the last line and return the hash of the whole file."""
        before = self._hash.copy()
        self.json({"sha256": before.hexdigest()})
        return self._hash.hexdigest()


def write_log(log: SealedLog, path: Path, *, size: int | None = None, heard: Heard | None = None) -> Bundle:
    """Write every event up to a head (of `size` leaves, the last one when not given) into a new file.

    Raises:
        Invalid: nothing is sealed under such a head.
        Misconfigured: the file exists, or cannot be written.
    """
    heads = _spread(log, size)
    end = heads[-1].size

    def write(file: _File) -> int:
        _write_top(file, log, "log", heads)
        written = 0
        for page in log.pages(0, end):
            for _, _, found, data in page:
                file.line(found.hex().encode() if data is None else b"%s %s" % (found.hex().encode(), data))
            written += len(page)
            if heard is not None:
                heard(written, end)
        return written

    return _written(path, end, write)


def write_proofs(log: SealedLog, path: Path, indexes: Iterable[int], *, since: Sequence[int] = ()) -> Bundle:
    """Write chosen events, each with the proof that it is in the journal, into a new file.

    Args:
        log: the journal.
        path: where to.
        indexes: of leaves; those behind the last head are refused.
        since: sizes of heads that somebody holds: the file then shows that the journal still begins with them.

    Raises:
        Invalid: nothing is sealed yet, an event is not under a head yet, or a head is not known.
        NotFound: an archive alone holds an event's bytes.
        Misconfigured: the file exists, or cannot be written.
    """
    chosen = sorted(set(indexes))
    last = log.last_head()
    if last is None or (chosen and chosen[-1] >= last.size):
        raise Invalid("no head covers these events yet", hint="seal the journal first: polyceph journal seal")
    wanted = sorted({size for size in (*since, *_thinned(log.head_sizes(), _PROOFS_HEADS)) if size < last.size})
    heads = [_head(log, size) for size in wanted] + [last]

    def write(file: _File) -> int:
        _write_top(file, log, "proofs", heads)
        tiles = _Tiles(log, last.size)
        for index in chosen:
            _, event, found, data = tiles.leaf(index)
            if data is None:
                raise NotFound(f"event {event} is in an archive alone", hint="take it from the archive, which is a bundle itself")
            proof = b"".join(inclusion_proof(index, last.size, tiles.root))
            file.line(b"%d %s %s %s" % (index, found.hex().encode(), base64.b64encode(proof) or b"-", data))
        for size in wanted:
            proof_words = [base64.b64encode(one).decode() for one in consistency_proof(size, last.size, log.range_root)]
            file.json({"consistency": {"from": size, "proof": proof_words, "to": last.size}})
        return len(chosen)

    return _written(path, last.size, write)


def hashes_of(path: Path) -> list[bytes]:
    """Return the hashes of the leaves in a bundle of the whole journal, computed from the leaves where it holds them."""
    found = []
    with path.open("rb") as file:
        for line in file:
            if not line.startswith(b"{"):
                sealed, _, data = line.rstrip(b"\n").partition(b" ")
                found.append(leaf_hash(data) if data else bytes.fromhex(sealed.decode()))
    return found


def _written(path: Path, size: int, write: Callable[[_File], int]) -> Bundle:
    fresh = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise Misconfigured(f"{path} exists", hint="name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as raw:
            file = _File(raw)
            events = write(file)
            digest = file.close()
            raw.flush()
            os.fsync(raw.fileno())
        fresh.rename(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}", hint="make room, or name another place") from error
    finally:
        fresh.unlink(missing_ok=True)
    return Bundle(path, events, size, digest)


def _write_top(file: _File, log: SealedLog, kind: str, heads: Sequence[KeptHead]) -> None:
    file.json({"format": FORMAT, "kind": kind, "origin": log.origin() or "", "size": heads[-1].size})
    keys = log.keys()
    for key in keys:
        file.json({"key": key.key} if key.rotation is None else {"rotation": key.rotation})
    for head in heads:
        file.json({"head": head.note})


def _spread(log: SealedLog, size: int | None) -> list[KeptHead]:
    sizes = [one for one in log.head_sizes() if size is None or one <= size]
    if not sizes or (size is not None and sizes[-1] != size):
        raise Invalid("no head covers these events yet", hint="seal the journal first: polyceph journal seal")
    return [_head(log, one) for one in _thinned(sizes, _MOST_HEADS)]


def _thinned(sizes: Sequence[int], most: int) -> Sequence[int]:
    """Return at most so many sizes, evenly spread, the last one among them."""
    return sizes[::-1][:: max(1, -(-len(sizes) // most))][::-1]


def _head(log: SealedLog, size: int) -> KeptHead:
    found = log.heads(size - 1, size)
    if not found:
        raise Invalid(f"the journal has no head of {size} events", hint="name a size that polyceph journal heads lists")
    return found[0]


class _Tiles:
    """Leaves and roots for proofs of leaves in order: the tile of the last leaf is kept whole, every root outside it is asked for once."""

    def __init__(self, log: SealedLog, size: int) -> None:
        self._log, self._size = log, size
        self._number, self._rows = -1, dict[int, LeafRow]()
        self._roots: dict[tuple[int, int], bytes] = {}

    def leaf(self, index: int) -> LeafRow:
        """Return a leaf."""
        number = index // TILE
        if number != self._number:
            pages = self._log.pages(number * TILE, min((number + 1) * TILE, self._size))
            self._number, self._rows = number, {row[0]: row for page in pages for row in page}
        if index not in self._rows:
            raise NotFound(f"leaf {index} is missing", hint="verify the journal: polyceph journal verify")
        return self._rows[index]

    def root(self, start: int, end: int) -> bytes:
        """Return the root of a range of leaves."""
        if start in self._rows and end - 1 in self._rows:
            return root([self.leaf(index)[2] for index in range(start, end)])
        if (start, end) not in self._roots:
            self._roots[start, end] = self._log.range_root(start, end)
        return self._roots[start, end]

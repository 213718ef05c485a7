"""The Merkle tree of RFC 6962 (section 2.1): hashes, roots, proofs and what a proof shows. Pure functions and one growing tree.

One algorithm proves and verifies everything. A leaf, a head of an earlier size and a subtree are all a range [start, end) of the
tree; RFC 6962's PROOF and PATH are the same recursion for the ranges [0, m) and [m, m + 1), and draft-ietf-plants-merkle-tree-certs
extends it to any aligned range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
TILE_BITS = 8
TILE = 1 << TILE_BITS
"""Leaves below one kept node: hashes are kept of leaves and of each complete subtree of 256, 65,536, ... leaves, no more."""

RangeRoot = Callable[[int, int], bytes]
"""Returns the root of the leaves [start, end), which are a complete aligned subtree or reach to the right edge."""
Nodes = Callable[[int, int, int], Sequence[bytes]]
"""Returns kept hashes of one level (0 leaves, 1 subtrees of 256 leaves, 2 of 65,536, ...), from one place up to another."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves, or of complete subtrees of one size of which the last alone may be incomplete."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        pairs = iter(row)
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


class GrowingTree:
    """The right edge of a tree: all that is needed to append leaves and to tell the root, 255 hashes a level at most.

    Args:
        edge: for each level the kept hashes that no kept node above covers yet, as `edge()` returns them.
        covered: how many leaves come before the first hash of `edge[0]`.
    """

    def __init__(self, edge: Sequence[Sequence[bytes]] = (), covered: int = 0) -> None:
        self._edge = [list(level) for level in edge] or [[]]
        self.size = covered + len(self._edge[0])

    def edge(self) -> list[list[bytes]]:
        """Return the right edge, leaves first."""
        return [list(level) for level in self._edge]

    def extend(self, hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Append leaves and return the kept nodes they completed as (level, index, hash)."""
        made: list[tuple[int, int, bytes]] = []
        done = 0
        while done < len(hashes):
            taken = hashes[done : done + TILE - len(self._edge[0])]
            self._edge[0].extend(taken)
            done += len(taken)
            self.size += len(taken)
            self._close(made)
        return made

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        last: list[bytes] = []
        for level in self._edge:
            row = level + last
            last = [root(row)] if row else []
        return last[0] if last else EMPTY_ROOT

    def _close(self, made: list[tuple[int, int, bytes]]) -> None:
        level = 0
        while len(self._edge[level]) == TILE:
            node = root(self._edge[level])
            self._edge[level].clear()
            level += 1
            if level == len(self._edge):
                self._edge.append([])
            self._edge[level].append(node)
            made.append((level, (self.size >> (TILE_BITS * level)) - 1, node))


def kept_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Return the root of a range from the hashes that are kept; see `RangeRoot` for which ranges."""
    level, tail = 0, list[bytes]()
    while end - start > TILE:
        ragged = [*nodes(level, end & -TILE, end), *tail]
        tail = [root(ragged)] if ragged else []
        level, start, end = level + 1, start >> TILE_BITS, end >> TILE_BITS
    return root([*nodes(level, start, end), *tail])


def edge_ranges(size: int) -> list[tuple[int, int, int]]:
    """Return which kept hashes make the right edge of a tree of this size: (level, from, to), leaves first."""
    found: list[tuple[int, int, int]] = []
    level = 0
    while size or not found:
        found.append((level, size & -TILE, size))
        level, size = level + 1, size >> TILE_BITS
    return found


def inclusion_proof(index: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Return the audit path of a leaf in the tree of `size` (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return [range_root(*one) for one in _needed(index, index + 1, 0, size, whole=True)]


def consistency_proof(first: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Return the proof that the tree of `size` begins with the tree of `first` leaves (RFC 6962, 2.1.2)."""
    if not 0 < first <= size:
        raise ValueError(f"a tree of {size} leaves has no consistency proof from {first}")
    return [range_root(*one) for one in _needed(0, first, 0, size, whole=True)]


def includes(root_hash: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the leaf with hash `leaf` stands at `index` of the tree with this root and size."""
    return subtree_includes(root_hash, 0, size, index, leaf, proof)


def extends(first: int, first_root: bytes, size: int, size_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that one tree begins with the other; an empty tree proves nothing and is refused."""
    return first > 0 and subtree_belongs(0, first, first_root, size, size_root, proof)


def subtree_includes(root_hash: bytes, start: int, end: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows a leaf in the subtree [start, end) with this root; `index` counts from the tree's first leaf."""
    if not (_is_subtree(start, end) and start <= index < end) or len(leaf) != HASH_BYTES:
        return False
    return subtree_belongs(index - start, index - start + 1, leaf, end - start, root_hash, proof)


def subtree_belongs(start: int, end: int, subtree_root: bytes, size: int, size_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the subtree [start, end) with one root is part of the tree with the other."""
    if start == end:  # by the draft an empty subtree is part of every tree that is large enough
        return 0 <= start <= size and subtree_root == EMPTY_ROOT and not proof
    if not (_is_subtree(start, end) and end <= size) or any(len(one) != HASH_BYTES for one in proof):
        return False
    rest = iter(proof)
    try:
        of_subtree, of_tree = _climb(start, end, 0, size, subtree_root, rest)
    except StopIteration:
        return False
    return next(rest, None) is None and of_subtree == subtree_root and of_tree == size_root


def _is_subtree(start: int, end: int) -> bool:
    """A subtree starts at a multiple of the smallest power of two that holds it."""
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


def _split(low: int, high: int) -> int:
    """Return where a tree's left half ends: at the largest power of two below its size."""
    return low + (1 << ((high - low - 1).bit_length() - 1))


def _needed(start: int, end: int, low: int, high: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Yield the ranges whose roots prove [start, end) in [low, high), in the order of the proof.

    `whole` says that the verifier knows the root of [start, end); it becomes False once the range is cut in two.
    """
    if (start, end) == (low, high):
        if not whole:
            yield low, high
        return
    middle = _split(low, high)
    if end <= middle:
        yield from _needed(start, end, low, middle, whole=whole)
        yield middle, high
    else:
        yield from _needed(max(start, middle), end, middle, high, whole=whole and start >= middle)
        yield low, middle


def _climb(start: int, end: int, low: int, high: int, known: bytes | None, rest: Iterator[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of [start, end) and of [low, high) as the proof has them; `_needed` seen from the verifier."""
    if (start, end) == (low, high):
        node = next(rest) if known is None else known
        return node, node
    middle = _split(low, high)
    if end <= middle:
        inner, left = _climb(start, end, low, middle, known, rest)
        return inner, node_hash(left, next(rest))
    if start >= middle:
        inner, right = _climb(start, end, middle, high, known, rest)
        return inner, node_hash(next(rest), right)
    inner, right = _climb(middle, end, middle, high, None, rest)
    left = next(rest)
    return node_hash(left, inner), node_hash(left, right)

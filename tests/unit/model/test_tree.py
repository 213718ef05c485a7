"""The Merkle tree against the definitions of RFC 6962, and its proofs against every tree of up to 40 leaves and a few large ones."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyceph.core.model import tree

LEAVES = [tree.leaf_hash(str(number).encode()) for number in range(70_000)]


def defined_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word: MTH."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + defined_root(hashes[:k]) + defined_root(hashes[k:])).digest()


def range_root(start: int, end: int) -> bytes:
    return defined_root(LEAVES[start:end])


@pytest.mark.parametrize("size", [*range(40), 255, 256, 257, 511, 513, 700, 1000])
def test_the_root_is_the_one_of_the_definition(size: int) -> None:
    growing = tree.GrowingTree()
    growing.extend(LEAVES[:size])
    assert tree.root(LEAVES[:size]) == growing.root() == defined_root(LEAVES[:size])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_a_tree_that_grows_by_pieces_and_is_put_down_in_between_has_the_same_root_and_nodes(pieces: list[int]) -> None:
    kept: dict[tuple[int, int], bytes] = {}
    growing, size = tree.GrowingTree(), 0
    for piece in pieces:
        made = growing.extend(LEAVES[size : size + piece])
        kept |= {(level, index): node for level, index, node in made}
        size += piece
        edges = [[nodes(kept)(level, at, at + 1)[0] for at in range(start, end)] for level, start, end in tree.edge_ranges(size)]
        growing = tree.GrowingTree(edges, covered=size & -tree.TILE)
        assert (growing.size, growing.root()) == (size, tree.root(LEAVES[:size]))
    assert kept == {(1, i): tree.root(LEAVES[i * 256 : i * 256 + 256]) for i in range(size // 256)} | {
        (2, i): tree.root(LEAVES[i * 65536 : (i + 1) * 65536]) for i in range(size // 65536)
    }


def nodes(kept: dict[tuple[int, int], bytes]) -> tree.Nodes:
    def found(level: int, start: int, end: int) -> list[bytes]:
        return LEAVES[start:end] if level == 0 else [kept[level, index] for index in range(start, end)]

    return found


def test_every_leaf_of_every_small_tree_is_proven_and_no_other() -> None:
    for size in range(1, 41):
        root = tree.root(LEAVES[:size])
        for index in range(size):
            proof = tree.inclusion_proof(index, size, range_root)
            assert tree.includes(root, size, index, LEAVES[index], proof)
            assert not tree.includes(root, size, index, LEAVES[index + 1], proof)
            assert not any(tree.includes(root, size, other, LEAVES[index], proof) for other in range(-1, size + 2) if other != index)


def test_every_small_tree_is_proven_to_begin_with_every_smaller_one_and_no_other() -> None:
    for size in range(1, 41):
        root = tree.root(LEAVES[:size])
        for first in range(1, size + 1):
            proof, start = tree.consistency_proof(first, size, range_root), tree.root(LEAVES[:first])
            assert tree.extends(first, start, size, root, proof)
            assert not tree.extends(first, tree.root(LEAVES[1 : first + 1]), size, root, proof)
            assert not tree.extends(first, start, size, root, [*proof, root])
            assert not proof or not tree.extends(first, start, size, root, proof[:-1])


@pytest.mark.parametrize(("first", "size"), [(255, 256), (256, 257), (300, 66_000), (65_536, 65_537), (65_000, 69_999), (1, 69_999)])
def test_proofs_are_made_from_the_few_hashes_that_are_kept(first: int, size: int) -> None:
    growing = tree.GrowingTree()
    kept = {(level, index): node for level, index, node in growing.extend(LEAVES[:size])}
    asked: list[int] = []

    def counted(level: int, start: int, end: int) -> list[bytes]:
        asked.append(end - start)
        return list(nodes(kept)(level, start, end))

    def from_kept(start: int, end: int) -> bytes:
        return tree.kept_root(counted, start, end)

    proof = tree.consistency_proof(first, size, from_kept)
    assert tree.extends(first, tree.root(LEAVES[:first]), size, growing.root(), proof)
    path = tree.inclusion_proof(first - 1, size, from_kept)
    assert tree.includes(growing.root(), size, first - 1, LEAVES[first - 1], path)
    assert max(asked) <= tree.TILE
    assert sum(asked) < 8 * tree.TILE


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        tree.inclusion_proof(index, size, range_root)


@pytest.mark.parametrize(("first", "size"), [(0, 3), (4, 3)])
def test_a_tree_that_is_empty_or_larger_has_no_proof(first: int, size: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        tree.consistency_proof(first, size, range_root)


def test_an_empty_tree_shows_nothing() -> None:
    assert not tree.extends(0, tree.EMPTY_ROOT, 5, tree.root(LEAVES[:5]), [])
    assert not tree.extends(0, tree.EMPTY_ROOT, 0, tree.EMPTY_ROOT, [])

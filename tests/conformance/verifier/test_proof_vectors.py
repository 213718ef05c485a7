"""Proofs: the public vectors (transparency-dev/merkle) are accepted and refused exactly as they say; so are some that they lack."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import bundles
from bundles import leaf_hash, root, sha256, subproof

AT_LEAST = {"consistency": 54, "inclusion": 46}


def accepts(verifier: ModuleType, kind: str, one: dict[str, Any]) -> bool:
    proof = [base64.b64decode(node) for node in one["proof"] or ()]
    hashes = {name: base64.b64decode(one[name] or "") for name in ("root", "root1", "root2", "leafHash") if name in one}
    if kind == "consistency":
        verdict = verifier.consistency_ok(one["size1"], hashes["root1"], one["size2"], hashes["root2"], proof)
    else:
        verdict = verifier.inclusion_ok(one["leafIdx"], one["treeSize"], hashes["leafHash"], hashes["root"], proof)
    assert isinstance(verdict, bool)
    return verdict


def test_every_vector_is_accepted_or_refused_as_it_says(verifier: ModuleType, shared_data: Path) -> None:
    folder = shared_data / "corpora" / "rfc6962" / "testdata"
    wrong, seen = [], dict.fromkeys(AT_LEAST, 0)
    for kind in AT_LEAST:
        for path in sorted((folder / kind).rglob("*.json")):
            vector = json.loads(path.read_text(encoding="utf-8"))
            seen[kind] += 1
            if accepts(verifier, kind, vector) == vector["wantErr"]:
                wrong.append(f"{path.relative_to(folder)}: {vector['desc']}")
    assert not wrong
    assert all(seen[kind] >= number for kind, number in AT_LEAST.items()), seen


HASHES = [leaf_hash(bytes([number])) for number in range(40)]


def test_every_proof_of_every_small_tree_is_accepted_and_none_that_is_longer_or_shorter(verifier: ModuleType) -> None:
    for size in range(1, len(HASHES)):
        tree = HASHES[:size]
        for index in range(size):
            proof = bundles.path(index, tree)
            assert verifier.inclusion_ok(index, size, tree[index], root(tree), proof)
            for wrong in (proof[:-1], proof[1:], [*proof, bytes(32)], [bytes(32), *proof]):
                assert wrong == proof or not verifier.inclusion_ok(index, size, tree[index], root(tree), wrong)
        for earlier in range(1, size):
            proof = subproof(earlier, tree, known=True)
            assert verifier.consistency_ok(earlier, root(tree[:earlier]), size, root(tree), proof)
            for wrong in (proof[:-1], proof[1:], [*proof, bytes(32)], [bytes(32), *proof]):
                assert not verifier.consistency_ok(earlier, root(tree[:earlier]), size, root(tree), wrong)


def test_no_index_is_before_the_first(verifier: ModuleType) -> None:
    assert not verifier.inclusion_ok(-1, 4, HASHES[0], root(HASHES[:4]), bundles.path(0, HASHES[:4]))


def test_a_root_over_a_node_that_is_missing_is_no_root(verifier: ModuleType) -> None:
    first = HASHES[0]
    for missing in (b"", bytes(32)):
        assert not verifier.inclusion_ok(0, 2, first, sha256(b"\x01" + missing + first), [])
        assert not verifier.inclusion_ok(1, 2, first, sha256(b"\x01" + first + missing), [])


def test_nodes_are_cut_where_they_are_and_nowhere_else(verifier: ModuleType) -> None:
    old, new = root(HASHES[:2]), root(HASHES[:4])
    [node] = subproof(2, HASHES[:4], known=True)
    assert verifier.consistency_ok(2, old, 4, new, [node])
    assert not verifier.consistency_ok(2, old[:31], 4, new, [old[31:] + node])
    assert not verifier.inclusion_ok(0, 2, HASHES[0][:31], old, [HASHES[0][31:] + HASHES[1]])

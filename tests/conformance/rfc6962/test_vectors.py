"""Public proof vectors, many of them hostile: our tree accepts and refuses exactly as they say (transparency-dev/merkle)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from polyceph.core.model import tree

AT_LEAST = {"consistency": 54, "inclusion": 46, "subtreeconsistency": 60, "subtreeinclusion": 101}


def accepts(kind: str, one: dict[str, Any]) -> bool:
    proof = [base64.b64decode(node) for node in one["proof"] or ()]
    hashes = {name: base64.b64decode(one[name] or "") for name in ("root", "root1", "root2", "leafHash") if name in one}
    if kind == "consistency":
        return tree.extends(one["size1"], hashes["root1"], one["size2"], hashes["root2"], proof)
    if kind == "inclusion":
        return tree.includes(hashes["root"], one["treeSize"], one["leafIdx"], hashes["leafHash"], proof)
    if kind == "subtreeconsistency":
        return tree.subtree_belongs(one["start"], one["end"], hashes["root1"], one["size"], hashes["root2"], proof)
    return tree.subtree_includes(hashes["root"], one["start"], one["end"], one["leafIdx"], hashes["leafHash"], proof)


def test_every_vector_is_accepted_or_refused_as_it_says(shared_data: Path) -> None:
    folder = shared_data / "corpora" / "rfc6962" / "testdata"
    wrong, seen = [], dict.fromkeys(AT_LEAST, 0)
    for path in sorted(folder.rglob("*.json")):
        kind = path.relative_to(folder).parts[0]
        vector = json.loads(path.read_text(encoding="utf-8"))
        seen[kind] += 1
        if accepts(kind, vector) == vector["wantErr"]:
            wrong.append(f"{path.relative_to(folder)}: {vector['desc']}")
    assert not wrong
    assert all(seen[kind] >= number for kind, number in AT_LEAST.items()), seen

"""Public proof vectors (transparency-dev/merkle): the stand-alone verifier accepts and refuses exactly as they say."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType
from typing import Any

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

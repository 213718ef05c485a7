"""What a witness does on her own machine: make a key, cosign heads. No platform, no database."""

from __future__ import annotations

from pathlib import Path

from polyceph.bootstrap.declared import SystemClock
from polyceph.core.model.verifier_key import WITNESS, VerifierKey
from polyceph.journal.keys import make_key, read_key
from polyceph.journal.witness import cosign


def make_witness(path: Path, name: str) -> VerifierKey:
    """Make the key of a witness in a new private file and return its public half."""
    return make_key(path, name, WITNESS).verifier


def cosign_newest(folder: Path, key: Path) -> int:
    """Cosign the newest head of a folder kept outside and return its size; what was signed is remembered beside the key."""
    return cosign(folder, read_key(key), key.with_name(f"{key.name}.seen"), now=SystemClock().now())

"""Public keys as people copy them: the verifier keys of C2SP's signed-note, with a name and a hash that catches a slip."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256

from polyceph.errors import Invalid

LOG, WITNESS = "log", "witness"
_TYPES = {LOG: b"\x01", WITNESS: b"\x04"}
"""Signature types: Ed25519 over the note; cosignature/v1."""


@dataclass(frozen=True)
class VerifierKey:
    """An Ed25519 public key (32 bytes) with the name it signs under; `kind` is LOG or WITNESS."""

    name: str
    kind: str
    public: bytes

    @property
    def hash(self) -> bytes:
        """Return the four bytes by which signature lines tell keys apart."""
        return sha256(self.name.encode() + b"\n" + _TYPES[self.kind] + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(_TYPES[self.kind] + self.public).decode()}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that a text says.

    Raises:
        Invalid: it is no verifier key of an Ed25519 key.
    """
    hint = "copy the whole line that polyceph journal witness or polyceph journal key prints: name+1a2b3c4d+AX9...="
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise Invalid(f"{text.strip()!r} is not a verifier key", hint=hint)
    try:
        typed = base64.b64decode(parts[2], validate=True)
    except ValueError as error:
        raise Invalid(f"the key of {parts[0]} is not base64", hint=hint) from error
    kind = next((name for name, first in _TYPES.items() if typed[:1] == first), None)
    if len(typed) != 33 or kind is None:
        raise Invalid(f"the key of {parts[0]} is not an Ed25519 key", hint=hint)
    found = VerifierKey(parts[0], kind, typed[1:])
    if str(found) != text.strip():
        raise Invalid(f"the key of {parts[0]} does not have the hash {parts[1]}: a letter was changed", hint=hint)
    return found

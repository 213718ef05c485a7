"""Which key signs which head: the first key that is trusted, and the rotations by which each key introduced the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyceph.core.model.head import TreeHead, parse_head, parse_note, parse_rotation
from polyceph.core.model.journal import Trusted
from polyceph.core.model.verifier_key import VerifierKey, parse_verifier_key
from polyceph.errors import Invalid
from polyceph.journal.keys import has_signed


@dataclass(frozen=True)
class KeyChain:
    """Keys with the size up to which each signs; the last has no end."""

    origin: str
    keys: tuple[tuple[VerifierKey, int | None], ...]

    def signer_of(self, size: int) -> VerifierKey:
        """Return the key that signs heads of a size."""
        return next(key for key, end in self.keys if end is None or size <= end)

    def head(self, text: str) -> TreeHead:
        """Return the head that a signed note is.

        Raises:
            Invalid: it is no head, or not of this journal, or not signed by the key that signs heads of its size.
        """
        note = parse_note(text)
        head = parse_head(note.text)
        if head.origin != self.origin:
            raise Invalid(f"the head of {head.size} events is of another journal: {head.origin}, not {self.origin}")
        if not has_signed(self.signer_of(head.size), note):
            raise Invalid(f"the head of {head.size} events is not signed by the journal's key {self.signer_of(head.size)}")
        return head


def key_chain(origin: str, trusted: str, rotations: Sequence[str]) -> KeyChain:
    """Return the chain that starts with a trusted key.

    Raises:
        Invalid: a key was not introduced by the one before.
    """
    chain: list[tuple[VerifierKey, int | None]] = []
    current, last = parse_verifier_key(trusted), 0
    for number, text in enumerate(rotations, start=1):
        note = parse_note(text)
        log, size, old, new = parse_rotation(note.text)
        if (log, old) != (origin, str(current)) or not has_signed(current, note) or size < last:
            raise Invalid(f"key {number} of the journal was not introduced by the key before it")
        chain.append((current, size))
        current, last = parse_verifier_key(new), size
    return KeyChain(origin, (*chain, (current, None)))


def trusted_chain(trusted: Trusted) -> KeyChain:
    """Return the chain that a folder kept outside says."""
    return key_chain(parse_verifier_key(trusted.key).name, trusted.key, trusted.rotations)

"""Keeps passwords as argon2id hashes (RFC 9106), with the parameters of OWASP's second choice and twice its memory."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_UNUSED = _HASHER.hash("nobody has this password")


def hashed(password: str) -> str:
    """Return the hash to keep of a password."""
    return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one that is kept; it takes as long when none is kept, so that nobody learns whether one is."""
    try:
        return _HASHER.verify(kept or _UNUSED, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False

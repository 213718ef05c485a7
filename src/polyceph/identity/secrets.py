"""Makes and recognises secrets: cookies, one-time links, tokens of service identities.

A token is `pcs_` (to be kept) or `pca_` (short), 43 letters and digits that hold 256 bits of chance, and a checksum of six: scanners of
leaked secrets recognise it by form, and a mistyped one is refused without asking the store. Only the SHA-256 is kept: with 256 bits of
chance there is nothing to guess that a slow hash would protect, and each request would pay for it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

from pydantic import SecretStr

LASTING, ACCESS = "pcs_", "pca_"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _CHECK, _SHOWN = 43, 6, 8
_FORM = re.compile(rf"pc[sa]_[0-9A-Za-z]{{{_BODY + _CHECK}}}")


@dataclass(frozen=True)
class MadeSecret:
    """A new secret: shown once; what is kept is its hash, what may be shown of it later its label."""

    text: SecretStr
    hash: bytes
    label: str


def digest(text: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(text.encode()).digest()


def new_token(prefix: str) -> MadeSecret:
    """Return a token of a service identity."""
    body = _in_letters(secrets.randbits(256), _BODY)
    text = f"{prefix}{body}{_checksum(prefix + body)}"
    return MadeSecret(SecretStr(text), digest(text), text[: len(prefix) + _SHOWN] + "…")


def is_token(text: str) -> bool:
    """Tell whether a text has the form and checksum of a token; it may still be nobody's."""
    return _FORM.fullmatch(text) is not None and secrets.compare_digest(_checksum(text[:-_CHECK]), text[-_CHECK:])


def new_secret() -> MadeSecret:
    """Return the secret of a cookie, a link or a sign-in: 256 bits of chance."""
    text = secrets.token_urlsafe(32)
    return MadeSecret(SecretStr(text), digest(text), text[:4] + "…")


def new_public_id() -> str:
    """Return a name that says nothing and nobody guesses, to point at a session."""
    return secrets.token_hex(8)


def _checksum(text: str) -> str:
    return _in_letters(zlib.crc32(text.encode()), _CHECK)


def _in_letters(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(reversed(letters))

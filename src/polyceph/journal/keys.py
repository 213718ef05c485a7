"""Ed25519 keys that sign the journal: made, kept in a private file, written as verifier keys, used to sign and to check notes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from polyceph.core.model.head import Note, Signature
from polyceph.core.model.verifier_key import LOG, WITNESS, VerifierKey
from polyceph.errors import Invalid, Misconfigured, NotFound

_NAME = re.compile(r"[^\s+]+")


def has_signed(key: VerifierKey, note: Note) -> bool:
    """Tell whether a signature of the note is this key's and holds."""
    return any(_holds(key, note.text, one) for one in note.signatures)


def _holds(key: VerifierKey, text: str, signature: Signature) -> bool:
    if signature.name != key.name or signature.blob[:4] != key.hash:
        return False
    message, made = text.encode(), signature.blob[4:]
    if key.kind == WITNESS:
        message, made = _cosigned(int.from_bytes(made[:8], "big"), text), made[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(made, message)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True)
class SigningKey:
    """A private key and the name it signs under."""

    name: str
    kind: str
    _private: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        """Return the public half."""
        return VerifierKey(self.name, self.kind, self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str, *, at: datetime | None = None) -> Signature:
        """Return a signature over a note's text; a witness signs with the time it saw it at."""
        if self.kind == LOG:
            return Signature(self.name, self.verifier.hash + self._private.sign(text.encode()))
        if at is None:
            raise Misconfigured("a witness signs with a time")
        seconds = int(at.timestamp())
        return Signature(self.name, self.verifier.hash + seconds.to_bytes(8, "big") + self._private.sign(_cosigned(seconds, text)))


def make_key(path: Path, name: str, kind: str) -> SigningKey:
    """Make a key and keep it in a new file that only its owner can read.

    Raises:
        Invalid: the name has spaces or a plus sign.
        Misconfigured: the file exists.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} cannot name a key", hint="leave out spaces and plus signs")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    head = f"polyceph {kind} {name}\n".encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Misconfigured(f"{path} exists", hint="a key is never written over: name another file") from error
    with os.fdopen(handle, "wb") as file:
        file.write(head + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    return SigningKey(name, kind, private)


def read_key(path: Path) -> SigningKey:
    """Return the key of a file.

    Raises:
        NotFound: there is no such file.
        Misconfigured: others may read it, or it holds no key.
    """
    if not path.exists():
        raise NotFound(f"there is no key in {path}")
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"others than its owner may read {path}", hint=f"chmod 600 {path}")
    head, _, pem = path.read_bytes().partition(b"\n")
    words = head.decode(errors="replace").split(" ")
    try:
        private = load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise Misconfigured(f"{path} holds no key", hint="restore it from a backup") from error
    if not isinstance(private, Ed25519PrivateKey) or len(words) != 3 or words[1] not in (LOG, WITNESS):
        raise Misconfigured(f"{path} holds no key of a journal or witness", hint="make one with polyceph journal witness")
    return SigningKey(words[2], words[1], private)


def _cosigned(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()

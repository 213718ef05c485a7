"""Builds bundles and folders kept outside, straight from docs/reference/journal-format.md: neither the product nor the verifier helps."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "journal.example/wallonia"
Check = Callable[..., dict[str, Any]]
FILE = Path(__file__).parents[3] / "verifier" / "polyceph_verify.py"


def load_verifier() -> ModuleType:
    """Import the stand-alone file by its path, as anybody may."""
    spec = importlib.util.spec_from_file_location("polyceph_verify", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def canonical(value: Any) -> str:
    """Write JSON canonically, as far as these tests need it: ASCII keys, strings, whole numbers."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


# RFC 6962, section 2.1, word by word and as slow as it is there


def split(size: int) -> int:
    """Return the largest power of two below `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def root(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return sha256(b"\x01" + root(hashes[:k]) + root(hashes[k:]))


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), root(hashes[k:])]
    return [*path(m - k, hashes[k:]), root(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], *, known: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if known else [root(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], known=known), root(hashes[k:])]
    return [*subproof(m - k, hashes[k:], known=False), root(hashes[:k])]


# C2SP


@dataclass(frozen=True)
class Signer:
    """A key pair with its name; type 1 signs for a journal, type 4 is a witness."""

    name: str = ORIGIN
    kind: int = 1
    seed: int = 1

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(f"{self.name} {self.seed}".encode()))

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def key_hash(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]

    @property
    def verifier_key(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{encode(bytes([self.kind]) + self.public)}"

    def line(self, text: str, seconds: int = 1_767_225_600) -> str:
        """Return the signature line under `text`; a witness says when it saw it."""
        if self.kind == 1:
            signature = self.private.sign(text.encode())
        else:
            message = f"cosignature/v1\ntime {seconds}\n{text}"
            signature = seconds.to_bytes(8, "big") + self.private.sign(message.encode())
        return f"— {self.name} {encode(self.key_hash + signature)}\n"

    def note(self, text: str, *others: Signer) -> str:
        return text + "\n" + self.line(text) + "".join([other.line(text) for other in others])


OLD, NEW = Signer(), Signer(seed=2)
WITNESSES = (Signer("witness.example/court", 4), Signer("witness.example/university", 4))


def head_text(hashes: Sequence[bytes], origin: str = ORIGIN) -> str:
    return f"{origin}\n{len(hashes)}\n{encode(root(hashes))}\ntime 2026-01-01T00:{len(hashes) % 60:02}:00Z\n"


def leaf(number: int, *, origin: str = ORIGIN, **event: object) -> bytes:
    """Return the leaf of an event; numbers have gaps."""
    event = {"action": "grant.approved", "actor": {"id": "Hélène", "kind": "person"}, "purpose": f"purpose {number}"} | event
    at = f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}.{number:06}Z"
    return canonical({"at": at, "event": event, "log": origin, "seq": 10 + 3 * number}).encode()


def seal(lines: Iterable[bytes]) -> bytes:
    """Put lines into one file that ends with the sha256 of them."""
    body = b"".join([line + b"\n" for line in lines])
    return body + b'{"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


@dataclass(frozen=True)
class Journal:
    """A journal and its heads, from which bundles are written."""

    leaves: tuple[bytes, ...]
    sizes: tuple[int, ...]
    origin: str = ORIGIN
    signer: Signer = OLD
    rotations: tuple[tuple[int, Signer], ...] = ()
    witnesses: Mapping[int, tuple[Signer, ...]] = field(default_factory=dict)
    archived: int = 0

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(one) for one in self.leaves]

    def signer_at(self, size: int) -> Signer:
        return [self.signer, *(new for above, new in self.rotations if above < size)][-1]

    def head(self, size: int) -> str:
        return self.signer_at(size).note(head_text(self.hashes[:size], self.origin), *self.witnesses.get(size, ()))

    def headings(self, kind: str) -> list[bytes]:
        lines = [{"format": "polyceph-journal-bundle/v1", "kind": kind, "origin": self.origin, "size": self.sizes[-1]}]
        lines.append({"key": self.signer.verifier_key})
        old = self.signer
        for size, new in self.rotations:
            text = f"polyceph/key-rotation/v1\n{self.origin}\n{size}\n{old.verifier_key}\n{new.verifier_key}\n"
            lines.append({"rotation": old.note(text)})
            old = new
        lines += [{"head": self.head(size)} for size in self.sizes]
        return [canonical(line).encode() for line in lines]

    def event_line(self, index: int) -> bytes:
        stated = leaf_hash(self.leaves[index]).hex().encode()
        return stated if index < self.archived else stated + b" " + self.leaves[index]

    def log(self) -> list[bytes]:
        """Return the lines of a bundle of kind `log`, but for the last."""
        return self.headings("log") + [self.event_line(index) for index in range(self.sizes[-1])]

    def proofs(self, *chosen: int) -> list[bytes]:
        """Return the lines of a bundle of kind `proofs`, but for the last."""
        size = self.sizes[-1]
        hashes = self.hashes[:size]
        lines = self.headings("proofs")
        for index in chosen:
            proof = encode(b"".join(path(index, hashes))) or "-"
            lines.append(f"{index} {hashes[index].hex()} {proof} ".encode() + self.leaves[index])
        for earlier in self.sizes[:-1]:
            proof = [encode(node) for node in subproof(earlier, hashes, known=True)] if earlier else []
            lines.append(canonical({"consistency": {"from": earlier, "proof": proof, "to": size}}).encode())
        return lines

    def keep(self, folder: Path, *sizes: int, leaves: int | None = None) -> Path:
        """Write a folder as it is kept outside: first key, witnesses, the heads of these sizes, so many hashes."""
        (folder / "heads").mkdir(parents=True, exist_ok=True)
        (folder / "key").write_text(self.signer.verifier_key + "\n", encoding="utf-8")
        (folder / "witnesses").write_text("".join([one.verifier_key + "\n" for one in WITNESSES]), encoding="utf-8")
        for size in sizes:
            (folder / "heads" / str(size)).write_text(self.head(size), encoding="utf-8")
        if leaves is not None:
            (folder / "leaves").write_bytes(b"".join(self.hashes[:leaves]))
        return folder

    def but(self, **changes: Any) -> Journal:
        return replace(self, **changes)


def journal(size: int = 20, **changes: Any) -> Journal:
    """Return a journal of `size` events with heads at 5, 10 and its end."""
    sizes = tuple(sorted({one for one in (5, 10, size) if one <= size}))
    return Journal(**({"leaves": tuple(leaf(number) for number in range(size)), "sizes": sizes} | changes))

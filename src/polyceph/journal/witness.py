"""A witness: signs a head only when it continues the last one it signed. Works on a folder kept outside, without the platform."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from polyceph.core.model.head import Note, parse_head, parse_note
from polyceph.core.model.tree import HASH_BYTES, GrowingTree
from polyceph.errors import Conflict, NotFound
from polyceph.journal.chain import trusted_chain
from polyceph.journal.keys import SigningKey
from polyceph.journal.places import COSIGNATURES, read_trusted


def cosign(folder: Path, key: SigningKey, memory: Path, *, now: datetime) -> int:
    """Sign the newest head of a folder, leave the signature there, remember it, and return the size of the head.

    Args:
        folder: what is kept outside, see `places`.
        key: the witness's.
        memory: the witness's own file with the last head it signed; it must be out of reach of who keeps the journal.
        now: aware UTC time.

    Raises:
        NotFound: the folder has no head yet.
        Invalid: the head is not signed by the journal's key.
        Conflict: the head does not continue the last one that was signed, or its hashes do not give its root.
    """
    kept = read_trusted(folder)
    if not kept.heads:
        raise NotFound(f"{folder} keeps no head yet", hint="wait for the first one")
    note, head = parse_note(kept.heads[-1]), trusted_chain(kept).head(kept.heads[-1])
    seen = parse_head(parse_note(memory.read_text(encoding="utf-8")).text) if memory.exists() else None
    if seen is not None and (seen.origin, seen.size <= head.size) != (head.origin, True):
        raise Conflict(f"the journal was cut: this witness signed {seen.size} events of {seen.origin}, now there are {head.size}")
    tree = GrowingTree()
    hashes = [kept.leaves[at : at + HASH_BYTES] for at in range(0, head.size * HASH_BYTES, HASH_BYTES)]
    tree.extend(hashes[: seen.size if seen else 0])
    if seen is not None and tree.root() != seen.root:
        raise Conflict(f"the journal was altered: its first {seen.size} events are not those this witness signed")
    tree.extend(hashes[seen.size if seen else 0 :])
    if tree.root() != head.root:
        raise Conflict(f"the hashes in {folder} do not give the root of the head of {head.size} events")
    signed = Note(note.text, (*note.signatures, key.sign(note.text, at=now)))
    place = folder / COSIGNATURES / str(head.size)
    place.mkdir(parents=True, exist_ok=True)
    (place / key.name.replace("/", "_")).write_text(str(signed), encoding="utf-8")
    memory.write_text(str(signed), encoding="utf-8")
    return head.size

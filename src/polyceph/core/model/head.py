"""Tree heads and signed notes: what is signed about the journal, as text that a person can mail and a machine can check.

Forms of C2SP: signed-note, tlog-checkpoint, tlog-cosignature. Signing and checking signatures is `journal.keys`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from polyceph.errors import Invalid

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HEAD = re.compile(r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9]\d*)\n(?P<root>[A-Za-z0-9+/]{43}=)\ntime (?P<at>\S+)\n")
_ROTATION = "polyceph/key-rotation/v1"
_SIGNATURE = "— "


@dataclass(frozen=True)
class TreeHead:
    """The root over the first `size` leaves of the journal with this origin, as it was at a time (UTC, whole seconds)."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def text(self) -> str:
        """Return what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\ntime {self.at.astimezone(UTC).strftime(_TIME)}\n"


@dataclass(frozen=True)
class Signature:
    """One signature line of a note: the signer's name, and what follows: 4 bytes of key hash and the signature."""

    name: str
    blob: bytes

    def line(self) -> str:
        """Return the line with its newline."""
        return f"{_SIGNATURE}{self.name} {base64.b64encode(self.blob).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A text, ending with a newline, and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(one.line() for one in self.signatures)


def parse_note(text: str) -> Note:
    """Return the note that a text is.

    Raises:
        Invalid: it is no signed note.
    """
    body, separator, rest = text.rpartition("\n\n")
    lines = rest.splitlines(keepends=True)
    if not separator or not lines or not all(line.startswith(_SIGNATURE) and line.endswith("\n") for line in lines):
        raise Invalid("this is not a signed note", hint="it has a text, an empty line and lines that begin with '— '")
    return Note(body + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, _, word = line.removeprefix(_SIGNATURE).rstrip("\n").partition(" ")
    try:
        blob = base64.b64decode(word, validate=True)
    except binascii.Error as error:
        raise Invalid(f"the signature of {name} is not base64") from error
    return Signature(name, blob)


def parse_head(text: str) -> TreeHead:
    """Return the head that a note's text says.

    Raises:
        Invalid: it is no head.
    """
    found = _HEAD.fullmatch(text)
    if found is None:
        raise Invalid("this note is not a head of a journal", hint="it has origin, size, root and time, one a line")
    at = datetime.strptime(found["at"], _TIME).replace(tzinfo=UTC)
    return TreeHead(found["origin"], int(found["size"]), base64.b64decode(found["root"]), at)


def rotation_text(origin: str, size: int, old: str, new: str) -> str:
    """Return what the old key signs to introduce the new one, from which on heads of more than `size` leaves are its."""
    return f"{_ROTATION}\n{origin}\n{size}\n{old}\n{new}\n"


def parse_rotation(text: str) -> tuple[str, int, str, str]:
    """Return origin, size, old and new key of a rotation's text.

    Raises:
        Invalid: it is no rotation.
    """
    parts = text.split("\n")
    if len(parts) != 6 or parts[0] != _ROTATION or not parts[2].isdigit() or parts[5]:
        raise Invalid("this note does not introduce a key", hint="it has a title, origin, size, old and new key, one a line")
    return parts[1], int(parts[2]), parts[3], parts[4]

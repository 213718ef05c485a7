"""Reads declaration files: bytes to text to YAML documents, with a clear refusal of what is no UTF-8 text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from polyceph.core.policies.secrets import holds_no_secret
from polyceph.declarations.findings import Findings
from polyceph.declarations.positions import Document, documents
from polyceph.errors import Problem

MAX_BYTES = 5_000_000
"""A declaration is written by people; a larger file is data in the wrong place."""

NOT_SHOWN = "(not shown)"
_UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class RawFile:
    """The bytes of one declaration; `file` is relative to the federation folder, `digest` is SHA-256, hexadecimal."""

    file: str
    data: bytes
    digest: str


def read_bytes(folder: Path, file: str, *, findings: Findings) -> RawFile | None:
    """Return a file's bytes and digest; None with a finding when it cannot be read or is too large."""
    try:
        with (folder / file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        findings.add(Problem(f"cannot be read: {error.strerror}", file, 1, 1))
        return None
    if len(data) > MAX_BYTES:
        findings.add(Problem(f"the file is larger than {MAX_BYTES // 1_000_000} MB", file, 1, 1, hint="declarations hold no data"))
        return None
    return RawFile(file, data, hashlib.sha256(data).hexdigest())


def parse(raw: RawFile, findings: Findings) -> list[Document]:
    """Return all YAML documents of a file; what is wrong goes to the findings."""
    text = _text(raw, findings)
    if text is None:
        return []
    found, problems = documents(raw.file, text)
    for document in found:  # before all else: a message about the same value would repeat the secret
        for key, value, place in document.scalars():
            findings.refuse(holds_no_secret(key, value), place, value=NOT_SHOWN)
    for problem in problems:
        findings.add(problem)
    return [document for document in found if document.value is not None]


def parse_one(raw: RawFile, findings: Findings) -> Document | None:
    """Return the one document of a file, which must be a mapping; None with a finding otherwise."""
    before = len(findings.problems)
    found = parse(raw, findings)
    if len(findings.problems) > before and not found:
        return None
    if not found:
        findings.add(Problem("the file is empty", raw.file, 1, 1))
        return None
    if len(found) > 1:
        place = found[1].place()
        findings.add(Problem("the file holds several documents (---) and must hold one", raw.file, place.line, place.column))
        return None
    if not isinstance(found[0].value, dict):
        findings.add(Problem("the file must hold keys and values (key: value)", raw.file, *_start(found[0])))
        return None
    return found[0]


def _start(document: Document) -> tuple[int, int]:
    place = document.place()
    return place.line, place.column


def _text(raw: RawFile, findings: Findings) -> str | None:
    if raw.data.startswith(_WIDE_BOMS):
        findings.add(Problem("the file is UTF-16, not UTF-8", raw.file, 1, 1, hint="save it as UTF-8 in your editor"))
        return None
    if raw.data.startswith(_UTF8_BOM):
        message = "the file starts with a byte-order mark (BOM)"
        findings.add(Problem(message, raw.file, 1, 1, hint="save it as UTF-8 without BOM in your editor"))
        return raw.data[len(_UTF8_BOM) :].decode("utf-8", errors="replace")
    try:
        text = raw.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _position(raw.data[: error.start].decode("utf-8", errors="replace"))
        message = f"the file is not UTF-8: byte 0x{raw.data[error.start]:02x}"
        findings.add(Problem(message, raw.file, line, column, hint="it looks like Windows-1252; save it as UTF-8 in your editor"))
        return None
    control = _CONTROL.search(text)
    if control:
        line, column = _position(text[: control.start()])
        message = f"the file holds the control character 0x{ord(control.group()):02x}"
        findings.add(Problem(message, raw.file, line, column, hint="remove it; declarations are plain text"))
        return None
    return text


def _position(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1

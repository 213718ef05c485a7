"""The character encoding of a text file: declared, proven (BOM, valid UTF-8) or the one Western code page that makes sense."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from pathlib import Path

from charset_normalizer import from_bytes

from polyceph.connectors.tabular.findings import Findings
from polyceph.sdk import Invalid, Problem

_BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = ("cp1252", "mac_roman", "cp850")
_LETTERS = "àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßÀÂÄÁÅÆÇÉÈÊËÍÎÏÑÓÔÖØŒÚÙÛÜŸ"
_SIGNS = "€«»’‘“”„–—…°²³§·×±µ£¼½¾´¨ªº©®¡¿•\u00a0\u202f"
_SAMPLE = 200_000


def find_encoding(path: Path, declared: str | None, findings: Findings) -> str:
    """Return the codec's name; a byte-order mark is never part of the text.

    Raises:
        Invalid: the declared encoding does not fit, or the bytes fit no encoding for certain; the choices are listed.
    """
    with path.open("rb") as file:
        start = file.read(4)
    mark = next((codec for signature, codec in _MARKS if start.startswith(signature)), None)
    if declared is not None:
        return _declared(path, declared, mark, findings)
    if mark is not None:
        findings.note("encoding", "the file begins with a byte-order mark", "utf-8" if mark == "utf-8-sig" else mark)
        _decode(path, mark, findings)
        return mark
    seen, error = _scan(path)
    if not error:
        if seen:
            findings.note("encoding", "every byte is valid UTF-8", "utf-8")
        return "utf-8"
    return _western(path, findings)


def _declared(path: Path, declared: str, mark: str | None, findings: Findings) -> str:
    try:
        name = codecs.lookup(declared).name
    except LookupError as error:
        raise Invalid(f"encoding {declared!r} is unknown", hint="for example utf-8, windows-1252, iso-8859-15, cp850") from error
    name = mark if mark and name in ("utf-8", "utf-16", "utf-32") and mark.startswith(name) else name
    _decode(path, name, findings)
    return name


def _decode(path: Path, codec: str, findings: Findings) -> None:
    line = 1
    try:
        with path.open(encoding=codec, newline="\n") as file:
            for line, _ in enumerate(file, 2):  # noqa: B007 - the number is needed when the next line fails
                pass
    except UnicodeError as error:
        problem = Problem(f"the text is not {codec}: {error.reason if isinstance(error, UnicodeDecodeError) else error}", line=line)
        raise Invalid(f"{findings.file} is not text in {codec}", problems=[problem], hint="declare another encoding") from error


def _scan(path: Path) -> tuple[Counter[int], bool]:
    """Count the bytes above ASCII and tell whether the file is not UTF-8; refuse what is no text at all."""
    decoder, seen, failed = codecs.getincrementaldecoder("utf-8")(), Counter[int](), False
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if b"\x00" in block:
                raise Invalid("the file holds zero bytes: it is no text file", hint="check the format, or declare encoding: utf-16")
            if not block.isascii():
                seen.update(byte for byte in block if byte > 127) if len(seen) < 1 or failed else None
            if not failed:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    failed = True
                    seen.update(byte for byte in block if byte > 127)
    if not failed:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            failed = True
    return seen, failed


def _western(path: Path, findings: Findings) -> str:
    with path.open("rb") as file:
        text = b"".join(line for line in file if not line.isascii())[:_SAMPLE]
    scores = {codec: _plausibility(text, codec) for codec in _WESTERN}
    good = [codec for codec, score in scores.items() if score >= 0.95]
    if len(good) == 1:
        findings.note("encoding", "the bytes make sense as Western European text in this encoding only", _shown(good[0]))
        return good[0]
    guesses = [guess.encoding for guess in from_bytes(text)][:5]
    choices = tuple(dict.fromkeys([_shown(c) for c in good] + guesses + [_shown(c) for c in _WESTERN]))
    problem = Problem("the bytes are not UTF-8 and fit no other encoding for certain", allowed=tuple(f"encoding: {c}" for c in choices))
    raise Invalid(f"the encoding of {findings.file} is uncertain", problems=[problem], hint="declare the encoding")


def _plausibility(raw: bytes, codec: str) -> float:
    """Return the share of characters above ASCII that are plausible where they stand: letters in words, signs outside."""
    text = raw.decode(codec, errors="replace")
    total = sum(ord(c) > 127 for c in text)
    lone = len(re.findall(f"(?:(?<=[A-Za-z])|(?<![{_LETTERS}]))[{_LETTERS}](?![{_LETTERS}]{{2}})", text))
    case = len(re.findall(f"(?<=[a-z])[{_LETTERS[_LETTERS.index('À') :]}](?=[a-z])", text))
    signs = sum(c in _SIGNS for c in text)
    return (lone - case + signs) / total if total else 1.0


def _shown(codec: str) -> str:
    return {"cp1252": "windows-1252", "mac_roman": "macintosh"}.get(codec, codec)

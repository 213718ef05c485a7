"""A macro project that does nothing worth fearing, in the form Excel keeps it: `vbaProject.bin` ([MS-OVBA])."""

from __future__ import annotations

import struct

from polyceph.testing.federation.compound_files import compound_file

_ID = "{7D1B6A52-3C0E-4F57-9A41-2B8E5C6D9F10}"
_CODE_PAGE = "cp1252"
_WORKBOOK, _SHEET = "{00020819-0000-0000-C000-000000000046}", "{00020820-0000-0000-C000-000000000046}"
_HOST = "&H00000001={3832D640-CF90-11CF-8E43-00A0C911005A};VBE;&H00000000"
_MACRO = """\
Attribute VB_Name = "Module1"
Option Explicit

' Trie les lignes selon la premiere colonne.
Public Sub TrierLesLignes()
    ActiveSheet.UsedRange.Sort Key1:=ActiveSheet.Range("A1"), Header:=xlYes
End Sub
"""


def macro_project(sheets: int) -> bytes:
    """Return the macro project of a workbook with so many sheets: one macro that sorts lines, which nothing calls.

    Its modules are `ThisWorkbook`, `Sheet1`… (empty) and `Module1` (the macro), the names that a workbook's sheets must carry too.
    """
    documents = {"ThisWorkbook": _WORKBOOK} | {f"Sheet{number}": _SHEET for number in range(1, sheets + 1)}
    sources = {name: _document_module(name, kind) for name, kind in documents.items()} | {"Module1": _MACRO}
    streams = {name: compressed(text.replace("\n", "\r\n").encode(_CODE_PAGE)) for name, text in sources.items()}
    version = struct.pack("<HHBH", 0x61CC, 0xFFFF, 0, 0)  # no cache of compiled code: Excel compiles it anew
    storage = {"_VBA_PROJECT": version, "dir": compressed(_directory(list(documents), ["Module1"])), **streams}
    return compound_file({"VBA": storage, "PROJECT": _project(list(documents)), "PROJECTwm": _names([*sources])})


def compressed(content: bytes) -> bytes:
    """Return bytes in the compressed container of [MS-OVBA] 2.4.1: one chunk of literals, which needs no search for repetitions.

    Raises:
        ValueError: the content does not fit into one chunk.
    """
    chunk = b"".join(b"\x00" + content[at : at + 8] for at in range(0, len(content), 8))
    if len(chunk) > 4096:
        raise ValueError(f"{len(content)} bytes are more than one chunk of literals holds")
    return b"\x01" + struct.pack("<H", 0xB000 | len(chunk) - 1) + chunk


def encrypted(data: bytes, seed: int) -> str:
    """Return what a project says of its protection, as [MS-OVBA] 2.4.3 hides it."""
    key = sum(_ID.encode()) & 0xFF
    made = bytearray((seed, seed ^ 2, seed ^ key))
    plain, last, before = key, made[2], made[1]
    for byte in bytes((seed & 6) // 2) + struct.pack("<I", len(data)) + data:
        before, last = last, byte ^ (before + plain) & 0xFF
        plain = byte
        made.append(last)
    return made.hex().upper()


def _document_module(name: str, kind: str) -> str:
    flags = {"GlobalNameSpace": False, "Creatable": False, "PredeclaredId": True, "Exposed": True, "TemplateDerived": False}
    lines = [f'Attribute VB_Name = "{name}"', f'Attribute VB_Base = "0{kind}"']
    return "\n".join([*lines, *(f"Attribute VB_{flag} = {value}" for flag, value in flags.items()), ""])


def _project(documents: list[str]) -> bytes:
    """Return the PROJECT stream: an unprotected, visible project ([MS-OVBA] 2.3.1)."""
    unprotected, no_password, visible = encrypted(bytes(4), 0x0D), encrypted(b"\x00", 0x1B), encrypted(b"\xff", 0x29)
    modules = [*(f"Document={name}/&H00000000" for name in documents), "Module=Module1"]
    said = ['Name="VBAProject"', 'HelpContextID="0"', 'VersionCompatible32="393222000"']
    hidden = [f'CMG="{unprotected}"', f'DPB="{no_password}"', f'GC="{visible}"']
    lines = [f'ID="{_ID}"', *modules, *said, *hidden, "", "[Host Extender Info]", _HOST, "", "[Workspace]"]
    windows = [f"{name}=0, 0, 0, 0, C" for name in [*documents, "Module1"]]
    return "".join(f"{line}\r\n" for line in [*lines, *windows]).encode(_CODE_PAGE)


def _names(modules: list[str]) -> bytes:
    """Return the PROJECTwm stream: each module's name in both encodings."""
    return b"".join(name.encode(_CODE_PAGE) + b"\0" + name.encode("utf-16-le") + b"\0\0" for name in modules) + b"\0\0"


def _directory(documents: list[str], procedures: list[str]) -> bytes:
    """Return the dir stream: project, then modules ([MS-OVBA] 2.3.4.2)."""
    parts = [
        *(_record(0x01, struct.pack("<I", 1)), _record(0x02, struct.pack("<I", 0x409)), _record(0x14, struct.pack("<I", 0x409))),
        *(_record(0x03, struct.pack("<H", 1252)), _record(0x04, b"VBAProject"), _record(0x05, b""), _record(0x40, b"")),
        *(_record(0x06, b""), _record(0x3D, b""), _record(0x07, bytes(4)), _record(0x08, bytes(4))),
        struct.pack("<HIIH", 0x09, 4, 1, 1),
        *(_record(0x0C, b""), _record(0x3C, b"")),
        *(_record(0x0F, struct.pack("<H", len(documents) + len(procedures))), _record(0x13, b"\xff\xff")),
        *(_module(name, 0x22) for name in documents),
        *(_module(name, 0x21) for name in procedures),
        _record(0x10, b""),
    ]
    return b"".join(parts)


def _module(name: str, kind: int) -> bytes:
    narrow, wide = name.encode(_CODE_PAGE), name.encode("utf-16-le")
    names = _record(0x19, narrow) + _record(0x47, wide) + _record(0x1A, narrow) + _record(0x32, wide)
    rest = _record(0x1C, b"") + _record(0x48, b"") + _record(0x31, bytes(4)) + _record(0x1E, bytes(4)) + _record(0x2C, b"\xff\xff")
    return names + rest + _record(kind, b"") + _record(0x2B, b"")


def _record(kind: int, value: bytes) -> bytes:
    return struct.pack("<HI", kind, len(value)) + value

"""Compound files: several streams in one file, as Office of 1997 keeps them ([MS-CFB] 3.0). Only what a macro project needs.

Every stream here is short (below 4096 bytes), so all of them live in the mini stream.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

_SECTOR, _MINI = 512, 64
_CUTOFF = 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_BLACK = 1

Content = Mapping[str, "bytes | Content"]
"""Names with a stream's bytes or, for a folder, its content."""


@dataclass
class _Entry:
    name: str
    kind: int
    left: int = _NONE
    right: int = _NONE
    child: int = _NONE
    start: int = 0
    size: int = 0


@dataclass
class _Parts:
    entries: list[_Entry] = field(default_factory=lambda: [_Entry("Root Entry", _ROOT, start=_END)])
    mini: bytearray = field(default_factory=bytearray)
    mini_fat: list[int] = field(default_factory=list)


def compound_file(content: Content) -> bytes:
    """Return a compound file with this content.

    Raises:
        ValueError: a stream is too long for the mini stream, or there is more than one sector of the allocation table can tell.
    """
    parts = _Parts()
    parts.entries[0].child = _add(parts, content)
    parts.entries[0].size = len(parts.mini)
    directory = _padded(b"".join(_directory(entry) for entry in _whole(parts.entries)), _SECTOR)
    mini_fat = _padded(struct.pack(f"<{len(parts.mini_fat)}I", *parts.mini_fat), _SECTOR, b"\xff")
    chains = [len(part) // _SECTOR for part in (directory, mini_fat, _padded(bytes(parts.mini), _SECTOR))]
    fat, starts = _allocation(chains)
    # The root's stream is the mini stream; its entry must say where it begins.
    parts.entries[0].start = starts[2]
    directory = _padded(b"".join(_directory(entry) for entry in _whole(parts.entries)), _SECTOR)
    return _header(starts, chains[1]) + fat + directory + mini_fat + _padded(bytes(parts.mini), _SECTOR)


def _add(parts: _Parts, content: Content) -> int:
    """Add the entries of one folder and return the top of their tree: balanced, all black, in the order that the format demands."""
    first = len(parts.entries)
    ordered = sorted(content, key=lambda name: (len(name), name.upper()))
    for name in ordered:
        value = content[name]
        parts.entries.append(_stream(parts, name, value) if isinstance(value, bytes) else _Entry(name, _STORAGE))
    for at, name in enumerate(ordered, first):
        value = content[name]
        if not isinstance(value, bytes):
            parts.entries[at].child = _add(parts, value)
    return _tree(parts.entries, first, first + len(ordered))


def _tree(entries: list[_Entry], begin: int, end: int) -> int:
    if begin == end:
        return _NONE
    middle = (begin + end) // 2
    entries[middle].left = _tree(entries, begin, middle)
    entries[middle].right = _tree(entries, middle + 1, end)
    return middle


def _stream(parts: _Parts, name: str, value: bytes) -> _Entry:
    if len(value) >= _CUTOFF:
        raise ValueError(f"{name} has {len(value)} bytes; streams of {_CUTOFF} or more are not written here")
    if not value:
        return _Entry(name, _STREAM, start=_END)
    start = len(parts.mini_fat)
    parts.mini += _padded(value, _MINI)
    end = len(parts.mini) // _MINI
    parts.mini_fat += [*range(start + 1, end), _END]
    return _Entry(name, _STREAM, start=start, size=len(value))


def _whole(entries: list[_Entry]) -> list[_Entry]:
    """Fill the last sector of the directory with unused entries."""
    return entries + [_Entry("", 0)] * (-len(entries) % 4)


def _directory(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    length = len(name) + 2 if name else 0
    tree = (_BLACK if name else 0, entry.left, entry.right, entry.child)
    return struct.pack("<64sHBBIII16sI8s8sIQ", name, length, entry.kind, *tree, bytes(16), 0, bytes(8), bytes(8), entry.start, entry.size)


def _allocation(chains: list[int]) -> tuple[bytes, list[int]]:
    """Return the one sector of the allocation table and where each chain begins; sector 0 is the table itself."""
    table, starts = [_FAT], []
    for length in chains:
        starts.append(len(table) if length else _END)
        table += [len(table) + at for at in range(1, length)] + ([_END] if length else [])
    if len(table) > _SECTOR // 4:
        raise ValueError("the content is too large for one sector of the allocation table")
    return struct.pack("<128I", *table, *[_FREE] * (_SECTOR // 4 - len(table))), starts


def _header(starts: list[int], mini_sectors: int) -> bytes:
    begin = struct.pack("<8s16sHHHHH6s", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6))
    counts = struct.pack("<9I", 0, 1, starts[0], 0, _CUTOFF, starts[1], mini_sectors, _END, 0)
    return begin + counts + struct.pack("<109I", 0, *[_FREE] * 108)


def _padded(value: bytes, unit: int, filler: bytes = b"\x00") -> bytes:
    return value + filler * (-len(value) % unit)

"""Ways in which a file goes wrong: on the wire, on a disk, in an editor, by intent. Each is decided by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]


def _span(chance: random.Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.randint(1, longest))


def flip_bits(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwrite(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def delete(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + data[end:]


def insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randint(1, 64)) + data[at:]


def truncate(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def repeat(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data, 512)
    return data[:end] + data[start:end] * chance.choice((1, 1, 50)) + data[end:]


def swap(chance: random.Random, data: bytes) -> bytes:
    first, second = sorted(chance.sample(range(len(data)), 2))
    size = min(chance.randint(1, 200), second - first)
    return data[:first] + data[second : second + size] + data[first + size : second] + data[first : first + size] + data[second + size :]


def zeroes(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data, 512)
    return data[:start] + bytes(end - start) + data[end:]


def garbage_behind(chance: random.Random, data: bytes) -> bytes:
    return data + chance.randbytes(chance.choice((1, 100, 5000)))


def nothing_at_all(chance: random.Random, data: bytes) -> bytes:
    return chance.choice((b"", b"\n", b"\x00", data[:1], b"\xef\xbb\xbf"))


EVERYWHERE: tuple[Mutation, ...] = (
    flip_bits, overwrite, delete, insert, truncate, repeat, swap, zeroes, garbage_behind, nothing_at_all,
)  # fmt: skip


def line_ends(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\r\r\n")))


def one_line_end(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    ended = lines[at] + chance.choice((b"\r", b"\x0b", b"\x85", "\u2028".encode()))
    return b"\n".join([*lines[:at], ended, *lines[at + 1 :]])


def encoding(chance: random.Random, data: bytes) -> bytes:
    text = data.decode()
    return text.encode(chance.choice(("utf-16", "utf-16-be", "utf-8-sig", "utf-32", "cp1252", "cp437", "cp1250")), "replace")


def bad_encoding_in_one_place(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice((b"\xe9", b"\xff", b"\xc3", b"\xed\xa0\x80")) + data[at:]


def sign(chance: random.Random, data: bytes) -> bytes:
    """Put a sign that means something where it does not belong."""
    at = chance.randrange(len(data))
    return data[:at] + chance.choice((b'"', b"'", b",", b";", b"\t", b"\n", b"\x00", b"<", b"&", b"{", b"}", b"\\", b"\x1a")) + data[at:]


def line_lost(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join(lines[:at] + lines[at + 1 :])


def line_twice(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join(lines[: at + 1] + lines[at:])


def long_value(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice((b"9", b"a", b" ", b"-", b"[", b"<a>")) * chance.choice((400, 70_000, 2_000_000)) + data[at:]


def odd_value(chance: random.Random, data: bytes) -> bytes:
    """Put a value that readers like to misunderstand in place of one that is there."""
    odd = (b"1e400", b"NaN", b"-0", b"1,234.56", b"2026-02-30", b"30/02/2026", b"007", b"0x1F", b"=1+1", b"12e", b"\xe2\x88\x921", b"true")
    numbers = [at for at in range(len(data)) if data[at : at + 1].isdigit() and not data[at - 1 : at].isalnum()]
    if not numbers:
        return data
    at = chance.choice(numbers)
    end = next((i for i in range(at, len(data)) if not (data[i : i + 1].isdigit() or data[i : i + 1] in b".-")), len(data))
    return data[:at] + chance.choice(odd) + data[end:]


def header_changed(chance: random.Random, data: bytes) -> bytes:
    name = chance.choice((b"id", b"name", b"amount", b"day", b"proof"))
    return data.replace(name, chance.choice((b"", b"id", b"name", name.upper(), name + b"2", b" " + name)), chance.choice((1, 1, 100)))


IN_TEXTS: tuple[Mutation, ...] = (
    line_ends, one_line_end, encoding, bad_encoding_in_one_place, sign, line_lost, line_twice, long_value, odd_value, header_changed,
)  # fmt: skip

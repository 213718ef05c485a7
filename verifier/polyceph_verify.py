"""Check an exported bundle of a sealed journal, on a machine without polyceph and without a network.

Written from docs/reference/journal-format.md alone, without the product's code, so that neither vouches for the other's mistakes.
Read from the top: it is in the order of that page. What has not exactly the form said there raises ValueError, which is a refusal.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import sys
import time
from collections.abc import Iterator
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("the package `cryptography` is missing: install it (README.md says how, also without a network), then call again\n")
    raise SystemExit(2) from None

JOURNAL, WITNESS, LONGEST_LINE, LONGEST_HEADING, MOST_FAULTS = 1, 4, 1 << 24, 1 << 20, 5  # two types of signature, three limits
NUMBER, NAME, SECOND = "(0|[1-9][0-9]{0,15})", r"[^\s+\x00-\x1f\x7f-\x9f]+", "[0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}"
BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"  # in its one canonical form
LOGGED = re.compile(rb"()([0-9a-f]{64})()(?: (.+))?\n", re.DOTALL)
PROVED = re.compile(rf"{NUMBER} ([0-9a-f]{{64}}) (-|{BASE64}) (.+)\n".encode(), re.DOTALL)
VERDICTS = {0: "verified", 3: "consistent with itself, but nothing shows that this is the journal of YOUR federation: give --trust"}
Key = tuple[str, bytes, bytes]  # the name; the key hash; the type of its signatures and the public key
Note = tuple[str, list[str], list[tuple[str, bytes]]]  # the text; the fields found in it; signatures, not yet verified


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _proved(count: int, size: int, path: list[bytes], *, to_leaf: bool) -> tuple[bytes, bytes]:
    """Return the roots over the first `count` and over all `size` leaves that a proof leads to: RFC 6962, 2.1.1 and 2.1.2, backwards."""
    *path, node = path or [b""]  # what is missing or too much is empty all the way up, and no root is
    if size == 1 or (count == size and not to_leaf):
        return (node, node) if not path else (b"", b"")
    half = 1 << (size - 1).bit_length() - 1
    is_left = count <= half
    upto, whole = _proved(count if is_left else count - half, half if is_left else size - half, path, to_leaf=to_leaf)
    return (upto, whole and node_hash(whole, node)) if is_left else (upto and node_hash(node, upto), whole and node_hash(node, whole))


def inclusion_ok(index: int, size: int, leaf_hash: bytes, root: bytes, proof: list[bytes]) -> bool:
    """Tell whether the leaf is proved to be at `index`, from 0, of the tree of `size` leaves that has this root."""
    fits = 0 <= index < size and {len(one) for one in (leaf_hash, root, *proof)} == {32}
    return fits and _proved(index + 1, size, [leaf_hash, *proof], to_leaf=True)[1] == root


def consistency_ok(size1: int, root1: bytes, size2: int, root2: bytes, proof: list[bytes]) -> bool:
    """Tell whether the tree of `size2` leaves is proved to begin with the one of `size1`; no proof leads from an empty tree."""
    if not proof or not 0 < size1 < size2 or {len(one) for one in (root1, root2, *proof)} != {32}:
        return 0 < size1 == size2 and root1 == root2 and not proof
    return _proved(size1, size2, proof if size1 & (size1 - 1) else [root1, *proof], to_leaf=False) == (root1, root2)


def read_json(line: bytes, **keys: type) -> list[Any]:
    """Return the values of a line of canonical JSON (RFC 8785) with exactly these keys, of these types, in this order."""
    value: Any = json.loads(line.decode()) if len(line) <= LONGEST_HEADING else None
    types = [(name, type(one)) for name, one in value.items()] if isinstance(value, dict) else []
    if types != [*keys.items()] or f"{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n".encode() != line:
        raise ValueError(f"{line[:60]!r} is not a line of canonical JSON with {', '.join(keys)}")
    return [*value.values()]


def read_key(text: str, kind: int) -> Key:
    """Read a verifier key whose signatures are of this type."""
    found = re.fullmatch(rf"({NAME})\+([0-9a-f]{{8}})\+({BASE64})", text)
    raw = base64.b64decode(found[3]) if found else b""
    if not found or len(raw) != 33 or raw[0] != kind or hashlib.sha256(f"{found[1]}\n".encode() + raw).hexdigest()[:8] != found[2]:
        raise ValueError(f"{text[:200]!r} is not a verifier key of type {kind}")
    return found[1], bytes.fromhex(found[2]), raw


def read_note(note: str, text: str) -> Note:
    """Read a signed note whose text is of this pattern."""
    if not (found := re.fullmatch(rf"({text})\n((?:— {NAME} {BASE64}\n)+)", note)):
        raise ValueError(f"{note[:200]!r} is not the signed note that is due")
    *fields, signatures = found.groups()[1:]
    return found[1], fields, [(name, base64.b64decode(raw)) for name, raw in re.findall(r"— (\S+) (\S+)\n", signatures)]


def signed(note: Note, key: Key) -> bool | None:
    """Tell whether the note is signed by a key: None without a signature that names the key, False when one of those is wrong."""
    found = [raw[4:] for name, raw in note[2] if (name, raw[:4]) == key[:2]]
    for raw in found:
        prefix = f"cosignature/v1\ntime {int.from_bytes(raw[:8], 'big')}\n" if key[2][0] == WITNESS else ""
        try:
            Ed25519PublicKey.from_public_bytes(key[2][1:]).verify(raw[8:] if prefix else raw, (prefix + note[0]).encode())
        except InvalidSignature:
            return False
    return True if found else None


def lines_of(file: BinaryIO, digest: Any) -> Iterator[bytes]:
    """Yield line by line with its newline; one that is too long comes in pieces, which nobody takes for a line."""
    while line := file.readline(LONGEST_LINE):
        yield line
        digest.update(line)  # only now, for the last line states the hash of all before it


class Verification:
    """One bundle, what is kept outside of it, and what is found out; the methods are called in the order in which they stand."""

    def __init__(self) -> None:
        self.kind, self.origin, self.size, self.events, self.agreed, self.period = "", "", 0, 0, 0, ["", ""]
        self.keys, self.witnesses = list[tuple[int, Key]](), list[Key]()  # a key of the journal is in force above a size
        self.heads, self.outside, self.leaves = dict[int, Note](), dict[int, Note](), list[Path]()  # heads by size, smallest first
        self.roots, self.cosigned = {0: hashlib.sha256().digest()}, dict[int, list[str]]()  # by size: as the events have it; by whom
        self.faults, self.shown = list[str](), list[int]()  # what is wrong; indexes of events that show it

    def expect(self, is_so: object, otherwise: str, *index: int) -> None:
        """Note a fault, and the event that shows it, where something is not as it must be."""
        if not is_so:
            self.faults = [*self.faults, otherwise][:MOST_FAULTS]
            self.shown += index

    def add_head(self, heads: dict[int, Note], text: str, origin: str) -> None:
        """Read a head, which must be larger than those before it."""
        note = read_note(text, rf"{re.escape(origin)}\n{NUMBER}\n({BASE64})\ntime {SECOND}Z\n")
        if (size := int(note[1][0])) <= next(reversed(heads), -1):
            raise ValueError(f"the head of {size} events is not larger than the one before it")
        heads[size] = note

    def read_trust(self, folder: Path) -> None:
        """Read what is kept outside."""
        self.keys = [(-1, read_key((folder / "key").read_bytes().decode().removesuffix("\n"), JOURNAL))]
        self.witnesses = [read_key(text, WITNESS) for path in folder.glob("witnesses") for text in path.read_bytes().decode().splitlines()]
        for path in sorted((folder / "heads").glob("*"), key=lambda path: int(path.name)):
            self.add_head(self.outside, path.read_bytes().decode(), self.keys[0][1][0])
        self.leaves = [*folder.glob("leaves")]

    def read_headings(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Read all that stands before the events, and return the lines from there on."""
        form, kind, origin, self.size = read_json(next(lines, b""), format=str, kind=str, origin=str, size=int)
        if not re.fullmatch(rf"polyceph-journal-bundle/v1 (log|proofs) {NAME} {NUMBER}", f"{form} {kind} {origin} {self.size}"):
            raise ValueError("its first line is not that of a bundle")
        self.kind, self.origin, exact = kind, origin, re.escape(origin)
        quoted = re.escape(json.dumps(origin, ensure_ascii=False))
        self.leaf = re.compile(rf'\{{"at":"{SECOND}\.[0-9]{{6}}Z","event":\{{.*\}},"log":{quoted},"seq":{NUMBER}\}}')
        first = read_key(read_json(next(lines, b""), key=str)[0], JOURNAL)
        self.keys = self.keys or [(-1, first)]
        self.expect(origin == self.keys[0][1][0], f"the bundle is of {origin}, not of {self.keys[0][1][0]}", 0)
        self.expect(self.keys == [(-1, first)], "the first key of the bundle is not the trusted one")
        for line in lines:
            if line.startswith(b'{"rotation":') and not self.heads:
                note = read_note(read_json(line, rotation=str)[0], rf"polyceph/key-rotation/v1\n{exact}\n{NUMBER}\n(\S+)\n(\S+)\n")
                size, old, new = int(note[1][0]), read_key(note[1][1], JOURNAL), read_key(note[1][2], JOURNAL)
                leads = (old, new[0]) == (self.keys[-1][1], origin) and size >= self.keys[-1][0] and signed(note, old)
                self.expect(leads, f"the rotation at {size} events does not lead from the key in force to a new one")
                self.keys += [(size, new)] if leads else []
            elif line.startswith(b'{"head":'):
                self.add_head(self.heads, read_json(line, head=str)[0], origin)
            else:
                return chain([line], lines)
        return lines

    def problem(self, stated: bytes, leaf: bytes) -> str:
        """Say what is wrong with an event, if anything."""
        if hashlib.sha256(b"\x00" + leaf).digest() != stated:
            return "does not have the hash that stands before it"
        text = leaf.decode(errors="replace")
        self.period = [self.period[0] or text[7:34], text[7:34]]
        try:  # `"log":` can only be a key in JSON; where it stands once, it is the one at the end, and nothing need be parsed
            parsed = json.loads(text, object_pairs_hook=list) if self.kind == "proofs" or text.count('"log":') > 1 else None
        except (ValueError, RecursionError):
            parsed = []
        is_event = self.leaf.fullmatch(text) and text.encode() == leaf and (parsed is None or len(parsed) == 4)
        return "" if is_event else f"is not an event of {self.origin}"

    def read_events(self, lines: Iterator[bytes], kept: BinaryIO) -> Iterator[bytes]:
        """Read every event, reckon the roots of a log, and return the lines from there on."""
        before, tree, sizes = -1, list[bytes](), self.heads.keys() | self.outside.keys()
        last = base64.b64decode(self.heads[self.size][1][1]) if self.size in self.heads else b""
        for line in lines:
            if not (found := (LOGGED if self.kind == "log" else PROVED).fullmatch(line)):
                return chain([line], lines)
            index, stated, leaf = int(found[1] or self.events), bytes.fromhex(found[2].decode()), found[4]
            problem = self.problem(stated, leaf or b"") if leaf or self.period[0] else ""
            if self.kind == "proofs":
                kept.seek(32 * index)
                nodes = base64.b64decode(found[3].replace(b"-", b""))
                proof = [nodes[start : start + 32] for start in range(0, len(nodes), 32)]
                if index <= before or not inclusion_ok(index, self.size, stated, last, proof):
                    problem = problem or "is not proved to be where it says"
            else:
                node, position = stated, index
                while position & 1:  # the tree is kept as its perfect subtrees, the largest first
                    node, position = node_hash(tree.pop(), node), position >> 1
                tree.append(node)
                if index + 1 in sizes:
                    self.roots[index + 1] = reduce(lambda right, left: node_hash(left, right), reversed(tree))
            if (outside := kept.read(32)) != stated[: len(outside)]:
                problem = problem or "does not have the hash that is kept outside"
            self.agreed += outside == stated and self.agreed == index
            self.expect(not problem, f"event #{index} {problem}", index)
            self.events, before = self.events + 1, index
        return lines

    def read_consistency(self, lines: Iterator[bytes]) -> None:
        """Read the proofs that the tree of the last head begins with those of the others; take the roots that are proved."""
        *earlier, last = [base64.b64decode(note[1][1]) for note in self.heads.values()]
        for size, root in zip(self.heads, earlier, strict=False):
            proof = re.findall(rf'"({BASE64})"[,\]]', line := next(lines, b"").decode())
            if line != json.dumps({"consistency": {"from": size, "proof": proof, "to": self.size}}, separators=(",", ":")) + "\n":
                raise ValueError(f"{line[:60]!r} is not the proof that is due for the head of {size} events")
            proved = consistency_ok(size, root, self.size, last, [base64.b64decode(one) for one in proof])
            self.roots[size] = root if proved or (size, root, proof) == (0, self.roots[0], []) else b""
        self.roots[self.size] = last

    def judge(self, heads: dict[int, Note], where: str) -> dict[int, bool]:
        """Check the signatures and roots of heads; tell which are good and which are not, as far as the bundle goes."""
        good, newest = dict[int, bool](), max([size for size in heads if size <= self.size], default=-1)
        self.expect(self.kind == "log" or newest >= 0 or not heads, f"no head{where} is as old as the bundle: it cannot be compared")
        for size, note in heads.items():
            *_, due = [key for above, key in self.keys if above < size]
            made = {key: signed(note, key) for key in [key for _, key in self.keys] + self.witnesses}
            self.cosigned[size] = sorted({*self.cosigned.get(size, []), *(key[0] for key in self.witnesses if made[key])})
            is_signed = False not in made.values() and {key for key in made if made[key]} - {*self.witnesses} == {due}
            if size > self.size:  # proofs that were made before a head are none the worse for it, and need not know its key
                self.expect(self.kind == "proofs", f"cut or older than the head of {size}{where}: #{self.size} is missing", self.size)
            elif size in self.roots or not is_signed:
                good[size] = is_signed and self.roots[size] == base64.b64decode(note[1][1])
                problem = "has another root than the events" if is_signed else "is signed wrongly or not by the key in force alone"
                self.expect(good[size], f"the head of {size} events{where} {problem}")
            else:
                self.expect(self.kind == "log" or size != newest, f"the bundle does not lead from the head of {size} events{where}")
        return good

    def read_bundle(self, file: BinaryIO, digest: Any) -> tuple[int | None, list[int] | None]:
        """Read and check it all; return the index of the first bad event, and between which two it is where that is not certain."""
        with self.leaves[0].open("rb") if self.leaves else io.BytesIO() as kept:
            lines = self.read_events(self.read_headings(lines_of(file, digest)), kept)
        if self.kind == "proofs":
            self.read_consistency(lines)
        missing = [self.events] if self.kind == "log" and self.events < self.size else []
        end, last = next(lines, b""), next(reversed(self.heads), -1)
        is_end = end == b'{"sha256":"%s"}\n' % digest.hexdigest().encode() and not next(lines, b"")
        self.expect(is_end, f"at the end stands {end[:80]!r}, not the sha256 of all before it", *missing)
        whole = self.kind == "proofs" or self.events == self.size
        self.expect(whole, f"there are {self.events} events, not {self.size}", *[self.size][: self.events > self.size])
        self.expect(last == self.size, f"the last head is of {last} events, not of {self.size}", max(0, min(last, self.size)))
        inside, outside = self.judge(self.heads, ""), self.judge(self.outside, " kept outside")
        heads = outside if False in outside.values() else inside | outside
        good = max([0, *(size for size, is_good in heads.items() if is_good)])
        wrong = [size - 1 for size, is_good in heads.items() if not is_good and size > good]
        high = min(self.shown + wrong + missing, default=-1)
        low = min(max(good, self.agreed), high)
        return None if high < 0 else high if high in self.shown else low, [low, high] if low < high else None


def verify(bundle_path: str | Path, trust_folder: str | Path | None = None) -> dict[str, Any]:
    """Check a bundle; return the verdict and what it rests on, as `--json` prints it."""
    start, check = time.perf_counter(), Verification()
    try:
        if trust_folder is not None:
            check.read_trust(Path(trust_folder))
        with Path(bundle_path).open("rb", buffering=1 << 20) as file:
            first, between = check.read_bundle(file, hashlib.sha256())
    except (OSError, ValueError, RecursionError) as error:
        check.expect(False, str(error))
        first, between = min(check.shown, default=None), None
        check.kind = "" if isinstance(error, OSError) else check.kind
    code = (1 if check.kind else 2) if check.faults else 3 if trust_folder is None else 0  # README.md says what each means
    reason, anchored = "; ".join(check.faults) or VERDICTS[code], trust_folder is not None and code < 2
    result = {"reason": reason, "ok": not check.faults, "anchored": anchored, "exit": code, "first_bad": first, "between": between}
    result |= {"origin": check.origin, "kind": check.kind, "events": check.events, "heads": len(check.heads), "outside": len(check.outside)}
    result |= {"period": [at for at in check.period if at], "keys": [f"{key[0]}+{key[1].hex()}" for _, key in check.keys]}
    return result | {"witnesses": check.cosigned, "seconds": round(time.perf_counter() - start, 3)}


def main(arguments: list[str] | None = None) -> int:
    """Check the bundle that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description="Check a bundle of a sealed journal; exit with 0 when it is verified (see README.md).")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--trust", metavar="FOLDER", help="what is kept outside of the database")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    result = verify(given.bundle, given.trust)
    lines = [f"{key:<10} {one}" for key, one in result.items() if one not in (None, [], "") and (key != "witnesses" or any(one.values()))]
    sys.stdout.write((json.dumps(result) if given.json else "\n".join(lines)).encode("ascii", "backslashreplace").decode() + "\n")
    return int(result["exit"])


if __name__ == "__main__":
    sys.exit(main())

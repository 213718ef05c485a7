"""A thousand random tamperings of a journal of ten thousand events, and each single bit of a small one, against the stand-alone verifier.

Whoever tampers owns the database and writes the bundle that is verified: he makes hashes and roots in it true again as far as he
can, and he can sign with keys of his own. He has neither the journal's key nor what is kept outside.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.head import Note, TreeHead, parse_head, parse_note
from polyceph.core.model.tree import leaf_hash, root
from polyceph.journal import bundle
from polyceph.journal.keys import SigningKey, make_key

sys.path.insert(0, str(Path(__file__).parent))
import flips

ROOT = Path(__file__).parents[3]
EVENTS, TAMPERINGS = 10_000, 1_000


def _verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("polyceph_verify", ROOT / "verifier" / "polyceph_verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["polyceph_verify"] = module
    spec.loader.exec_module(module)
    return module


verifier = _verifier()


@dataclass
class Log:
    """A bundle of the whole journal taken apart."""

    header: dict[str, Any]
    keys: list[str]
    heads: list[str]
    leaves: list[bytes]
    hashes: list[bytes] = field(default_factory=list)

    def rehash(self, start: int = 0) -> None:
        """Make the hashes before the leaves true again."""
        self.hashes[start:] = [leaf_hash(leaf) for leaf in self.leaves[start:]]

    def forge_heads(self, key: SigningKey) -> None:
        """Sign every head anew, over what the leaves are now, and say that this key is the journal's."""
        self.keys = [str(key.verifier)]
        forged = []
        for text in self.heads:
            head = parse_head(parse_note(text).text)
            if head.size <= len(self.leaves):
                new = TreeHead(head.origin, head.size, root(self.hashes[: head.size]), head.at).text()
                forged.append(str(Note(new, (key.sign(new),))))
        self.heads = forged

    def keep_heads_up_to(self, size: int) -> None:
        """Cut everything behind the last honest head of at most so many events, so that the rest is whole in itself."""
        self.heads = [one for one in self.heads if parse_head(parse_note(one).text).size <= size]
        end = parse_head(parse_note(self.heads[-1]).text).size
        del self.leaves[end:], self.hashes[end:]
        self.header["size"] = end

    def write(self, path: Path) -> Path:
        lines = [dumped(self.header), *(dumped({"key": one}) for one in self.keys), *(dumped({"head": one}) for one in self.heads)]
        lines += [b"%s %s" % (found.hex().encode(), leaf) for found, leaf in zip(self.hashes, self.leaves, strict=True)]
        body = b"".join(line + b"\n" for line in lines)
        path.write_bytes(body + dumped({"sha256": sha256(body).hexdigest()}) + b"\n")
        return path


def dumped(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def taken_apart(path: Path) -> Log:
    lines = path.read_bytes().splitlines()
    parts = [json.loads(line) for line in lines if line.startswith(b"{")]
    leaves = [line.split(b" ", 1)[1] for line in lines if not line.startswith(b"{")]
    found = Log(parts[0], [one["key"] for one in parts if "key" in one], [one["head"] for one in parts if "head" in one], leaves)
    found.rehash()
    return found


def copy(log: Log) -> Log:
    return Log(dict(log.header), list(log.keys), list(log.heads), list(log.leaves), list(log.hashes))


# Each tampering changes the log and returns the index of the first event that is not what it was.


def edit(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    index = chance.randrange(len(log.leaves))
    leaf = json.loads(log.leaves[index])
    holder, key = chance.choice(list(places(leaf)))
    old = holder[key]
    holder[key] = (
        (not old) if isinstance(old, bool) else old + chance.choice([1, -1]) if isinstance(old, int) else old + chance.choice("xyz")
    )
    log.leaves[index] = dumped(leaf)
    return index


def edit_and_rehash(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    index = edit(log, chance, stolen)
    log.rehash(index)
    return index


def remove(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    index = chance.randrange(len(log.leaves) - 1)
    del log.leaves[index], log.hashes[index]
    return index


def insert(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    index = chance.randrange(len(log.leaves))
    forged = log.leaves[chance.randrange(len(log.leaves))].replace(b"anne", b"marc")
    log.leaves.insert(index, forged)
    log.hashes.insert(index, leaf_hash(forged))
    return index


def swap(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    first, second = sorted(chance.sample(range(len(log.leaves)), 2))
    log.leaves[first], log.leaves[second] = log.leaves[second], log.leaves[first]
    log.rehash(first)
    return first


def truncate(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    log.keep_heads_up_to(chance.randrange(sizes(log)[0], len(log.leaves)))
    return len(log.leaves)


def cut_off(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    end = chance.randrange(len(log.leaves))
    del log.leaves[end:], log.hashes[end:]
    return end


def rebuild(log: Log, chance: random.Random, stolen: SigningKey) -> int:
    index = chance.choice([edit, remove, insert, swap])(log, chance, stolen)
    log.leaves = log.leaves[: log.header["size"]]
    del log.hashes[len(log.leaves) :]
    log.rehash(index)
    log.header["size"] = len(log.leaves)
    log.forge_heads(stolen)
    if sizes(log)[-1] != len(log.leaves):
        head = TreeHead(log.header["origin"], len(log.leaves), root(log.hashes), parse_head(parse_note(log.heads[-1]).text).at).text()
        log.heads.append(str(Note(head, (stolen.sign(head),))))
    return index


def sizes(log: Log) -> list[int]:
    return [parse_head(parse_note(one).text).size for one in log.heads]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every field of a leaf that is no container."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(one, dict | list):
            yield from places(one)
        else:
            yield value, key


WAYS: tuple[Callable[[Log, random.Random, SigningKey], int], ...] = (
    edit, edit_and_rehash, remove, insert, swap, truncate, cut_off, rebuild,
)  # fmt: skip


@dataclass(frozen=True)
class Sealed:
    bundle: Path
    trust: Path


@pytest.fixture(scope="module")
def sealed(make_sealed: Callable[..., PlatformJournal], tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    journal = make_sealed(folder, EVENTS, heads=20)
    return Sealed(bundle.write_log(journal.log, folder / "all.bundle").path, journal.folder)


@pytest.fixture(scope="module")
def stolen(tmp_path_factory: pytest.TempPathFactory, sealed: Sealed) -> SigningKey:
    """A key that whoever tampers made himself, under the journal's name."""
    return make_key(tmp_path_factory.mktemp("stolen") / "key", taken_apart(sealed.bundle).header["origin"], "log")


def test_the_untouched_journal_passes(sealed: Sealed, tmp_path: Path) -> None:
    found = verifier.verify(sealed.bundle, sealed.trust)
    assert (found["ok"], found["anchored"], found["events"], found["first_bad"]) == (True, True, EVENTS, None)
    assert verifier.verify(taken_apart(sealed.bundle).write(tmp_path / "again.bundle"), sealed.trust)["ok"], "taking apart changes nothing"


def test_a_thousand_random_tamperings_are_all_found_and_the_first_bad_event_is_named(
    sealed: Sealed, stolen: SigningKey, tmp_path: Path
) -> None:
    honest, chance, missed = taken_apart(sealed.bundle), random.Random(6962), []
    for number in range(TAMPERINGS):
        way, log = WAYS[number % len(WAYS)], copy(honest)
        first_bad = way(log, chance, stolen)
        found = verifier.verify(log.write(tmp_path / "tampered.bundle"), sealed.trust)
        if found["ok"] or found["first_bad"] != first_bad:
            missed.append(f"{number} {way.__name__}: {found['first_bad']} instead of {first_bad}: {found['reason']}")
    assert missed == []


def test_another_federations_journal_does_not_pass_for_this_one(
    sealed: Sealed, make_sealed: Callable[..., PlatformJournal], tmp_path: Path
) -> None:
    other = make_sealed(tmp_path, 300, heads=3)
    path = bundle.write_log(other.log, tmp_path / "other.bundle").path
    assert verifier.verify(path, other.folder)["ok"]
    found = verifier.verify(path, sealed.trust)
    assert (found["ok"], found["first_bad"]) == (False, 0)
    mixed = taken_apart(sealed.bundle)
    mixed.leaves[5000:5300] = taken_apart(path).leaves[:300]
    mixed.rehash()
    found = verifier.verify(mixed.write(tmp_path / "mixed.bundle"), sealed.trust)
    assert (found["ok"], found["first_bad"]) == (False, 5000)


@pytest.mark.parametrize(("events", "step"), [(25, 1), (200, 31)])
def test_each_single_bit_of_a_bundle_counts(make_sealed: Callable[..., PlatformJournal], tmp_path: Path, events: int, step: int) -> None:
    """Each bit of a small bundle, and every 31st of one of 200 events; `make bench BENCH=journal.flips` takes each bit of that one."""
    journal = make_sealed(tmp_path, events, heads=1, make=small)
    path = bundle.write_log(journal.log, tmp_path / "small.bundle").path
    assert verifier.verify(path, journal.folder)["ok"]
    assert flips.passed(verifier.verify, path, journal.folder, step=step) == []
    assert verifier.verify(path, journal.folder)["ok"]


def small(number: int) -> Event:
    return Event(Actor(ActorKind.SERVICE, "a"), "d", "run.launched", "run", str(number))

"""Whatever is changed in a bundle is detected, and the first bad event is named; the sha256 at the end is made anew each time."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import bundles
import pytest
from bundles import NEW, WITNESSES, Check, Journal, Signer, journal, leaf, seal

BAD = 1
AT = "2026-01-01T00:00:00.000000Z"
HEADINGS = 5  # format, key and three heads stand before the first event of `journal()`


def forged(index: int) -> bytes:
    """Return the line of another event, with the hash that it has."""
    other = leaf(index, purpose="another")
    return bundles.leaf_hash(other).hex().encode() + b" " + other


def tampered(kind: str, first: int, draw: random.Random) -> list[bytes]:
    """Return a bundle in which the event `first` is the first that is not as it was."""
    lines = journal().log()
    at = HEADINGS + first
    if kind == "edited":
        lines[at] = lines[at].replace(b"purpose ", b"porpoise ")
    elif kind == "edited with its hash":
        lines[at] = forged(first)
    elif kind == "hash edited":
        lines[at] = b"0" * 64 + lines[at][64:]
    elif kind == "deleted":
        del lines[at]
    elif kind == "inserted":
        lines.insert(at, forged(first))
    elif kind == "doubled":
        lines.insert(at, lines[at - 1])
    elif kind == "swapped":
        other = draw.randrange(at + 1, len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "truncated":
        del lines[at:]
    elif kind == "rebuilt":
        lines[at:] = [forged(index) for index in range(first, 20)]
    return lines


KINDS = ["edited", "edited with its hash", "hash edited", "deleted", "inserted", "doubled", "swapped", "truncated", "rebuilt"]


@pytest.mark.parametrize("kind", KINDS)
def test_with_hashes_kept_outside_the_first_bad_event_is_named_exactly(check: Check, tmp_path: Path, kind: str) -> None:
    trust = journal().keep(tmp_path, 5, 10, 20, leaves=20)
    for first in range(1, 19):
        result = check(tampered(kind, first, random.Random(first)), trust)
        assert (result["exit"], result["first_bad"], result["between"]) == (BAD, first, None), result["reason"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_them_it_is_named_between_the_last_good_head_and_the_first_bad_thing(check: Check, tmp_path: Path, kind: str) -> None:
    trust = journal().keep(tmp_path, 10)
    for first in range(1, 19):
        result = check(tampered(kind, first, random.Random(first)), trust)
        low, high = result["between"] or [result["first_bad"]] * 2
        assert (result["exit"], low <= first <= high) == (BAD, True), (first, result)
        assert low <= result["first_bad"] <= high
        assert low == first or low in (0, 5, 10)


def test_an_event_that_was_edited_alone_is_named_without_anything_outside(check: Check) -> None:
    for first in range(20):
        result = check(tampered("edited", first, random.Random(first)))
        assert (result["exit"], result["first_bad"], result["between"]) == (BAD, first, None)
        assert f"event #{first} does not have the hash that stands before it" in result["reason"]


@pytest.mark.parametrize("seed", range(10))
def test_of_a_thousand_random_changes_none_is_missed_and_each_is_placed(check: Check, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    with_leaves = journal().keep(tmp_path / "with", 5, 10, 20, leaves=20)
    without = journal().keep(tmp_path / "without", 20)
    for _ in range(50):
        first = draw.randrange(1, 19)
        lines = tampered(draw.choice(KINDS), first, draw)
        later = draw.randrange(first + 1, 20) + HEADINGS
        if later < len(lines) and draw.random() < 0.5:
            lines[later] = draw.choice([forged(later - HEADINGS), lines[later][:-4] + b"999}", b"no event"])
        result = check(lines, with_leaves)
        assert (result["exit"], result["first_bad"]) == (BAD, first), result["reason"]
        result = check(lines, without)
        low, high = result["between"] or [result["first_bad"]] * 2
        assert (result["exit"], low <= first <= high) == (BAD, True), (first, result)


def short(**changes: Any) -> Journal:
    """Return a journal of twenty events that are as short as can be."""
    leaves = tuple(bundles.canonical({"at": AT, "event": {"a": n}, "log": "é", "seq": n}).encode() for n in range(20))
    return Journal(leaves, (20,), "é", Signer("é"), **changes)


@pytest.mark.slow
def test_every_single_bit_counts(check: Check, tmp_path: Path) -> None:
    bundle = seal(short().log())
    trust = short().keep(tmp_path / "trust")
    assert check(bundle, trust)["exit"] == 0
    missed = []
    changed = bytearray(bundle)
    for position in range(len(bundle)):
        for bit in range(8):
            changed[position] ^= 1 << bit
            result = check(bytes(changed), trust)
            if result["exit"] not in (1, 2) or result["ok"] or not result["reason"]:
                missed.append((position, bit, result))
            changed[position] ^= 1 << bit
    assert not missed


def test_every_byte_counts_even_when_the_sha256_is_made_anew(check: Check, tmp_path: Path) -> None:
    one = short(rotations=((12, Signer("é", seed=2)),), witnesses={20: WITNESSES[:1]})
    bundle, trust = seal(one.log()), one.keep(tmp_path / "trust")
    body = bundle[: bundle.rindex(b'{"sha256"')]
    events = body.index(bundles.leaf_hash(one.leaves[0]).hex().encode())
    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1 << (position % 7)
        lines = bytes(changed).split(b"\n")
        sealed = seal(lines[:-1] if lines[-1] == b"" else lines)
        result = check(sealed, trust)
        # A signature of an unknown key is nobody's business: whoever spoils the name of a witness only loses the witness.
        assert result["exit"] in (1, 2) or result["witnesses"] == {20: []}, (position, result)
        if position >= events:
            index = body.count(b"\n", events, position)
            low, high = result["between"] or [result["first_bad"]] * 2
            assert low <= index <= high, (position, index, result)


def test_the_bundle_of_another_federation_is_bad_from_the_first_event_on(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 5, leaves=5)
    name = "journal.example/flanders"
    other = Journal(tuple(leaf(number, origin=name) for number in range(20)), (5, 20), origin=name, signer=Signer(name))
    result = check(other.log(), trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 0, None)
    assert name in result["reason"]


def test_events_of_another_federation_do_not_pass_for_ours(check: Check, tmp_path: Path) -> None:
    one = journal(leaves=(*journal().leaves[:7], leaf(7, origin="journal.example/flanders"), *journal().leaves[8:]))
    for lines in (one.log(), one.proofs(7)):
        result = check(lines, one.keep(tmp_path, 20))
        assert (result["exit"], result["first_bad"]) == (BAD, 7)
        assert "event #7 is not an event of journal.example/wallonia" in result["reason"]


def test_a_journal_made_anew_with_another_key_is_refused(check: Check, tmp_path: Path) -> None:
    rewritten = (*journal().leaves[:7], *(leaf(number, purpose="another") for number in range(7, 20)))
    lines = journal(signer=NEW, leaves=rewritten).log()
    for outside, located in [
        (journal().keep(tmp_path / "key"), (0, [0, 4])),
        (journal().keep(tmp_path / "heads", 5, 10, 20), (5, [5, 9])),
        (journal().keep(tmp_path / "hashes", 5, 10, 20, leaves=20), (7, None)),
    ]:
        result = check(lines, outside)
        assert (result["exit"], result["first_bad"], result["between"]) == (BAD, *located)
        assert "the first key of the bundle is not the trusted one" in result["reason"]


def test_who_holds_the_key_and_rewrites_is_caught_by_a_head_outside(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 5, 10)
    rewritten = journal(leaves=(*journal().leaves[:7], *(leaf(number, purpose="another") for number in range(7, 20))))
    result = check(rewritten.log(), trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 5, [5, 9])
    assert "the head of 10 events kept outside has another root" in result["reason"]
    result = check(rewritten.log(), journal().keep(tmp_path, leaves=20))
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 7, None)


def test_a_log_that_was_cut_names_the_first_missing_event(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 5, 20)
    result = check(journal(sizes=(5, 10)).log(), trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 10, None)
    assert "cut" in result["reason"]


def test_proofs_that_are_older_than_a_head_outside_hang_on_an_older_one_or_are_refused(check: Check, tmp_path: Path) -> None:
    older = journal(sizes=(5, 10)).proofs(3)
    assert check(older, journal().keep(tmp_path, 5, 20))["exit"] == 0
    result = check(older, journal().keep(tmp_path / "two", 20))
    assert (result["exit"], "cannot be compared" in result["reason"]) == (BAD, True)


def test_a_log_that_was_cut_before_a_new_key_came_is_still_seen_to_be_cut(check: Check, tmp_path: Path) -> None:
    trust = journal(rotations=((10, NEW),)).keep(tmp_path, 20)
    result = check(journal(sizes=(5, 10)).log(), trust)
    assert (result["exit"], result["first_bad"]) == (BAD, 10)


@pytest.mark.parametrize("cut", [1, 40, 78, 79, 300, 700, 2000])
def test_a_file_that_ends_too_early_is_bad(check: Check, tmp_path: Path, cut: int) -> None:
    bundle = seal(journal().log())
    trust = journal().keep(tmp_path / "trust", 5, 20)
    result = check(bundle[:-cut], trust)
    assert result["exit"] == BAD
    whole = bundle[:-cut].count(b"\n") - HEADINGS
    if whole < 20:
        assert result["first_bad"] == whole


def test_a_tail_without_its_head_lies_between_the_last_good_head_and_its_end(check: Check, tmp_path: Path) -> None:
    lines = journal().log()[: HEADINGS + 15]
    trust = journal().keep(tmp_path, 10)
    result = check(lines, trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 10, [10, 15]), "any of them may have been deleted"
    unsealed = seal(lines)[:-78]
    result = check(unsealed, trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 15, [10, 15]), "the file itself was cut"


def test_nothing_stands_after_the_sha256(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 20)
    for more in (b"\n", b" ", b"x\n", seal([])):
        assert check(seal(journal().log()) + more, trust)["exit"] == BAD
        assert check(seal(journal().proofs(3)) + more, trust)["exit"] == BAD


def test_a_reason_stays_short_however_much_is_wrong(check: Check, tmp_path: Path) -> None:
    one = journal(2000, sizes=tuple(range(0, 2001, 10)))
    lines = one.log()
    lines[-2000:] = [line.replace(b"purpose ", b"porpoise ") for line in lines[-2000:]]
    result = check(lines, journal().keep(tmp_path))
    assert (result["exit"], result["first_bad"]) == (BAD, 0)
    assert len(result["reason"]) < 1000


def test_a_foreign_journal_is_bad_from_the_first_event_on_though_the_rest_cannot_be_read(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path)
    name = "journal.example/flanders"
    other = Journal(tuple(leaf(number, origin=name) for number in range(20)), (5, 20), origin=name, signer=Signer(name)).log()
    other[2] = b'{"head":"no note"}'
    result = check(other, trust)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 0, None)


def test_events_without_a_head_over_them_are_refused(check: Check, tmp_path: Path) -> None:
    lines = journal(25, sizes=(5, 10, 20)).log() + [journal(25).event_line(index) for index in range(20, 25)]
    result = check(lines, journal().keep(tmp_path, 20))
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 20, None)
    lines[0] = lines[0].replace(b'"size":20', b'"size":25')
    result = check(lines, tmp_path)
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 20, None)


def test_an_archived_event_among_the_others_is_refused(check: Check, tmp_path: Path) -> None:
    lines = journal().log()
    lines[HEADINGS + 8] = lines[HEADINGS + 8][:64]
    result = check(lines, journal().keep(tmp_path, 20))
    assert (result["exit"], result["first_bad"]) == (BAD, 8)


def test_the_command_ends_with_one_for_a_bad_bundle(verifier: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(seal(tampered("deleted", 7, random.Random(0))))
    assert verifier.main([str(path), "--trust", str(journal().keep(tmp_path / "trust", 20, leaves=20))]) == BAD
    assert "#7" in capsys.readouterr().out

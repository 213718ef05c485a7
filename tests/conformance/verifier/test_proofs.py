"""Bundles of chosen events: what is wrong with a proof is named."""

from __future__ import annotations

from pathlib import Path

import bundles
import pytest
from bundles import NEW, WITNESSES, Check, journal, leaf

BAD = 1


def test_a_changed_proof_names_its_event(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 5, 20)
    good = journal().proofs(3, 7, 12)
    index, stated, proof, text = good[6].split(b" ", 3)
    foreign = leaf(7, purpose="another")
    nodes = bundles.path(8, journal().hashes)
    for line in (
        b" ".join([index, bundles.leaf_hash(foreign).hex().encode(), proof, foreign]),
        b" ".join([index, stated, proof, foreign]),
        b" ".join([index, b"0" * 64, proof, text]),
        b" ".join([index, stated, bundles.encode(b"".join(nodes)).encode(), text]),
        b" ".join([index, stated, b"-", text]),
        b" ".join([index, stated, bundles.encode(b"".join(bundles.path(7, journal().hashes))[:-32]).encode(), text]),
        b" ".join([index, stated, bundles.encode(b"".join(bundles.path(7, journal().hashes)) + bytes(32)).encode(), text]),
    ):
        result = check([*good[:6], line, *good[7:]], trust)
        assert (result["exit"], result["first_bad"]) == (BAD, 7)
    moved = b" ".join([b"8", stated, proof, text])
    assert check([*good[:6], moved, *good[7:]], trust)["first_bad"] == 8


@pytest.mark.parametrize("chosen", [(7, 3), (3, 3, 7), (19, 0)])
def test_proofs_are_in_the_order_of_the_events(check: Check, tmp_path: Path, chosen: tuple[int, ...]) -> None:
    assert check(journal().proofs(*chosen), journal().keep(tmp_path, 20))["exit"] == BAD


def test_every_head_needs_its_proof_and_no_other_is_there(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 20)
    good = journal().proofs(3)
    for change in (good[:-1], [*good[:-2], good[-1], good[-2]], [*good, good[-1]], [*good[:-1], good[-1].replace(b'"to":20', b'"to":21')]):
        assert check(change, trust)["exit"] == BAD
    wrong = good[-1].replace(good[-1].split(b'"')[7], bundles.encode(bytes(32)).encode())
    result = check([*good[:-1], wrong], trust)
    assert (result["exit"], "the head of 10 events has another root" in result["reason"]) == (BAD, True)


def test_an_event_whose_hash_is_another_outside_is_named(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, leaves=20)
    rewritten = journal(leaves=(*journal().leaves[:7], leaf(7, purpose="another"), *journal().leaves[8:]))
    result = check(rewritten.proofs(3, 7, 12), trust)
    assert (result["exit"], result["first_bad"]) == (BAD, 7)


def test_heads_outside_that_proofs_do_not_hold_are_not_taken_on_trust(check: Check, tmp_path: Path) -> None:
    result = check(journal().proofs(3), journal().keep(tmp_path, 5, 7))
    assert (result["exit"], result["first_bad"]) == (BAD, None)
    assert "the bundle does not lead from the head of 7 events kept outside" in result["reason"]
    rewritten = journal(leaves=(*journal().leaves[:7], *(leaf(number, purpose="another") for number in range(7, 20))))
    result = check(rewritten.proofs(3), journal().keep(tmp_path / "two", 5, 10))
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 5, [5, 9])


def test_proofs_made_before_a_new_key_came_are_none_the_worse_for_it(check: Check, tmp_path: Path) -> None:
    trust = journal(rotations=((10, NEW),), witnesses={20: WITNESSES}).keep(tmp_path, 5, 10, 20, leaves=20)
    result = check(journal(sizes=(5, 10)).proofs(3), trust)
    assert (result["exit"], result["reason"]) == (0, "verified")


def test_a_proven_event_has_the_four_keys_of_a_leaf_and_no_other(check: Check, tmp_path: Path) -> None:
    more = leaf(7).replace(b',"log":', b',"logbook":{},"log":')
    one = journal(leaves=(*journal().leaves[:7], more, *journal().leaves[8:]))
    result = check(one.proofs(3, 7), one.keep(tmp_path, 20))
    assert (result["exit"], result["first_bad"]) == (BAD, 7)

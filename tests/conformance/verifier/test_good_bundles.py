"""Bundles made from the format page pass, and the verdict says what they rest on."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import bundles
import pytest
from bundles import NEW, OLD, ORIGIN, WITNESSES, Check, Journal, Signer, journal, leaf

VERIFIED, NOT_ANCHORED = 0, 3


@pytest.mark.parametrize("size", range(34))
def test_a_log_of_any_size_with_a_head_at_every_size_passes(check: Check, tmp_path: Path, size: int) -> None:
    one = journal(size, sizes=tuple(range(size + 1)))
    result = check(one.log(), one.keep(tmp_path, *range(size + 1), leaves=size))
    assert (result["exit"], result["reason"]) == (VERIFIED, "verified")
    assert (result["events"], result["heads"], result["outside"]) == (size, size + 1, size + 1)


@pytest.mark.parametrize("size", range(1, 34))
def test_proofs_of_any_size_with_every_earlier_head_pass(check: Check, tmp_path: Path, size: int) -> None:
    one = journal(size, sizes=tuple(range(size + 1)))
    result = check(one.proofs(*range(0, size, 3)), one.keep(tmp_path, *range(size + 1), leaves=size))
    assert (result["exit"], result["reason"]) == (VERIFIED, "verified")
    assert result["events"] == len(range(0, size, 3))


def test_proofs_of_no_event_show_that_heads_continue_each_other(check: Check, tmp_path: Path) -> None:
    assert check(journal().proofs(), journal().keep(tmp_path, 5, 10, 20))["exit"] == VERIFIED


def test_the_result_says_what_was_checked(check: Check, tmp_path: Path) -> None:
    one = journal(witnesses={10: WITNESSES[:1], 20: WITNESSES})
    result = check(one.log(), one.keep(tmp_path, 10, 20))
    assert result["seconds"] >= 0
    assert result | {"seconds": 0} == {
        "reason": "verified",
        "ok": True,
        "anchored": True,
        "exit": 0,
        "first_bad": None,
        "between": None,
        "origin": ORIGIN,
        "kind": "log",
        "events": 20,
        "heads": 3,
        "outside": 2,
        "period": ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:19.000019Z"],
        "keys": [f"{ORIGIN}+{OLD.key_hash.hex()}"],
        "witnesses": {5: [], 10: [WITNESSES[0].name], 20: sorted(one.name for one in WITNESSES)},
        "seconds": 0,
    }


@pytest.mark.parametrize("kind", ["log", "proofs"])
def test_without_what_is_kept_outside_a_bundle_is_consistent_and_no_more(check: Check, kind: str) -> None:
    result = check(journal().log() if kind == "log" else journal().proofs(3, 4))
    assert (result["exit"], result["ok"], result["anchored"]) == (NOT_ANCHORED, True, False)
    assert "nothing shows that this is the journal of YOUR federation" in result["reason"]


def test_archived_events_stand_as_hashes_alone(check: Check, tmp_path: Path) -> None:
    result = check(journal(archived=7).log(), journal().keep(tmp_path, 5, 20, leaves=20))
    assert (result["exit"], result["period"][0]) == (VERIFIED, "2026-01-01T00:00:07.000007Z")
    assert check(journal(archived=20).log(), tmp_path)["exit"] == VERIFIED


@pytest.mark.parametrize("at", [0, 4, 5, 6, 10, 20, 30])
def test_a_new_key_that_the_old_one_introduced_signs_from_there_on(check: Check, tmp_path: Path, at: int) -> None:
    one = journal(rotations=((at, NEW),))
    trust = one.keep(tmp_path, 5, 10, 20)
    for lines in (one.log(), one.proofs(0, 19)):
        result = check(lines, trust)
        assert (result["exit"], len(result["keys"])) == (VERIFIED, 2)


def test_keys_may_change_often_and_twice_at_the_same_size(check: Check, tmp_path: Path) -> None:
    one = journal(rotations=((5, NEW), (10, Signer(seed=3)), (10, Signer(seed=4)), (15, Signer(seed=5))))
    assert check(one.log(), one.keep(tmp_path, 5, 10, 20))["exit"] == VERIFIED


def test_a_later_copy_of_a_head_may_carry_more_cosignatures(check: Check, tmp_path: Path) -> None:
    one = journal(witnesses={20: WITNESSES[:1]})
    trust = one.keep(tmp_path, 10)
    journal(witnesses={20: WITNESSES[1:]}).keep(trust, 20)
    assert check(one.log(), trust)["witnesses"][20] == sorted(one.name for one in WITNESSES)


def test_signatures_of_unknown_keys_are_ignored(check: Check, tmp_path: Path) -> None:
    strangers = (Signer("witness.example/stranger", 4), Signer(WITNESSES[0].name, 4, seed=9), Signer("stranger", 1), Signer(seed=9))
    one = journal(witnesses={20: strangers})
    result = check(one.log(), one.keep(tmp_path, 20))
    assert (result["exit"], result["witnesses"][20]) == (VERIFIED, [])


def test_no_witnesses_no_hashes_and_no_heads_need_be_kept_outside(check: Check, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(OLD.verifier_key, encoding="utf-8")
    assert check(journal(witnesses={20: WITNESSES}).log(), tmp_path)["exit"] == VERIFIED


@pytest.mark.parametrize("kept", [0, 1, 13, 20])
@pytest.mark.parametrize("more", [0, 31])
def test_hashes_kept_outside_may_end_anywhere(check: Check, tmp_path: Path, kept: int, more: int) -> None:
    one = journal(25)
    trust = one.keep(tmp_path, 10, leaves=25)
    (trust / "leaves").write_bytes((trust / "leaves").read_bytes()[: 32 * kept + more])
    assert check(one.log(), trust)["exit"] == VERIFIED
    assert check(one.proofs(2, 12, 24), trust)["exit"] == VERIFIED
    assert check(one.but(sizes=(5, 10)).log(), trust)["exit"] == VERIFIED


def test_a_head_outside_need_not_be_in_the_bundle_of_a_whole_log(check: Check, tmp_path: Path) -> None:
    assert check(journal().log(), journal().keep(tmp_path, 1, 7, 13, 19))["exit"] == VERIFIED


@pytest.mark.parametrize(
    "event",
    [
        {"after": {"log": "another journal", "seq": 1}},
        {"before": 'a text with "log":"x" and \\ in it', "after": {"log": {"log": [1, 2]}}},
        {"after": [1e-7, 2.5, 1e21, -0.5], "actor": {"id": "Ærøskøbing 𝄞 東京 \u007f"}},
        {"after": "},"},
    ],
)
def test_whatever_an_event_holds_is_left_to_the_event(check: Check, tmp_path: Path, event: dict[str, object]) -> None:
    one = journal(leaves=(*journal().leaves[:19], leaf(19, **event)))
    trust = one.keep(tmp_path, 20)
    assert check(one.log(), trust)["exit"] == VERIFIED
    assert check(one.proofs(19), trust)["exit"] == VERIFIED


@pytest.mark.parametrize("origin", ["x", "journal.example/région", 'with"quote\\and{brace}', "journal.*example"])
def test_an_origin_may_be_any_name_without_spaces(check: Check, tmp_path: Path, origin: str) -> None:
    signer = Signer(origin)
    leaves = tuple(leaf(number, origin=origin) for number in range(6))
    one = Journal(leaves, (3, 6), origin=origin, signer=signer, rotations=((4, Signer(origin, seed=2)),))
    result = check(one.log(), one.keep(tmp_path, 3, 6))
    assert (result["exit"], result["origin"]) == (VERIFIED, origin)


def test_the_command_line_prints_lines_or_one_object(verifier: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = journal(witnesses={20: WITNESSES})
    path = tmp_path / "journal.bundle"
    path.write_bytes(bundles.seal(one.log()))
    trust = str(one.keep(tmp_path / "trust", 20))
    assert verifier.main([str(path), "--trust", trust, "--json"]) == VERIFIED
    assert json.loads(capsys.readouterr().out)["witnesses"]["20"] == sorted(one.name for one in WITNESSES)
    assert verifier.main([str(path), "--trust", trust]) == VERIFIED
    out = capsys.readouterr().out
    assert all(word in out for word in ("verified", "20", ORIGIN, WITNESSES[0].name, "2026-01-01T00:00:19.000019Z"))
    assert verifier.main([str(path)]) == NOT_ANCHORED
    assert "nothing shows" in capsys.readouterr().out

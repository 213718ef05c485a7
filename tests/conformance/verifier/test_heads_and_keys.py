"""Heads and keys: who may sign what, in a bundle and outside of it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import bundles
import pytest
from bundles import NEW, OLD, WITNESSES, Check, Journal, Signer, journal, leaf

BAD = 1


def head_line(note: str) -> bytes:
    return bundles.canonical({"head": note}).encode()


def with_head(note: str, one: Journal | None = None) -> list[bytes]:
    """Return a log whose head of 10 events is this note."""
    lines = (one or journal()).log()
    lines[3] = head_line(note)
    return lines


TEXT = bundles.head_text(journal().hashes[:10])


@pytest.mark.parametrize(
    "note",
    [
        NEW.note(TEXT),
        Signer("journal.example/other").note(TEXT),
        WITNESSES[0].note(TEXT),
        OLD.note(TEXT.replace("00:10:00Z", "00:11:00Z")).replace("00:11:00Z", "00:10:00Z"),
        OLD.note(TEXT) + WITNESSES[0].line(TEXT.replace("10", "11")),
        OLD.note(TEXT) + OLD.line(TEXT.replace("10", "11")),
        OLD.note(bundles.head_text(journal().hashes[1:11])),
    ],
)
def test_a_head_with_a_wrong_signature_or_root_is_refused(check: Check, tmp_path: Path, note: str) -> None:
    for trust in (journal().keep(tmp_path), journal().keep(tmp_path, 5, 20)):
        result = check(with_head(note), trust)
        assert result["exit"] == BAD
        assert "the head of 10 events" in result["reason"]
        assert result["first_bad"] is None, "the head of 20 events vouches for all"


@pytest.mark.parametrize(
    "note",
    [
        OLD.note(TEXT.replace("\n10\n", "\n010\n")),
        OLD.note(TEXT.replace("\ntime ", "\nTime ")),
        OLD.note(TEXT + "more\n"),
        OLD.note(TEXT.replace("wallonia", "flanders")),
        OLD.note(TEXT).replace("— ", "- ", 1),
        OLD.note(TEXT) + "\n",
        OLD.note(TEXT)[:-1],
        OLD.note(TEXT).replace("=\n", "\n"),
        TEXT + "\n",
        TEXT,
        "",
        OLD.note(TEXT) + "— name with spaces AAAA\n",
        OLD.note(TEXT) + "— name not/base64\n",
    ],
)
def test_a_head_that_is_no_signed_note_is_refused(check: Check, tmp_path: Path, note: str) -> None:
    assert check(with_head(note), journal().keep(tmp_path, 20))["exit"] == BAD


def test_a_retired_key_signs_nothing_more_and_a_new_one_nothing_before(check: Check, tmp_path: Path) -> None:
    one = journal(rotations=((10, NEW),))
    trust = one.keep(tmp_path)
    text = bundles.head_text(one.hashes)
    for note in (OLD.note(text), NEW.note(text, OLD)):
        lines = one.log()
        lines[5] = head_line(note)
        result = check(lines, trust)
        assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 10, [10, 19])
    lines = one.log()
    lines[4] = head_line(NEW.note(TEXT))
    assert check(lines, trust)["exit"] == BAD


@pytest.mark.parametrize("by", [NEW, Signer(seed=3), Signer("journal.example/other")])
def test_a_new_key_that_the_key_in_force_did_not_introduce_is_refused(check: Check, tmp_path: Path, by: Signer) -> None:
    one = journal(rotations=((10, NEW),))
    text = f"polyceph/key-rotation/v1\n{one.origin}\n10\n{OLD.verifier_key}\n{NEW.verifier_key}\n"
    lines = one.log()
    lines[2] = bundles.canonical({"rotation": by.note(text)}).encode()
    result = check(lines, one.keep(tmp_path))
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 10, [10, 19])


def test_rotations_out_of_order_or_left_out_are_refused(check: Check, tmp_path: Path) -> None:
    third = Signer(seed=3)
    one = journal(rotations=((5, NEW), (10, third)))
    trust = one.keep(tmp_path, 5)
    whole = one.log()
    assert check(whole, trust)["exit"] == 0
    for order in ((3, 2), (2,), (3,), (2, 2, 3), ()):
        assert check([*whole[:2], *(whole[n] for n in order), *whole[4:]], trust)["exit"] == BAD
    backwards = journal(rotations=((10, NEW), (5, third)))
    assert check(backwards.log(), trust)["exit"] == BAD


def rotation(text: str, by: Signer = OLD) -> bytes:
    return bundles.canonical({"rotation": by.note(text)}).encode()


def test_a_rotation_is_of_this_journal_from_its_key_to_one_of_its_own_before_the_heads(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path)
    lines = journal().log()
    text = "polyceph/key-rotation/v1\n{}\n30\n{}\n{}\n"
    good = rotation(text.format(OLD.name, OLD.verifier_key, NEW.verifier_key))
    assert check([*lines[:2], good, *lines[2:]], trust)["exit"] == 0
    assert check([*lines[:5], good, *lines[5:]], trust)["exit"] == BAD
    for wrong in (
        text.format("journal.example/flanders", OLD.verifier_key, NEW.verifier_key),
        text.format(OLD.name, NEW.verifier_key, NEW.verifier_key),
        text.format(OLD.name, OLD.verifier_key, Signer("journal.example/flanders").verifier_key),
        text.format(OLD.name, OLD.verifier_key, WITNESSES[0].verifier_key),
    ):
        assert check([*lines[:2], rotation(wrong), *lines[2:]], trust)["exit"] == BAD


def test_a_verifier_key_is_whole_and_has_the_hash_that_it_says(verifier: ModuleType) -> None:
    name, short, encoded = OLD.verifier_key.split("+", 2)
    assert verifier.read_key(OLD.verifier_key, 1)[0] == OLD.name
    longer = b"\x01" + OLD.public + b"\0"
    made = bundles.sha256(name.encode() + b"\n" + longer)[:4].hex()
    for wrong in (
        f"{name}+{'0' * 8}+{encoded}",
        f"{name}+{short.upper()}+{encoded}",
        f"{name}x+{short}+{encoded}",
        f"{name}+{short}+{encoded}=",
        f"{name}+{made}+{bundles.encode(longer)}",
        f"{name}+{short}",
        WITNESSES[0].verifier_key,
    ):
        with pytest.raises(ValueError, match="is not a verifier key of type 1"):
            verifier.read_key(wrong, 1)


def test_a_head_of_more_than_a_megabyte_is_not_read(check: Check, tmp_path: Path) -> None:
    long = OLD.note(TEXT) + WITNESSES[0].line(TEXT) * 10_000
    assert check(with_head(OLD.note(TEXT) + WITNESSES[1].line(TEXT) * 16), journal().keep(tmp_path))["exit"] == 0
    assert check(with_head(long), tmp_path)["exit"] == BAD


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 0, 1, 2), (0, 2, 1), (1, 2, 0)])
def test_heads_out_of_order_are_refused(check: Check, tmp_path: Path, order: tuple[int, ...]) -> None:
    lines = journal().log()
    assert check([*lines[:2], *(lines[2 + n] for n in order), *lines[5:]], journal().keep(tmp_path))["exit"] == BAD


def test_a_bundle_without_heads_is_refused(check: Check, tmp_path: Path) -> None:
    for lines in (journal().log(), journal().proofs(3)):
        result = check([*lines[:2], *lines[5:]], journal().keep(tmp_path))
        assert result["exit"] == BAD


def test_a_head_outside_is_verified_too(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 5, 20)
    (trust / "heads" / "10").write_text(NEW.note(TEXT), encoding="utf-8")
    result = check(journal().log(), trust)
    assert (result["exit"], result["first_bad"]) == (BAD, None)
    assert "the head of 10 events kept outside is signed wrongly" in result["reason"]


def test_two_histories_that_the_journal_signed_are_told(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 20)
    (trust / "heads" / "10").write_text(OLD.note(bundles.head_text(journal().hashes[1:11])), encoding="utf-8")
    result = check(journal().log(), trust)
    assert result["exit"] == BAD
    assert "the head of 10 events kept outside has another root" in result["reason"]


def test_a_head_outside_is_compared_though_the_bundle_has_none_of_its_size(check: Check, tmp_path: Path) -> None:
    rewritten = journal(leaves=(*journal().leaves[:6], *(leaf(number, purpose="another") for number in range(6, 20))))
    result = check(rewritten.log(), journal().keep(tmp_path, 3, 7))
    assert (result["exit"], result["first_bad"], result["between"]) == (BAD, 3, [3, 6])


def test_what_is_kept_outside_and_cannot_be_read_is_told_and_anchors_nothing(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 20)
    (trust / "leaves").mkdir()
    result = check(journal().log(), trust)
    assert (result["exit"], result["anchored"]) == (2, False)


def test_a_disk_that_fails_is_no_tampering(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path, 20)
    (trust / "leaves").symlink_to("/proc/self/mem")  # opens, and cannot be read at its beginning
    result = check(journal().log(), trust)
    assert (result["exit"], result["first_bad"]) == (2, None)
    assert "Input/output error" in result["reason"]

"""Files that were made to break a reader end in a sentence, never in a traceback, and never pass."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import ModuleType

import bundles
import pytest
from bundles import OLD, Check, journal, seal

BAD, UNREADABLE = 1, 2
GOOD = journal().log()
DEEP = b"[" * 100_000 + b"]" * 100_000


def header(**changes: object) -> bytes:
    """Return the first line of a bundle with other values."""
    values = {"format": "polyceph-journal-bundle/v1", "kind": "log", "origin": OLD.name, "size": 20} | changes
    return bundles.canonical(values).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\0" * 1000,
        b"{}\n",
        b"\xff\xfe{\0",
        b"\xef\xbb\xbf" + seal(GOOD),
        seal(GOOD).replace(b"\n", b"\r\n"),
        seal(GOOD).decode().encode("utf-16"),
        b"x" * (40 << 20),
        seal([DEEP]),
        seal([b'{"format":' + DEEP + b"}"]),
        seal([b"9" * 1_000_000]),
        seal([GOOD[0].replace(b'"size":20', b'"size":' + b"9" * 1_000_000), *GOOD[1:]]),
        *[seal([header(size=size), *GOOD[1:]]) for size in (-1, 20.0, True, None, "20", [20], 10**16, 10**400)],
        *[seal([header(format=value), *GOOD[1:]]) for value in ("polyceph-journal-bundle/v2", None, 1)],
        *[seal([header(kind=value), *GOOD[1:]]) for value in ("logs", None, ["log"])],
        *[seal([header(origin=value), *GOOD[1:]]) for value in ("", "a b", "a+b", "a\nb", "\x1b[31m", "\x9b", None, "\ud800")],
        seal([GOOD[0].replace(OLD.name.encode(), b"\\ud800"), *GOOD[1:]]),
        seal([header(more=1), *GOOD[1:]]),
        seal([GOOD[0].replace(b",", b", "), *GOOD[1:]]),
        seal([GOOD[0][:-1] + b',"size":20}', *GOOD[1:]]),
        seal([b'{"kind":"log","format":"polyceph-journal-bundle/v1","origin":"x","size":20}', *GOOD[1:]]),
    ],
    ids=count(),
)
def test_what_is_no_bundle_cannot_be_read(check: Check, tmp_path: Path, content: bytes) -> None:
    for trust in (None, journal().keep(tmp_path / "trust", 20)):
        result = check(content, trust)
        assert (result["exit"], result["ok"]) == (UNREADABLE, False)
        assert result["reason"]


@pytest.mark.parametrize("position", [1, 2, 4, 5, 8, 24])
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"key":' + DEEP + b"}",
        b'{"head":' + DEEP + b"}",
        b'{"rotation":' + DEEP + b"}",
        b'{"head":1}',
        b'{"head":"' + b"9" * 3_000_000 + b'"}',
        b'{"head":"\\ud800"}',
        b'{"key":"\\ud800+00000000+AAAA"}',
        b'{"key":"a+b"}',
        b'{"key":null}',
        b"0" * 64 + b" ",
        b"0" * 64 + b" " + DEEP,
        b"0" * 63,
        b"A" * 64,
        b"9" * 1_000_000,
        b"\xff" * 200,
        b"0" * (20 << 20),
        b'{"sha256":"' + b"0" * 64 + b'"}',
    ],
    ids=count(),
)
def test_a_bundle_with_a_hostile_line_is_bad(check: Check, tmp_path: Path, position: int, line: bytes) -> None:
    result = check([*GOOD[:position], line, *GOOD[position + 1 :]], journal().keep(tmp_path / "trust", 20))
    assert (result["exit"], result["ok"]) == (BAD, False)
    assert 0 < len(result["reason"]) < 2000


@pytest.mark.parametrize(
    "text",
    [
        b"no JSON",
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{"a":"\xff"},"log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{"log":' + DEEP + b'},"log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{"log":1},"log":"journal.example/wallonia","seq":' + b"1" * 10_000 + b"}",
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{},"log":"another","log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{},"event":{"log":{}},"log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":[],"log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00Z","event":{},"log":"journal.example/wallonia","seq":1}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{},"log":"journal.example/wallonia","seq":01}',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{},"log":"journal.example/wallonia","seq":1} ',
        b'{"at":"2026-01-01T00:00:00.000000Z","event":{},"log":"journal-example/wallonia","seq":1}',
    ],
    ids=count(),
)
def test_a_leaf_that_is_no_event_is_bad_though_the_journal_itself_signed_it(check: Check, tmp_path: Path, text: bytes) -> None:
    one = journal(leaves=(*journal().leaves[:7], text, *journal().leaves[8:]))
    for lines in (one.log(), one.proofs(3, 7, 12)):
        result = check(lines, one.keep(tmp_path, 20))
        assert (result["exit"], result["first_bad"]) == (BAD, 7), result


def test_a_line_of_sixteen_megabytes_is_too_long(check: Check, tmp_path: Path) -> None:
    one = journal(leaves=(*journal().leaves[:19], bundles.leaf(19, after="x" * (17 << 20))))
    result = check(one.log(), one.keep(tmp_path, 20))
    assert (result["exit"], result["first_bad"]) == (BAD, 19)


def test_no_random_damage_breaks_or_passes(check: Check, tmp_path: Path) -> None:
    draw = random.Random(6962)
    trust = journal().keep(tmp_path / "trust", 20)
    for kind in (journal().log(), journal().proofs(1, 2, 15)):
        for _ in range(400):
            lines = list(kind)
            for _ in range(draw.randrange(1, 4)):
                where = draw.randrange(len(lines))
                line = bytearray(lines[where])
                start, end = sorted(draw.choices(range(len(line) + 1), k=2))
                line[start:end] = draw.choice([b"", b"\n", b"}", b'"', b"9" * 30, draw.randbytes(5), bytes(line[start:end]) * 2])
                lines[where] = bytes(line)
            if lines != kind:
                result = check(lines, trust)
                assert result["exit"] in (BAD, UNREADABLE), lines


def test_what_is_not_there_cannot_be_read(verifier: ModuleType, check: Check, tmp_path: Path) -> None:
    assert verifier.verify(tmp_path / "nowhere", None)["exit"] == UNREADABLE
    assert verifier.verify(tmp_path, None)["exit"] == UNREADABLE
    assert check(GOOD, tmp_path / "nowhere")["exit"] == UNREADABLE


@pytest.mark.parametrize("name", ["key", "witnesses", "heads/20", "heads/21", "heads/twenty"])
@pytest.mark.parametrize("content", [b"", b"\xff", b"x", b"x+00000000+AAAA\n"])
def test_a_folder_outside_that_is_damaged_cannot_be_read(check: Check, tmp_path: Path, name: str, content: bytes) -> None:
    trust = journal().keep(tmp_path / "trust", 20)
    (trust / name).write_bytes(content)
    assert check(GOOD, trust)["exit"] == (0 if (name, content) == ("witnesses", b"") else UNREADABLE)


def test_a_witness_is_no_journal_and_a_journal_no_witness(check: Check, tmp_path: Path) -> None:
    trust = journal().keep(tmp_path / "trust", 20)
    (trust / "witnesses").write_text(OLD.verifier_key, encoding="utf-8")
    assert check(GOOD, trust)["exit"] == UNREADABLE
    (trust / "witnesses").unlink()
    (trust / "key").write_text(bundles.WITNESSES[0].verifier_key, encoding="utf-8")
    assert check(GOOD, trust)["exit"] == UNREADABLE


@pytest.mark.parametrize("content", [seal([DEEP]), b"\xff" * 1000, seal([*GOOD[:5], b"0" * 64 + b" " + DEEP])], ids=count())
def test_the_command_prints_sentences_in_ascii(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, str(bundles.FILE), str(path)], capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode in (BAD, UNREADABLE)
    assert done.stderr == b""
    assert done.stdout.isascii()


def test_names_that_the_screen_cannot_show_are_written_in_ascii(tmp_path: Path) -> None:
    signer = bundles.Signer("journal.example/région")
    one = bundles.Journal((bundles.leaf(0, origin=signer.name),), (1,), origin=signer.name, signer=signer)
    (tmp_path / "bundle").write_bytes(seal(one.log()))
    command = [sys.executable, str(bundles.FILE), str(tmp_path / "bundle"), "--trust", str(one.keep(tmp_path / "trust", 1))]
    done = subprocess.run(command, capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"r\\xe9gion" in done.stdout


def test_a_wrong_call_ends_with_two(tmp_path: Path) -> None:
    for arguments in ([], ["a", "b"], ["--trust"], ["a", "--what"]):
        done = subprocess.run([sys.executable, str(bundles.FILE), *arguments], capture_output=True, check=False)
        assert done.returncode == UNREADABLE

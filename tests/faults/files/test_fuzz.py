"""Damaged files: never a crash, never too much memory or time, nothing written elsewhere, and never a wrong row without a word."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import case_of, run, tallied
from judge import MEMORY_MB, Case, judge
from oracles import readings
from originals import COLUMNS, ORIGINALS, Original, rows

FILES = 500
PART = 50


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda one: one.name)
def test_every_format_is_read_as_it_was_written(original: Original) -> None:
    data = original.write(rows())
    was = rows()
    verdict = judge(Case(original.name, data, original.options, is_tolerant=False), COLUMNS, was, readings(original.name, data))
    assert (verdict.what, verdict.detail) == ("as it was", "60 taken, 0 set aside")


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda one: one.name)
def test_the_other_readers_find_the_same_rows(original: Original) -> None:
    found = readings(original.name, original.write(rows()))
    assert any(len([cells for cells in reading if cells and str(cells[0]).isdigit()]) == len(rows()) for reading in found)


def test_the_judge_sees_a_changed_value_and_a_lost_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that changes one value, or loses one row, is caught whatever the file."""
    import judge as module

    original, was = ORIGINALS[0], rows()
    data = original.write(was)
    case = Case(original.name, data, original.options, is_tolerant=False)
    compared = module._compared

    def changed(taken: list[dict[str, object]], *more: object, **named: object) -> object:
        taken[3]["amount"] = Decimal("1.00")
        return compared(taken, *more, **named)

    def lost(taken: list[dict[str, object]], *more: object, **named: object) -> object:
        return compared(taken[1:], *more, **named)

    for tampered in (changed, lost):
        monkeypatch.setattr(module, "_compared", tampered)
        assert judge(case, COLUMNS, was, readings(original.name, data)).what == "silently wrong"


def test_a_seed_is_always_the_same_file() -> None:
    assert [case_of(seed)[0].data for seed in range(30)] == [case_of(seed)[0].data for seed in range(30)]


@pytest.mark.parametrize("first", range(0, FILES, PART))
def test_damaged_files_are_refused_set_aside_or_read_as_they_are(first: int) -> None:
    tally = tallied(run(range(first, first + PART)))
    assert tally.bad == []
    assert sum(tally.verdicts.values()) == PART
    assert tally.largest_mb <= MEMORY_MB

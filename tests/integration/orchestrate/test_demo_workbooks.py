"""The inbox of returns, read by the platform without being loaded, and held against the planted cells."""

from __future__ import annotations

from datetime import date

import pytest

from polyceph.bootstrap.inspection import Inspected
from polyceph.declarations.federation import load_domain
from polyceph.errors import Problem
from polyceph.orchestrate.demo.place import examples
from polyceph.orchestrate.demo.workbooks import DATASET, CellComparison, compare_cells, inspect_inbox
from polyceph.settings import Settings
from polyceph.testing.federation.domains import education_returns
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

FILE = "share/education_returns/inbox/a.xlsx"
NOT_A_VALUE = {"error_value", "text_in_number", "unit_in_number", "letter_for_digit", "decimal_point", "number_became_date"}
NO_DATE = {"swapped_no_date", "impossible_date", "words_for_date"}
OUT_OF_LIMITS = {"absurd_year", "lost_zero", "negative_count", "percent_above_100", "trailing_garbage"}
"""Values of the promised type that the limits of the contract refuse."""
TOLD = (
    NOT_A_VALUE
    | NO_DATE
    | OUT_OF_LIMITS
    | {"missing_value", "thousands_separator", "two_values", "formula_as_text", "fraction_of_a_person", "repeated_line"}
)
"""Faults that leave no value of the promised type and within its limits, none at all, or a key twice: the contract alone tells them."""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> CellComparison:
    folder, truth = tmp_path_factory.mktemp("systems"), Truth()
    for piece in education_returns.build(Scenario(), truth):
        path = folder / piece.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(piece.content)
    federation = examples() / "federation"
    declared = load_domain(federation, DATASET.domain, today=date(2025, 11, 10), cache=folder / "cache")
    return compare_cells(truth, inspect_inbox(declared, Settings(federation=federation), folder))


def test_every_cell_without_a_value_of_its_type_is_named_with_its_place(compared: CellComparison) -> None:
    assert {one.fault: (one.found, one.planted) for one in compared.faults if one.fault in TOLD and one.found < one.planted} == {}
    assert compared.planted == 200
    assert compared.found >= 182


def test_no_right_cell_is_refused(compared: CellComparison) -> None:
    assert compared.unplanted == ()


def truth_of(*cells: tuple[str, str]) -> Truth:
    truth = Truth()
    for cell, column in cells:
        truth.add("workbook_cell", file=FILE, sheet="Retour", cell=cell, fault="f", column=column, written="x")
    return truth


def test_a_cell_is_found_by_its_name_or_among_the_rows_of_its_column() -> None:
    problems = (Problem("no", place="sheet Retour, cell B7"), Problem("twice", place="column code, rows 8, 9"))
    compared = compare_cells(truth_of(("B7", "n"), ("A9", "code"), ("C9", "m")), [Inspected("inbox/a.xlsx", problems)])
    assert (compared.found, compared.planted, compared.unplanted) == (2, 3, ())


def test_a_problem_that_names_no_planted_cell_is_counted() -> None:
    other = Problem("no", place="sheet Retour, cell B8")
    whole = Problem("a column is missing", place="sheet Retour, row 4")
    compared = compare_cells(truth_of(("B7", "n")), [Inspected("inbox/a.xlsx", (other, whole)), Inspected("inbox/b.xlsx", ())])
    assert compared.unplanted == (other, whole)
    assert compared.found == 0

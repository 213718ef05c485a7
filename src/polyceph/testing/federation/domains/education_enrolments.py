"""Entries of pupils into schools: one line when a pupil comes to a school, not one a year."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from polyceph.testing.federation.domains.education_calendar import first_day
from polyceph.testing.federation.domains.education_columns import Moments, Whole, days_of, in_month, patched, stamps, texts
from polyceph.testing.federation.domains.education_pupils import COUNT, GRADES, YEAR, Pupils
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

DATASET = "education.raw.enrolments"
YEARS_BACK = 3
CLOSED = (612, 847)
"""Schools that are in the register no more: their numbers are above those of all schools."""
COLUMNS = ("enrolment_id", "pupil_id", "school_id", "school_year", "grade", "entered_on", "updated_at")
_BEFORE = np.array([sum(other[0] == grade[0] for other in GRADES[:at]) for at, grade in enumerate(GRADES)])
"""How many grades of the same stage come before each."""


def enrolments(scenario: Scenario, truth: Truth, pupils: Pupils) -> pa.Table:
    """Return the entries of every second pupil into the present school, and of all who enter one in a later month."""
    first = _first(scenario, pupils)
    tables = [_into_closed_schools(scenario, truth, first)]
    for month, at, schools in pupils.entries:
        numbers = scenario.numbers("education", "enrolments", month)
        year = np.full(len(at), int(month.school_year[:4]))
        tables.append(_rows(at, schools, pupils.grades[at], year, np.sort(in_month(numbers, month, len(at)))))
    whole = pa.concat_tables(tables)
    numbered = whole.append_column("enrolment_id", pa.array(np.arange(1, whole.num_rows + 1)))
    return numbered.select(COLUMNS)


def _first(scenario: Scenario, pupils: Pupils) -> pa.Table:
    """Return the entries that the present knows: in one of the last four school years, in the same stage as now."""
    numbers = scenario.numbers("education", "enrolments")
    at = np.arange(0, COUNT * scenario.scale, 2)
    at = at[pupils.were_there[at]]
    back = (numbers.random(len(at)) * (np.minimum(YEARS_BACK, _BEFORE[pupils.grades[at]]) + 1)).astype(np.int64)
    starts = np.array([first_day(YEAR - years) for years in range(YEARS_BACK + 1)], "datetime64[D]")
    entered = np.busday_offset(starts[back], (30 * numbers.random(len(at)) ** 6).astype(np.int64))  # most on the first days
    order = np.argsort(entered, kind="stable")
    return _rows(at[order], pupils.first_schools[at[order]], (pupils.grades[at] - back)[order], (YEAR - back)[order], entered[order])


def _rows(pupils: Whole, schools: Whole, grades: Whole, years: Whole, entered: Moments) -> pa.Table:
    columns = {
        "pupil_id": pa.array(pupils + 1),
        "school_id": pa.array(schools + 1),
        "school_year": texts(np.array([f"{year}-{year + 1}" for year in years.tolist()])),
        "grade": texts(np.array(GRADES)[grades]),
        "entered_on": days_of(entered),
        "updated_at": stamps(entered + np.timedelta64(12, "h")),
    }
    return pa.table(columns)


def _into_closed_schools(scenario: Scenario, truth: Truth, rows: pa.Table) -> pa.Table:
    """Let two entries point to schools that are there no more."""
    chosen = sorted(scenario.random("education", "closed schools").sample(range(4_000), len(CLOSED)))
    for at, school in zip(chosen, CLOSED, strict=True):
        fact = {"dataset": DATASET, "fault": "orphan", "column": "school_id", "key": {"enrolment_id": at + 1}}
        truth.add("quality", **fact, month=str(rows["entered_on"][at])[:7], detail=f"school {school} is not in the register")
    column = patched(rows["school_id"].combine_chunks(), dict(zip(chosen, CLOSED, strict=True)))
    return rows.set_column(rows.column_names.index("school_id"), "school_id", column)

"""What the ministry pays the staff of its own network, by month: thirteen series by scale, one of them with two anomalies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyceph.testing.federation.domains.education_columns import Texts, Whole, patched, texts
from polyceph.testing.federation.domains.education_schools import Schools
from polyceph.testing.federation.domains.education_staff import SCALES, Staff
from polyceph.testing.federation.identifiers import iban
from polyceph.testing.federation.pieces import Piece, database
from polyceph.testing.federation.scenario import FIRST, PRESENT, Month, Scenario
from polyceph.testing.federation.truth import Truth

DATASET = "education.raw.pay"
DDL = """
create table pay_lines (
  line_id bigint primary key, staff_id integer not null, month date not null, pay_scale text not null,
  seniority_years integer not null, hours_per_week numeric(4,1) not null, gross_amount numeric(10,2) not null,
  reference text not null, paid_on date not null);
"""
"""`reference` is the account that the amount went to; nothing in its name says so."""
INDEXATIONS = ("2022-02", "2022-06", "2022-09", "2022-12", "2024-06", "2025-03", "2026-04")
"""Months from which on pay is two per cent higher."""
SPIKE, DROP = 1.6, 0.5
SEASONAL = (5, 6, 12)
"""Months of holiday pay and year-end bonus: no anomaly is planted in them."""
BANK = 971
"""No bank has these three digits, so that no account is anybody's."""


@dataclass(frozen=True)
class Planted:
    """What is wrong with pay: a scale with two months, two staff paid twice in a month, one line with an impossible seniority."""

    scale: int
    factors: dict[Month, float]
    paid_twice: tuple[Month, ...]
    too_senior: Month

    def factor(self, month: Month, scales: Whole) -> NDArray[np.float64]:
        """Return what the amounts of a month are multiplied with, by line."""
        return np.where(scales == self.scale, self.factors.get(month, 1.0), 1.0)


def build(scenario: Scenario, truth: Truth, schools: Schools, staff: Staff) -> list[Piece]:
    """Return the database of pay as of the month that is reached."""
    planted = _planted(scenario)
    paid = np.flatnonzero(schools.networks[staff.schools] == "wbe")
    accounts = np.array([iban(BANK, int(at) + 1) for at in paid])
    tables: list[pa.Table] = []
    start = 1
    for month in scenario.months():
        there = staff.hired[paid] <= np.datetime64(month.first)
        rows = _month(scenario, month, (staff, paid[there], accounts[there]), planted)
        rows = _faults(scenario, truth, rows, month, (planted, start))
        ids = pa.array(np.arange(start, start + rows.num_rows))
        tables.append(rows.add_column(0, "line_id", ids))
        start += rows.num_rows
    for number, scale in enumerate(SCALES):
        anomalies = _anomalies(planted) if number == planted.scale else []
        truth.add("series", dataset=DATASET, series={"pay_scale": scale.code}, measure="gross_amount", anomalies=anomalies)
    return database("postgres", "education_pay", DDL, {"pay_lines": pa.concat_tables(tables)})


def _planted(scenario: Scenario) -> Planted:
    """Return what is wrong: the anomalies are at least half a year apart, and have a year of history before them."""
    random = scenario.random("education", "pay")
    months = [month for month in scenario.months() if month <= PRESENT and month.number not in SEASONAL]
    late = [month for month in months if month.since(FIRST) >= 12]
    spike = random.choice(late)
    drop = random.choice([month for month in late if abs(month.since(spike)) >= 6])
    usual = [month for month in months if month not in (spike, drop)]
    first, second, third = random.sample(usual, 3)
    return Planted(random.randrange(len(SCALES)), {spike: SPIKE, drop: DROP}, tuple(sorted((first, second))), third)


def _anomalies(planted: Planted) -> list[dict[str, object]]:
    found = sorted(planted.factors.items())
    return [{"month": str(month), "kind": "spike" if factor > 1 else "drop", "factor": factor} for month, factor in found]


def _month(scenario: Scenario, month: Month, who: tuple[Staff, Whole, Texts], planted: Planted) -> pa.Table:
    """Return the lines of a month, in the order of the staff."""
    staff, paid, accounts = who
    scales, hours = staff.scales[paid], staff.hours[paid]
    seniority = (np.datetime64(str(month), "M") - staff.hired[paid].astype("datetime64[M]")).astype(np.int64) // 12
    luck = scenario.numbers("education", "pay", month)
    by_scale = luck.normal(1, 0.006, len(SCALES))[scales]
    amounts = _gross(month, scales, seniority, hours) * by_scale * luck.normal(1, 0.01, len(paid)) * planted.factor(month, scales)
    count = len(paid)
    columns = {
        "staff_id": pa.array(paid + 1),
        "month": _constant(month.first, count),
        "pay_scale": texts(np.array([scale.code for scale in SCALES])[scales]),
        "seniority_years": pa.array(seniority),
        "hours_per_week": pa.array(hours),
        "gross_amount": pa.array(np.round(amounts, 2)),
        "reference": texts(accounts),
        "paid_on": _constant(month.last, count),
    }
    return pa.table(columns)


def _gross(month: Month, scales: Whole, seniority: Whole, hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return amounts by line: the scale's start, 1.5 % for a year of seniority, indexations, and what is paid beside it in this month."""
    start = np.array([scale.start for scale in SCALES])[scales]
    whole_week = np.array([24.0 if scale.job == "enseignant" else 38.0 for scale in SCALES])[scales]
    index = 1.02 ** sum(Month.parse(text) <= month for text in INDEXATIONS)
    beside = np.array([_beside(number, month) for number in range(len(SCALES))])[scales]
    amounts: NDArray[np.float64] = (
        start * (1 + 0.015 * np.minimum(seniority, 27)) * np.minimum(1, hours / whole_week) * index * (1 + beside)
    )
    return amounts


def _beside(scale: int, month: Month) -> float:
    """Return what a scale is paid beside its month, in months: the year-end bonus, the holiday pay."""
    paid = SCALES[scale]
    return paid.december if month.number == 12 else paid.holiday if month.number == paid.holiday_month else 0.0


def _faults(scenario: Scenario, truth: Truth, rows: pa.Table, month: Month, where: tuple[Planted, int]) -> pa.Table:
    """Plant what is wrong with the lines of a month, the first of which has the number `where` tells."""
    planted, start = where
    random = scenario.random("education", "pay", month)
    at = random.randrange(rows.num_rows)
    if month == planted.too_senior:
        fact = {"dataset": DATASET, "fault": "out_of_range", "column": "seniority_years", "key": {"line_id": start + at}}
        truth.add("quality", **fact, month=str(month), detail="104 years of service")
        column = patched(rows["seniority_years"].combine_chunks(), {at: 104})
        return rows.set_column(rows.column_names.index("seniority_years"), "seniority_years", column)
    if month in planted.paid_twice:
        line = start + rows.num_rows
        fact = {"dataset": DATASET, "fault": "duplicate", "column": "staff_id", "key": {"line_id": line}}
        truth.add("quality", **fact, month=str(month), detail=f"the same member of staff is paid by line {start + at} already")
        return pa.concat_tables([rows, rows.slice(at, 1)])
    return rows


def _constant(day: date, count: int) -> pa.Array:
    return pa.array(np.full(count, np.datetime64(day)), pa.date32())

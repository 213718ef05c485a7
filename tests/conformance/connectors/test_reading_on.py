"""Behaviours of loads that follow each other: only what is new, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from stands.behaviours import Behaviour
from stands.registry import behaviour
from stands.stand import Stand, Table

from polyceph.errors import Invalid
from polyceph.sdk import Column

CHANGED = Column("changed", "integer", required=True)
COLUMNS = (Column("id", "integer", required=True, primary_key=True), Column("label", "string"), CHANGED)
FIRST = [(number, f"first {number}", number) for number in range(1, 6)]
SECOND = [(number, f"second {number}", number) for number in range(6, 9)]


@behaviour(Behaviour.CURSOR)
def test_only_what_is_new_is_loaded_and_the_state_goes_with_the_rows(stand: Stand, loading: Any) -> None:
    changed = stand.cursor_column
    columns = (*COLUMNS[:2], changed)
    first, second = ([(*row[:2], stand.cursor_value(row[2])) for row in rows] for rows in (FIRST, SECOND))
    contract, table = loading.contract(*columns), Table(loading.name, columns, first)
    stand.publish(table)
    options = stand.following(table, changed.name)
    assert sum(report.rows for report in loading.load(stand.connect(), contract, options)) == len(first)
    assert sum(report.rows for report in loading.load(stand.connect(), contract, options)) == 0
    stand.add(table, second)
    # A load that is refused takes neither rows nor state: the first column is promised as what it is not.
    state = loading.lake.cursor(contract.dataset)
    wrong = loading.contract(columns[0], Column("label", "integer"), changed)
    with pytest.raises(Invalid):
        loading.load(stand.connect(), wrong, options)
    assert (loading.lake.cursor(contract.dataset), len(loading.rows(contract))) == (state, len(first))
    reports = loading.load(stand.connect(), contract, options)
    assert sum(report.rows for report in reports) == len(second)
    assert loading.current(contract) == [*first, *second]
    assert len(loading.rows(contract)) == len(first) + len(second)
    assert (loading.lake.cursor(contract.dataset) == state) == (state is None)
    assert sum(report.rows for report in loading.load(stand.connect(), contract, options)) == 0


@behaviour(Behaviour.DUPLICATES)
def test_the_same_delivery_and_an_old_run_again_change_nothing(stand: Stand, loading: Any) -> None:
    contract, table = loading.contract(*COLUMNS), Table(loading.name, COLUMNS, FIRST)
    stand.publish(table)
    options = stand.dataset(table)
    loading.load(stand.connect(), contract, options, run="run-1")
    once = loading.rows(contract)
    again = loading.load(stand.connect(), contract, options, run="run-1")
    assert sum(report.rows for report in again if report.is_new) == 0
    assert loading.rows(contract) == once
    stand.add(table, SECOND)
    loading.load(stand.connect(), contract, options, run="run-3")
    after = loading.rows(contract)
    assert {row[0] for row in after} == {row[0] for row in [*FIRST, *SECOND]}
    for run in ("run-1", "run-3"):
        loading.load(stand.connect(), contract, options, run=run)
        assert loading.rows(contract) == after

"""Lists of changes as rows: added and changed ones as they are, and for each that is gone a row with its key and `_change = 'removed'`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from polyceph.sdk import Arrival, Column, Demand, Problem

CHANGE = "_change"
REMOVED = "removed"


def demand_of_changes(demand: Demand) -> Demand:
    """Return the demand with a column that says what is gone.

    What is gone has a key and nothing else, so nothing else is required here; the lake checks the rows that stay.
    """
    columns = tuple(column if column.primary_key else replace(column, required=False) for column in demand.contract.columns)
    wider = replace(demand.contract, columns=(*columns, Column(CHANGE, "string")))
    return replace(demand, contract=wider, admits=lambda arrival: demand.admits(_of_source(arrival)))


def _of_source(arrival: Arrival) -> Arrival:
    """Return an arrival whose form has the source's own columns alone: what happened to a row is none of them."""
    columns = tuple(column for column in arrival.form.columns if column.name != CHANGE)
    return replace(arrival, form=replace(arrival.form, columns=columns))


def stays(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a list of changes that is added or changed."""
    return {**row, CHANGE: None}


def gone(key: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return the row for a key that is gone; `key` has the source's names."""
    empty = {source_name(column): None for column in columns}
    return {**empty, **key, CHANGE: REMOVED}


def source_name(column: Column) -> str:
    """Return what the source calls a column."""
    return column.source_name or column.name


def keys_differ(columns: tuple[Column, ...], key: tuple[str, ...], what: str) -> Problem | None:
    """Return the problem when a contract's primary key is another than the source's: what is gone is told by the latter."""
    promised = tuple(source_name(column) for column in columns if column.primary_key)
    if set(promised) == set(key):
        return None
    shown = ", ".join(promised) or "nothing"
    return Problem(f"the primary key of the contract is {shown}, that of {what} is {', '.join(key)}", allowed=key)

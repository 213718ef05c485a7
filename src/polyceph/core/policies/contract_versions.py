"""What a decision about drift changes in the declarations, and which new version of the contract that means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from polyceph.core.model.contract import Contract
from polyceph.core.model.drift import Difference, Edit, Form, FormColumn, Kind, Sighting
from polyceph.core.policies.drift import logical_type

TABLE = ""
"""Stands for the sheet or table among the names of columns."""
_MAJOR, _MINOR, _PATCH = 0, 1, 2


def accepting(contract: Contract, sighting: Sighting) -> tuple[Edit, ...]:
    """Return the edits by which the contract promises what came from now on."""
    return tuple(edit for one in sighting.differences if one.stops for edit in _accepted(contract, sighting.form, one))


def mapping(sighting: Sighting, names: Mapping[str, str]) -> tuple[Edit, ...]:
    """Return the edits by which the contract keeps its promise and finds it under other names; columns nobody asked for are left out.

    `names` tells the source's name of a contract's column where the drift itself does not; under `TABLE`, that of a sheet or table.
    """
    columns = {column: name for column, name in names.items() if column != TABLE}
    renamed = {one.column: one.is_ for one in sighting.differences if one.kind in (Kind.RENAMED, Kind.RESPELT) and one.stops} | columns
    edits = [Edit("set", column, "physicalName", name) for column, name in renamed.items()]
    mapped = {*renamed, *renamed.values()}
    for one in sighting.differences:
        if one.stops and one.column not in mapped:
            edits += _left_out(replace(one, is_=names.get(TABLE, one.is_)) if one.kind is Kind.TABLE else one, sighting.form)
    return tuple(edits)


def unmapped(sighting: Sighting, names: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return the differences that a mapping of names alone does not settle."""
    settled = (Kind.RENAMED, Kind.RESPELT, Kind.ADDED, Kind.DUPLICATED, Kind.TABLE, Kind.DATES, Kind.DECIMALS)
    return tuple(one for one in sighting.differences if one.stops and one.kind not in settled and one.column not in names)


def next_version(version: str, edits: tuple[Edit, ...]) -> str:
    """Return the version that edits mean: gone or other promises major, a new column or another source name minor, all else patch."""
    parts = [int(part) for part in version.split("-", 1)[0].split("+", 1)[0].split(".")[:3]]
    level = min((_level(one) for one in edits), default=_PATCH)
    parts[level] += 1
    return ".".join(str(part if at <= level else 0) for at, part in enumerate(parts))


def _level(edit: Edit) -> int:
    if edit.in_entry:
        return _PATCH
    if edit.action == "remove" or (edit.action != "add" and edit.key in ("logicalType", "required")):
        return _MAJOR
    return _MINOR


def _accepted(contract: Contract, form: Form, one: Difference) -> Iterator[Edit]:
    promised = {column.name: column for column in contract.columns}
    if one.kind is Kind.ADDED:
        found = next((c for c in form.columns if c.name == one.column), FormColumn(one.column))
        yield Edit("add", one.column, "logicalType", logical_type(found))
    elif one.kind is Kind.REMOVED and one.column in promised:
        yield Edit("remove", one.column)
    elif one.kind in (Kind.RENAMED, Kind.RESPELT):
        yield Edit("set", one.column, "physicalName", one.is_)
    elif one.kind is Kind.RETYPED and one.column in promised and promised[one.column].logical_type != "string":
        # A text holds what came, whatever it is; a promise of texts is kept by numbers as well.
        yield Edit("set", one.column, "logicalType", "string")
        yield Edit("drop", one.column, "physicalType")
    elif one.kind is Kind.EMPTIED and one.column in promised and promised[one.column].required:
        yield Edit("set", one.column, "required", False)
    else:
        yield from _left_out(one, form)


def _left_out(one: Difference, form: Form) -> Iterator[Edit]:
    """Yield the edits of the dataset's entry: columns to leave out, another sheet, formats to find out anew."""
    if one.kind in (Kind.ADDED, Kind.DUPLICATED) and not form.is_open:
        yield Edit("append", "", "ignore_columns", one.column, in_entry=True)
    elif one.kind is Kind.TABLE:
        yield Edit("set", "", "table" if form.is_open else "sheet", one.is_, in_entry=True)
    elif one.kind in (Kind.DATES, Kind.DECIMALS):
        yield Edit("drop", "", "date_format" if one.kind is Kind.DATES else "decimal", in_entry=True)

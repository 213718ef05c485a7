"""Deciding how each column writes its values. One reading is taken and reported; two are refused with the choices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import cast

import pyarrow.compute as pc

from polyceph.connectors.tabular import moments, numbers
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.moments import DateFormat
from polyceph.connectors.tabular.numbers import NumberFormat
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.shapes import given, told
from polyceph.connectors.tabular.spool import Spool
from polyceph.sdk import Column

TRUE = ("true", "vrai", "oui", "yes", "ja", "waar", "wahr", "1", "t", "v", "o", "y", "j")
FALSE = ("false", "faux", "non", "no", "nee", "nein", "neen", "onwaar", "falsch", "0", "f", "n")

DAY_AND_TIME = r"^(?P<day>.*?\S)(?:(?:T|,? +(?:à |om |um |at )?)(?P<time>\d{1,2}[:hH]\d{0,2}.*))?$"
"""RE2: everything before a time of day, and the time of day."""


@dataclass(frozen=True)
class ColumnFormat:
    """How one column writes its values: the part for its type is set."""

    number: NumberFormat | None = None
    day: DateFormat | None = None
    truths: tuple[frozenset[str], frozenset[str]] | None = None


def decide(spool: Spool, dataset: FilesDataset, findings: Findings) -> list[ColumnFormat | None]:
    """Return the format of each column; ambiguous ones become problems in `findings` and are None.

    A column that alone would be ambiguous follows the other columns of the same file when these agree.
    """
    options = [_possible(spool, i, dataset) for i in range(len(spool.columns))]
    certain = [found[0] for found in options if len(found) == 1]
    decided: list[ColumnFormat | None] = []
    for i, (column, found) in enumerate(zip(spool.columns, options, strict=True)):
        agreeing = [one for one in found if _agrees(one, certain)] if len(found) > 1 else found
        if len(agreeing) == 1:
            _report(agreeing[0], column, findings, follows=len(found) > 1)
        elif len(found) > 1:
            _refuse(spool, i, found, findings)
        decided.append(agreeing[0] if len(agreeing) == 1 else None if found else ColumnFormat())
    return decided


def _possible(spool: Spool, index: int, dataset: FilesDataset) -> list[ColumnFormat]:
    column = spool.columns[index]
    if next(spool.texts(index), None) is None:
        return []
    if column.logical_type in ("integer", "number"):
        found = numbers.possible_formats(lambda: spool.texts(index), column, dataset)
        return [ColumnFormat(number=one) for one in found]
    if column.logical_type in ("date", "timestamp"):
        return [ColumnFormat(day=one) for one in _days(spool, index, dataset)]
    if column.logical_type == "boolean":
        return [ColumnFormat(truths=_truths(dataset))]
    return []


def _days(spool: Spool, index: int, dataset: FilesDataset) -> list[DateFormat]:
    if dataset.date_format is not None:
        return [DateFormat("declared", dataset.date_format)]
    seen: set[str] = set()
    for chunk in spool.texts(index):
        day = pc.struct_field(pc.extract_regex(pc.unique(chunk), DAY_AND_TIME), "day")
        seen.update(pc.unique(day.drop_null()).to_pylist())
    return moments.possible_orders(sorted(seen))


def _truths(dataset: FilesDataset) -> tuple[frozenset[str], frozenset[str]]:
    true, false = (dataset.true_values, dataset.false_values) if dataset.true_values else (TRUE, FALSE)
    return frozenset(t.casefold() for t in true), frozenset(f.casefold() for f in false)


def _agrees(one: ColumnFormat, certain: list[ColumnFormat]) -> bool:
    if one.day is not None:
        return any(c.day is not None and c.day.order == one.day.order for c in certain)
    mine, used = cast("NumberFormat", one.number), [c.number for c in certain if c.number is not None]
    decimals, thousands = {n.decimal for n in used} - {""}, {n.thousands for n in used} - {""}
    if mine.decimal in thousands or mine.thousands in decimals:
        return False
    return mine.decimal in decimals or mine.thousands in thousands


def _report(style: ColumnFormat, column: Column, findings: Findings, *, follows: bool) -> None:
    how = " (as in the other columns)" if follows else ""
    if style.number is not None and style.number.shown():
        findings.note("number", f"column {column.name} uses {style.number.shown()}{how}", style.number.thousands + style.number.decimal)
    if style.day is not None and style.day.order not in ("ymd", "declared"):
        findings.note("date", f"column {column.name} writes dates as {style.day.shown()}{how}", style.day.order)


def _refuse(spool: Spool, index: int, found: list[ColumnFormat], findings: Findings) -> None:
    column = spool.columns[index]
    if found[0].day is not None:
        choices = tuple(f"date_format: {_pattern(one.day)}" for one in found if one.day)
    else:
        choices = tuple(dict.fromkeys(_choice(one.number) for one in found if one.number))
    example = next(islice((v for chunk in spool.texts(index) for v in chunk.to_pylist() if not v.isdigit()), 1), None)
    findings.wrong(
        f"column {column.name}: values such as {told(example or '', column)} can be read in {len(found)} ways",
        value=given(example or "", column),
        allowed=choices,
        hint="declare one of them in the dataset's options",
    )


def _pattern(day: DateFormat) -> str:
    return {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y", "ymd": "%Y%m%d"}.get(day.order, day.shown())


def _choice(style: NumberFormat) -> str:
    return f"decimal: {style.decimal!r}" if style.decimal else f"thousands: {style.thousands!r}"

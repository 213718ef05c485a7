"""The columns of a contract are distinct: by name, and by their header in the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyceph.core.model.decision import Decision
from polyceph.core.model.place import Place


@dataclass(frozen=True)
class ColumnName:
    """One column's name, its header in the source when declared, and where both stand."""

    name: str
    place: Place
    source_name: str | None = None
    source_place: Place | None = None


def columns_are_distinct(columns: Sequence[ColumnName]) -> tuple[tuple[Decision, Place], ...]:
    """Return a refusal and its place for each column whose name or source header is taken by an earlier one."""
    refusals: list[tuple[Decision, Place]] = []
    names: dict[str, Place] = {}
    headers: dict[str, str] = {}
    for column in columns:
        first = names.setdefault(column.name, column.place)
        if first is not column.place:
            reason = f"column {column.name!r} is declared twice; the first is at line {first.line}"
            refusals.append((Decision(False, "distinct columns", reason, hint="remove or rename one of them"), column.place))
            continue
        header = column.source_name or column.name
        taken = headers.setdefault(header, column.name)
        if taken != column.name:
            reason = f"columns {taken!r} and {column.name!r} both come from the source column {header!r}"
            decision = Decision(False, "distinct columns", reason, hint="give each its own physicalName")
            refusals.append((decision, column.source_place or column.place))
    return tuple(refusals)

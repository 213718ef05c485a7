"""What the platform says of the workbooks in the inbox, cell by cell, held against the wrong cells that were planted in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.bootstrap.inspection import Inspected, declared_reading, inspect
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.federation import Federation
from polyceph.errors import Problem
from polyceph.settings import DomainProcess, Settings
from polyceph.testing.federation.truth import Truth

DATASET = DatasetId("education", Zone.RAW, "returns")
SHARE = "share/education_returns"
INBOX = "inbox"
_CELL = re.compile(r"sheet (?P<sheet>.+), cell (?P<cell>[A-Z]+[0-9]+)")
_ROWS = re.compile(r"column (?P<column>\w+), rows? (?P<rows>[0-9, ]+)")


@dataclass(frozen=True)
class CellFault:
    """Of so many planted wrong cells of a kind so many were named."""

    fault: str
    planted: int
    found: int


@dataclass(frozen=True)
class CellComparison:
    """What was planted and named in the workbooks, by fault, and the problems that name a cell which nobody made wrong."""

    faults: tuple[CellFault, ...]
    unplanted: tuple[Problem, ...]

    @property
    def planted(self) -> int:
        """How many wrong cells there are."""
        return sum(one.planted for one in self.faults)

    @property
    def found(self) -> int:
        """How many of them were named."""
        return sum(one.found for one in self.faults)


def inspect_inbox(federation: Federation, settings: Settings, systems: Path) -> tuple[Inspected, ...]:
    """Let the platform read every workbook of the inbox below the folder of systems, without loading any."""
    folder = systems.resolve() / SHARE
    domain = federation.domains[DATASET.domain]
    # Only the domain's own process is told where its share is; what the inspection needs of it is the folder alone.
    nobody = DomainProcess(name=domain.name, host="", port=0, user="", password="")
    runtime = DomainRuntime(federation, domain, nobody, settings)
    source = domain.sources[declared_reading(runtime, DATASET).source]
    placed = replace(source, options={**source.options, "folder": str(folder)})
    runtime = replace(runtime, domain=replace(domain, sources={**domain.sources, source.name: placed}))
    return inspect(runtime, DATASET, [f"{INBOX}/{path.name}" for path in sorted((folder / INBOX).glob("*.xlsx"))])


def compare_cells(truth: Truth, inspected: Iterable[Inspected]) -> CellComparison:
    """Hold the problems against the planted cells: a cell is found when a problem names it, alone or among the rows of a column."""
    planted = [entry for entry in truth.of("workbook_cell") if entry["file"].startswith(f"{SHARE}/{INBOX}/")]
    by_place = {place: number for number, entry in enumerate(planted) for place in _places_of(entry)}
    found: set[int] = set()
    unplanted = []
    for one in inspected:
        for problem in one.problems:
            named = {by_place[f"{SHARE}/{one.path}", place] for place in _named(problem) if (f"{SHARE}/{one.path}", place) in by_place}
            found |= named
            if not named:
                unplanted.append(problem)
    hits = Counter(planted[number]["fault"] for number in found)
    faults = Counter(entry["fault"] for entry in planted)
    return CellComparison(tuple(CellFault(fault, count, hits[fault]) for fault, count in sorted(faults.items())), tuple(unplanted))


def _places_of(entry: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Return the ways in which a problem may name a planted cell: as Excel does, or by column and row."""
    row = entry["cell"].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    yield entry["file"], f"{entry['sheet']}!{entry['cell']}"
    yield entry["file"], f"{entry['column']}!{row}"


def _named(problem: Problem) -> Iterator[str]:
    if cell := _CELL.fullmatch(problem.place or ""):
        yield f"{cell['sheet']}!{cell['cell']}"
    if rows := _ROWS.fullmatch(problem.place or ""):
        for row in rows["rows"].split(", "):
            yield f"{rows['column']}!{row}"

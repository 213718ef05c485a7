"""Finding the header among the first rows of a table and matching it with the contract's columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from polyceph.connectors.tabular import moments
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.formats import FALSE, TRUE
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.shapes import is_any_closed, shape
from polyceph.connectors.validation import meant
from polyceph.sdk import Column, Invalid, Problem

SEARCHED_ROWS = 50
"""How many rows from the top a header is looked for."""
JOINT = " / "
"""Between the rows of a header that has several."""
Row = tuple[int, list[str]]


class SurveyedError(Exception):
    """Ends the reading of a file of which only the names of its columns are asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("surveyed")
        self.names = [name for name in names if name]


@dataclass(frozen=True)
class Match:
    """How a header fits: contract column index → position, what is missing, surplus cells, and which matches needed folding."""

    positions: dict[int, int]
    surplus: tuple[int, ...]
    folded: tuple[int, ...]

    def is_full(self, count: int) -> bool:
        """Tell whether every promised column is there."""
        return len(self.positions) == count


@dataclass(frozen=True)
class Header:
    """Where the header stands (row numbers; None for no header), its cells, its match, and how many cells a row has."""

    rows: tuple[int, int] | None
    cells: list[str]
    match: Match

    @property
    def last_row(self) -> int:
        """The last row of the header, 0 when there is none."""
        return self.rows[1] if self.rows else 0


def folded(text: str) -> str:
    """Return the text without case, accents, spaces, hyphens and underscores."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[\s_\-\u00ad]+", "", "".join(c for c in plain if not unicodedata.combining(c)))


def match_header(cells: Sequence[str], columns: tuple[Column, ...], dataset: FilesDataset) -> Match:
    """Match header cells with the contract: exactly by source name or name, else by the folded text."""
    exact = {text.strip(): i for i, text in reversed(list(enumerate(cells)))}
    loose = {folded(text): i for i, text in reversed(list(enumerate(cells)))}
    ignored = {folded(name) for name in dataset.ignore_columns}
    positions: dict[int, int] = {}
    by_folding = []
    for index, column in enumerate(columns):
        names = [n for n in (column.source_name, column.name) if n]
        at = next((exact[n.strip()] for n in names if n.strip() in exact), None)
        if at is None:
            at = next((loose[folded(n)] for n in names if folded(n) in loose), None)
            by_folding += [index] if at is not None else []
        if at is not None and at not in positions.values():
            positions[index] = at
    used = set(positions.values())
    surplus = tuple(i for i, text in enumerate(cells) if i not in used and folded(text) not in ignored)
    return Match(positions, surplus, tuple(i for i in by_folding if i in positions))


def find_header(
    rows: Sequence[Row], columns: tuple[Column, ...], dataset: FilesDataset, *, unmerged: Sequence[Row] | None = None
) -> Header | None:
    """Return the declared header, or the first row (or two rows) that hold every promised column, or the best partial one, or none.

    `unmerged` are the same rows with the text of merged cells in each of their cells; without it an empty cell in the upper row of
    a header continues the one to its left.
    """
    joint = rows if unmerged is None else unmerged
    declared = dataset.header_rows()
    if declared is not None:
        chosen = rows if declared[0] == declared[1] else joint
        return _declared(chosen, declared, columns, dataset=dataset, is_unmerged=unmerged is not None)
    if dataset.header == "none":
        return no_header(rows, columns)
    found = [_header(rows[i : i + 1], columns, dataset) for i in range(min(len(rows), SEARCHED_ROWS))]
    full = next((h for h in found if h.match.is_full(len(columns))), None)
    if full is not None:
        return full
    is_unmerged = unmerged is not None
    pairs = [_header(joint[i : i + 2], columns, dataset, is_unmerged=is_unmerged) for i in range(min(len(rows), SEARCHED_ROWS) - 1)]
    full = next((h for h in pairs if h.match.is_full(len(columns))), None)
    best = full or max(found, key=lambda h: len(h.match.positions), default=None)
    return best if best is not None and best.match.positions else None


def _declared(
    rows: Sequence[Row], declared: tuple[int, int], columns: tuple[Column, ...], *, dataset: FilesDataset, is_unmerged: bool
) -> Header:
    chosen = [row for row in rows if declared[0] <= row[0] <= declared[1]]
    if not chosen:
        raise Invalid(f"the header is declared in row {declared[0]}, which is not there or empty")
    header = _header(chosen, columns, dataset, is_unmerged=is_unmerged)
    return Header(declared, header.cells, header.match)


def _header(rows: Sequence[Row], columns: tuple[Column, ...], dataset: FilesDataset, *, is_unmerged: bool = False) -> Header:
    cells = joined([cells for _, cells in rows], is_unmerged=is_unmerged)
    return Header((rows[0][0], rows[-1][0]), cells, match_header(cells, columns, dataset))


def joined(rows: Sequence[Sequence[str]], *, is_unmerged: bool = False) -> list[str]:
    """Join the rows of a header column by column; unless merged cells are filled already, an empty upper cell continues its left one."""
    if len(rows) == 1:
        return [_one_line(cell) for cell in rows[0]]
    width = max(len(row) for row in rows)
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    for row in [] if is_unmerged else filled[:-1]:
        for i in range(1, width):
            row[i] = row[i] or row[i - 1]
    parts = [[_one_line(row[i]) for row in filled] for i in range(width)]
    return [JOINT.join(dict.fromkeys(p for p in column if p)) for column in parts]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def no_header(rows: Sequence[Row], columns: tuple[Column, ...]) -> Header:
    """Return the header of a table that has none: the contract's order."""
    width = len(rows[0][1]) if rows else 0
    positions = {i: i for i in range(min(width, len(columns)))}
    return Header(None, [""] * width, Match(positions, tuple(range(len(columns), width)), ()))


def looks_like_data(cells: Sequence[str], columns: tuple[Column, ...]) -> bool:
    """Tell whether a row is certainly data: right width, at least one typed value, and no typed column that holds something else."""
    if len(cells) != len(columns):
        return False
    typed = [_fits(cell.strip(), c) for cell, c in zip(cells, columns, strict=True) if c.logical_type != "string" and cell.strip()]
    return bool(typed) and all(typed)


def _fits(text: str, column: Column) -> bool:
    if column.logical_type in ("integer", "number"):
        return re.fullmatch(r"[-+]?[\d.,'’\s\u00a0\u202f]*\d[\d.,'’\s\u00a0\u202f]*(?:[eE][-+]?\d+)?\s*[%€]?", text) is not None
    if column.logical_type == "boolean":
        return text.casefold() in TRUE + FALSE
    if column.logical_type in ("date", "timestamp"):
        return bool(re.search(r"\d", text)) and any(
            moments.parse_date(re.split(r"[T ](?=\d{1,2}[:h])", text)[0], style) for style in moments.possible_orders([text])
        )
    return column.logical_type == "time" and moments.parse_time(text) is not None


def check_header(header: Header, columns: tuple[Column, ...], where: dict[str, Any], findings: Findings) -> None:
    """Put every missing, surplus and doubled column into the findings, and report what was matched loosely."""
    if findings.is_sample:
        if not columns:
            raise SurveyedError(header.cells)
        return  # the names come from this very file
    if header.rows is not None and not header.match.positions and is_any_closed(columns):
        # A declared header in which no column is found may be a row of data.
        findings.wrong(f"none of the promised columns ({_promised(columns)}) is in the header", where, hint="declare the right header row")
        return
    cells = header.cells if header.rows else _names_in_order(header, columns)
    findings.form.header(cells, header.match.positions, header.match.surplus)
    known = [cell for cell in header.cells if cell]
    for index, column in enumerate(columns):
        if index in header.match.positions:
            continue
        wanted = column.source_name or column.name
        surplus = tuple(header.cells[i] for i in header.match.surplus if header.cells[i])
        if header.rows is None:
            findings.wrong(
                f"column {column.name} is missing: a row has {len(header.cells)} cells, the contract {len(columns)} columns", where
            )
        else:
            findings.wrong(f"column {wanted!r} is missing", where, value=wanted, allowed=surplus[:12], hint=meant(wanted, known))
    for i in header.match.surplus:
        name = header.cells[i] or f"number {i + 1}, without a header,"
        doubled = name in [header.cells[p] for p in header.match.positions.values()]
        text = f"column {name} stands there twice" if doubled else f"column {name} is not in the contract"
        findings.wrong(
            text,
            where,
            value=header.cells[i] or None,
            hint='add it to the contract or to ignore_columns ("" stands for columns without a header)',
        )
    if header.match.folded:
        pairs = [f"{columns[i].name}: {header.cells[header.match.positions[i]]}" for i in header.match.folded]
        findings.note("header", "columns were found under headers that differ in case, accents or spaces", "; ".join(pairs))


def _names_in_order(header: Header, columns: tuple[Column, ...]) -> list[str]:
    """Return the contract's names for the cells of a table without a header."""
    names = {at: columns[index].source_name or columns[index].name for index, at in header.match.positions.items()}
    return [names.get(at, "") for at in range(len(header.cells))]


def refuse_without_header(rows: Sequence[Row], columns: tuple[Column, ...]) -> Invalid:
    """Return the error for a table in which no row holds any promised column."""
    said = shape if is_any_closed(columns) else str
    first = [Problem(f"row {number} holds: {' | '.join(map(said, cells))[:200]}") for number, cells in rows[:3]]
    return Invalid(
        f"no header: none of the first rows holds the promised columns ({_promised(columns)})",
        problems=first,
        hint="declare header: none or the header's row number, or correct the physicalName of the columns in the contract",
    )


def _promised(columns: tuple[Column, ...]) -> str:
    return ", ".join(c.source_name or c.name for c in columns[:12])

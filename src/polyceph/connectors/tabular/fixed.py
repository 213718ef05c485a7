"""Fixed-width text: each line cut where the dataset declares its columns, and no line of another length taken."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import pyarrow as pa

from polyceph.connectors.tabular.encoding import find_encoding
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.spool import BATCH_ROWS, Locate, Portion
from polyceph.connectors.tabular.totals import looks_like_total
from polyceph.sdk import Column, Invalid, Problem


@dataclass(frozen=True)
class _Slice:
    """A column: the characters from `start` to before `end`, counted from 0."""

    name: str
    start: int
    end: int


def read_fixed(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of a fixed-width text and how to say where a cell is. Positions count characters, not bytes.

    Raises:
        Invalid: no columns are declared, they overlap, the encoding is uncertain, or columns are missing or not promised.
    """
    slices = _slices(dataset)
    encoding = find_encoding(path, dataset.encoding, findings)
    names = [one.name for one in slices]
    header = Header((1, 1), names, match_header(names, columns, dataset))
    check_header(header, columns, {}, findings)
    findings.check()
    wanted = [slices[header.match.positions[i]] for i in range(len(columns))]
    lines = _lines(path, encoding, dataset, width=max(one.end for one in slices), findings=findings)

    def locate(index: int, row: int) -> dict[str, object]:
        return {"line": row, "column": wanted[index].start + 1, "place": f"column {wanted[index].name}"}

    return _portions(lines, wanted), locate


def _slices(dataset: FilesDataset) -> list[_Slice]:
    if not dataset.columns:
        raise Invalid("a fixed-width text needs columns", hint="declare columns: [{name: code, start: 1, length: 5}, …]")
    made: list[_Slice] = []
    for column in dataset.columns:
        start = column.start - 1 if column.start is not None else made[-1].end if made else 0
        made.append(_Slice(column.name, start, start + column.length))
    ordered = sorted(made, key=lambda one: one.start)
    problems = [
        Problem(f"columns {left.name} and {right.name} overlap", value=right.name)
        for left, right in pairwise(ordered)
        if right.start < left.end
    ]
    if problems:
        raise Invalid("columns of the fixed-width text overlap", problems=problems, hint="correct start and length")
    return made


def _lines(path: Path, encoding: str, dataset: FilesDataset, *, width: int, findings: Findings) -> Iterator[tuple[int, str]]:
    """Yield the lines that are rows, with their numbers."""
    held: deque[tuple[int, str]] = deque()
    blank, total = 0, None
    with path.open(encoding=encoding, newline="\n") as file:
        for number, raw in enumerate(file, 1):
            line = raw.removesuffix("\n").removesuffix("\r")
            if number <= dataset.skip_rows or (dataset.comment and line.startswith(dataset.comment)):
                continue
            if not line.strip():
                blank += 1
                continue
            if dataset.stop_at is not None and line.lstrip().casefold().startswith(dataset.stop_at.casefold()):
                findings.note("stop_at", "reading stopped here", f"line {number}")
                break
            total = number if looks_like_total([line.strip()]) else total
            held.append((number, line))
            if len(held) > dataset.skip_footer:
                yield from _of_width(held.popleft(), width, findings)
    # What is held now is the declared footer.
    if blank:
        findings.note("blank rows", "rows without any value are left out", str(blank))
    if total is not None and total not in [number for number, _ in held]:
        findings.note("total", f"the last row that looks like a total stands in line {total}; it is kept", f"line {total}")


def _of_width(found: tuple[int, str], width: int, findings: Findings) -> Iterator[tuple[int, str]]:
    number, line = found
    if len(line) == width:
        yield found
        return
    message = f"the line has {len(line)} characters instead of {width}"
    findings.reject(number, Problem(message, file=findings.file, line=number), text=line)


def _portions(lines: Iterator[tuple[int, str]], wanted: list[_Slice]) -> Iterator[Portion]:
    while part := list(islice(lines, BATCH_ROWS)):
        texts = [pa.array([line[one.start : one.end].strip() for _, line in part], pa.string()) for one in wanted]
        yield Portion(pa.array(array("q", [number for number, _ in part]), pa.int64()), texts, [None] * len(wanted))

"""Rows of JSON documents and of newline-delimited JSON, read strictly: no doubled key, no NaN, no silent change of a type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph.connectors.tabular.documents import FlawAtError, FlawError, JsonText, WrongShapeError, parsed
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.natives import native, shown
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.shapes import given, told
from polyceph.connectors.tabular.spool import BATCH_ROWS, Locate, Portion
from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, Invalid, Problem

Rows = Callable[[Findings], Iterator[tuple[int, dict[str, Any]]]]
"""The rows of a file from its beginning, with their numbers; what cannot be a row becomes a finding."""


def read_records(
    path: Path, columns: tuple[Column, ...], dataset: FilesDataset, *, is_lines: bool, findings: Findings
) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of a JSON document or of a file with one JSON object a line, and how to say where one is.

    Nested members are reached by dotted names (`address.city` as physicalName).

    Raises:
        Invalid: the text is not JSON, the rows are not objects, keys are doubled, or members are missing or not promised.
    """
    rows = partial(_lines, path, dataset) if is_lines else partial(document_rows, path, dataset, dataset.records)
    return read_twice(rows, columns, dataset, findings, where=_line if is_lines else partial(_element, dataset.records or "$"))


def read_twice(
    rows: Rows, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings, *, where: Callable[[int], dict[str, Any]]
) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of objects whose members are found out by a first pass, so that no more than a batch is held in memory."""
    found: dict[str, None] = {}
    is_empty = True
    for _, row in rows(findings):
        is_empty = False
        found.update(dict.fromkeys(_names(row, columns)))
    names = list(found)
    if is_empty:
        findings.check()
        return iter(()), lambda *_: {}
    header = Header((1, 1), names, match_header(names, columns, dataset))
    check_header(header, columns, {}, findings)
    findings.check()
    keys = [names[header.match.positions[i]] for i in range(len(columns))]

    def locate(index: int, row: int) -> dict[str, Any]:
        place = where(row)
        return place | {"place": f"{place['place']}.{keys[index]}" if "place" in place else keys[index]}

    # What is no row was found by the first pass already.
    return portions(rows(Findings(findings.file)), keys, columns, locate, findings), locate


def _line(row: int) -> dict[str, Any]:
    return {"line": row}


def _element(path: str, row: int) -> dict[str, Any]:
    return {"place": f"{path}[{row - 1}]"}


def _lines(path: Path, dataset: FilesDataset, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding=dataset.encoding or "utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = parsed(line)
                except (ValueError, RecursionError) as error:
                    findings.reject(number, Problem(f"the line is not JSON: {error}", file=findings.file, line=number), text=line.strip())
                    continue
                if isinstance(row, dict):
                    yield number, row
                else:
                    findings.reject(number, Problem("the line is not a JSON object", file=findings.file, line=number), text=line.strip())
    except UnicodeDecodeError as error:
        raise Invalid(f"{findings.file} is not text in {dataset.encoding or 'utf-8'}", hint="declare the encoding") from error


def document_rows(
    path: Path, dataset: FilesDataset, records: str | None, findings: Findings, *, on_member: Callable[[str, Any], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of the list at `records` inside a JSON document, numbered from 1; the document is never held whole."""
    try:
        with path.open(encoding=dataset.encoding or "utf-8-sig", newline="\n") as file:
            text = JsonText(file)
            for number, row in enumerate(text.items(tuple(records.split(".")) if records else (), on_member), 1):
                if isinstance(row, dict):
                    yield number, row
                else:
                    problem = Problem("the row is not a JSON object", file=findings.file, place=f"{records or '$'}[{number - 1}]")
                    findings.reject(number, problem, text=shown(row))
    except WrongShapeError as error:
        raise _no_list(error, records, findings) from error
    except FlawAtError as error:
        problem = Problem(error.message, file=findings.file, line=error.line, column=error.column)
        raise Invalid(f"{findings.file} is not JSON", problems=[problem]) from error
    except (FlawError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{findings.file} cannot be read as JSON: {error}") from error


def _no_list(error: WrongShapeError, records: str | None, findings: Findings) -> Invalid:
    if error.wanted is not None:
        problem = Problem(f"{error.walked} has no member {error.wanted!r}", value=error.wanted, allowed=error.members[:20])
        return Invalid(f"{findings.file} has no rows at records: {records}", problems=[problem])
    problem = Problem(f"{error.walked} is no list of rows", allowed=tuple(f"records: {key}" for key in error.lists[:20]))
    return Invalid(f"{findings.file} has no list of rows", problems=[problem], hint="declare records: the path to the list")


def _names(row: dict[str, Any], columns: tuple[Column, ...]) -> Iterator[str]:
    """Yield the members of a row; an object whose members are promised by dotted names is opened."""
    dotted = [c.source_name for c in columns if c.source_name and "." in c.source_name]
    for key, value in row.items():
        inside = [name for name in dotted if name.startswith(f"{key}.") and key not in row.keys() - {key}]
        if isinstance(value, dict) and inside:
            yield from inside
        elif not (value is None and inside):
            yield key


def _member(row: dict[str, Any], key: str) -> Any:
    if key in row or "." not in key:
        return row.get(key)
    here: Any = row
    for part in key.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here


def portions(
    rows: Iterator[tuple[int, dict[str, Any]]], keys: list[str], columns: tuple[Column, ...], locate: Locate, findings: Findings
) -> Iterator[Portion]:
    """Yield numbered objects as portions: their texts as texts, their other values in the columns' types."""
    while part := list(islice(rows, BATCH_ROWS)):
        texts, natives = [], []
        for index, column in enumerate(columns):
            text: list[str | None] = []
            made: list[Any] = []
            for number, row in part:
                value = _member(row, keys[index])
                is_text = isinstance(value, str)
                typed = None if value is None or is_text else _typed(value, column)
                if isinstance(typed, Problem):
                    problem = replace(typed, file=findings.file, **locate(index, number))
                    findings.reject(number, problem, column=column.name, text=shown(value))
                    typed = None
                text.append(value if is_text else None)
                made.append(typed)
            texts.append(pa.array(text, pa.string()))
            natives.append(pa.array(made, arrow_type(column)))
        yield Portion(pa.array([number for number, _ in part], pa.int64()), texts, natives)


def _typed(value: Any, column: Column) -> Any:
    """Return a JSON value in the column's type; a number is no date and no code, since its leading zeros would be gone."""
    if column.logical_type in ("date", "timestamp", "time") or (column.logical_type == "string" and isinstance(value, dict | list)):
        expected = {"string": "a text"}.get(column.logical_type, f"a {column.logical_type} as text")
        text = str(value)[:100]
        return Problem(f"column {column.name}: {told(text, column)} is not {expected}", value=given(text, column))
    return native(value, column)

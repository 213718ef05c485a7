"""Rows of JSON documents and of newline-delimited JSON, read strictly: no doubled key, no NaN, no silent change of a type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.natives import native, shown
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.shapes import given, told
from polyceph.connectors.tabular.spool import BATCH_ROWS, Locate, Portion
from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, Invalid, Problem


class _Flaw(ValueError):
    """Something JSON allows to be written and no row may hold."""


def read_records(
    path: Path, columns: tuple[Column, ...], dataset: FilesDataset, *, is_lines: bool, findings: Findings
) -> tuple[Iterator[Portion], Locate]:
    """Return the rows of a JSON document or of a file with one JSON object a line, and how to say where one is.

    Nested members are reached by dotted names (`address.city` as physicalName).

    Raises:
        Invalid: the text is not JSON, the rows are not objects, keys are doubled, or members are missing or not promised.
    """
    rows = _lines(path, dataset, findings) if is_lines else list(_document(path, dataset, findings))
    found = list(rows)
    if not found:
        findings.check()
        return iter(()), lambda *_: {}
    names = list(dict.fromkeys(name for _, row in found for name in _names(row, columns)))
    header = Header((1, 1), names, match_header(names, columns, dataset))
    check_header(header, columns, {}, findings)
    findings.check()
    keys = [names[header.match.positions[i]] for i in range(len(columns))]

    def locate(index: int, row: int) -> dict[str, Any]:
        if is_lines:
            return {"line": row, "place": keys[index]}
        return {"place": f"{dataset.records or '$'}[{row - 1}].{keys[index]}"}

    return _portions(found, keys, columns, locate, findings), locate


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Flaw(f"key {next(k for k in keys if keys.count(k) > 1)!r} stands there twice")
    return made


def _constant(text: str) -> Any:
    raise _Flaw(f"{text} is no JSON number")


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_decimal)


def _decimal(text: str) -> Any:
    value = float(text)
    # A decimal keeps all digits; a float is enough where it says the same.
    return value if len(text) < 16 else Decimal(text)


def _lines(path: Path, dataset: FilesDataset, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding=dataset.encoding or "utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = _parse(line)
                except ValueError as error:
                    findings.reject(number, Problem(f"the line is not JSON: {error}", file=findings.file, line=number), text=line.strip())
                    continue
                if isinstance(row, dict):
                    yield number, row
                else:
                    findings.reject(number, Problem("the line is not a JSON object", file=findings.file, line=number), text=line.strip())
    except UnicodeDecodeError as error:
        raise Invalid(f"{findings.file} is not text in {dataset.encoding or 'utf-8'}", hint="declare the encoding") from error


def _document(path: Path, dataset: FilesDataset, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        document = _parse(path.read_text(encoding=dataset.encoding or "utf-8-sig"))
    except json.JSONDecodeError as error:
        problem = Problem(error.msg, file=findings.file, line=error.lineno, column=error.colno)
        raise Invalid(f"{findings.file} is not JSON", problems=[problem]) from error
    except (_Flaw, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{findings.file} cannot be read as JSON: {error}") from error
    for number, row in enumerate(_at(document, dataset.records, findings), 1):
        if isinstance(row, dict):
            yield number, row
        else:
            problem = Problem("the row is not a JSON object", file=findings.file, place=f"{dataset.records or '$'}[{number - 1}]")
            findings.reject(number, problem, text=shown(row))


def _at(document: Any, path: str | None, findings: Findings) -> list[Any]:
    here = document
    walked = "$"
    for part in path.split(".") if path else ():
        if not isinstance(here, dict) or part not in here:
            allowed = tuple(here) if isinstance(here, dict) else ()
            problem = Problem(f"{walked} has no member {part!r}", value=part, allowed=allowed)
            raise Invalid(f"{findings.file} has no rows at records: {path}", problems=[problem])
        here, walked = here[part], f"{walked}.{part}"
    if isinstance(here, list):
        return here
    lists = tuple(f"records: {key}" for key, value in here.items() if isinstance(value, list)) if isinstance(here, dict) else ()
    problem = Problem(f"{walked} is no list of rows", allowed=lists)
    raise Invalid(f"{findings.file} has no list of rows", problems=[problem], hint="declare records: the path to the list")


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


def _portions(
    rows: list[tuple[int, dict[str, Any]]], keys: list[str], columns: tuple[Column, ...], locate: Locate, findings: Findings
) -> Iterator[Portion]:
    for begin in range(0, len(rows), BATCH_ROWS):
        part = rows[begin : begin + BATCH_ROWS]
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

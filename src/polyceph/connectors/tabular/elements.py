"""Rows of an XML document: one row for each element at a declared path, columns from its attributes and elements. No DTD, no entities.

The document is read as a stream by expat; no more than a batch of rows is held. Runs in the throw-away process only.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pyarrow as pa

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.spool import BATCH_ROWS, Locate, Portion
from polyceph.sdk import Column, Invalid, Problem

_BLOCK = 1 << 16
_DEEPEST = 64
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_BETWEEN = "\n"
"""Between namespace and name as expat joins them; neither holds one."""
Row = dict[str, list[str]]


@dataclass
class _Rows:
    """Takes expat's events and makes rows: each path below the row's element with its texts."""

    wanted: tuple[str, ...]
    prefixes: dict[str, str]
    made: list[tuple[int, Row]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    inner: list[tuple[str, list[str], bool]] = field(default_factory=list)
    """Elements that are open in the current row: path, pieces of text, whether another element stands inside."""
    row: Row = field(default_factory=dict)
    line: int = 0
    seen: set[str] = field(default_factory=set)
    """Paths of elements outside rows, for the message when none fits."""

    def start(self, tag: str, attributes: list[str], line: int) -> None:
        """Open an element."""
        name = self._name(tag)
        self.stack.append(name)
        if len(self.stack) > _DEEPEST:
            raise _RefusedError(f"elements are nested more than {_DEEPEST} deep")
        if self.inner:
            parent, texts, _ = self.inner[-1]
            self.inner[-1] = (parent, texts, True)
            self.inner.append((f"{parent}/{name}" if parent else name, [], False))
        elif tuple(self.stack) == self.wanted:
            self.row, self.line = {}, line
            self.inner.append(("", [], False))
        else:
            if len(self.seen) < 1_000:
                self.seen.add("/" + "/".join(self.stack))
            return
        path = self.inner[-1][0]
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            if not key.startswith(_INSTANCE + _BETWEEN):
                self.row.setdefault(f"{path}/@{self._name(key)}" if path else f"@{self._name(key)}", []).append(value)

    def text(self, piece: str) -> None:
        """Add text to the open element."""
        if self.inner:
            self.inner[-1][1].append(piece)

    def end(self) -> None:
        """Close an element; the one of a row makes the row."""
        self.stack.pop()
        if not self.inner:
            return
        path, pieces, is_parent = self.inner.pop()
        text = "".join(pieces)
        if text.strip() or (not is_parent and path):
            self.row.setdefault(path or ".", []).append(text)
        if not self.inner:
            self.made.append((self.line, self.row))

    def _name(self, tag: str) -> str:
        space, _, name = tag.rpartition(_BETWEEN)
        prefix = self.prefixes.get(space)
        return f"{prefix}:{name}" if prefix else name


class _RefusedError(Exception):
    """Something that an honest export does not hold."""


def read_xml(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the rows at the path `rows`, and how to say where one is.

    A column is the text of an element (`address/city`), an attribute (`@id`, `address/@kind`), or the row's own text (`.`). A column
    of type array takes an element that stands there several times.

    Raises:
        Invalid: the text is no XML, has a DTD, is nested too deeply, has no such rows, or columns are missing or not promised.
    """
    if dataset.rows is None:
        known = _paths(path, dataset, findings)
        problem = Problem("rows is not declared", allowed=tuple(f"rows: {one}" for one in known))
        raise Invalid(f"{findings.file} needs the option rows", problems=[problem], hint="the path from the root to the element of a row")
    names: dict[str, None] = {}
    lines = array("q")
    for line, row in _rows(path, dataset, findings):
        lines.append(line)
        names.update(dict.fromkeys(row))
    if not lines:
        known = _paths(path, dataset, findings)
        problem = Problem(f"{dataset.rows} is no path of it", value=dataset.rows, allowed=tuple(f"rows: {one}" for one in known))
        raise Invalid(f"{findings.file} has no row at {dataset.rows}", problems=[problem])
    found = list(names)
    header = Header((1, 1), found, match_header(found, columns, dataset))
    check_header(header, columns, {"line": lines[0]}, findings)
    findings.check()
    keys = [found[header.match.positions[i]] for i in range(len(columns))]

    def locate(index: int, row: int) -> dict[str, Any]:
        return {"line": lines[row - 1], "place": f"{dataset.rows}[{row}]/{keys[index]}"}

    return _portions(_rows(path, dataset, findings), keys, columns, locate, findings), locate


def _portions(
    rows: Iterator[tuple[int, Row]], keys: list[str], columns: tuple[Column, ...], locate: Locate, findings: Findings
) -> Iterator[Portion]:
    numbered = enumerate(rows, 1)
    while part := [(number, row) for number, (_, row) in islice(numbered, BATCH_ROWS)]:
        texts = []
        for index, column in enumerate(columns):
            cells = []
            for number, row in part:
                cell = _cell(row.get(keys[index], []), column)
                if isinstance(cell, Problem):
                    problem = replace(cell, file=findings.file, **locate(index, number))
                    findings.reject(number, problem, column=column.name, text=json.dumps(row[keys[index]], ensure_ascii=False))
                cells.append(None if isinstance(cell, Problem) else cell)
            texts.append(pa.array(cells, pa.string()))
        yield Portion(pa.array([number for number, _ in part], pa.int64()), texts, [None] * len(columns))


def _cell(texts: list[str], column: Column) -> str | Problem | None:
    if column.logical_type == "array":
        return json.dumps(texts, ensure_ascii=False)
    if len(texts) > 1:
        hint = "promise the column as an array, or declare rows deeper in the document"
        return Problem(f"column {column.name} stands there {len(texts)} times", hint=hint)
    return texts[0] if texts else None


def _rows(path: Path, dataset: FilesDataset, findings: Findings) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) of each element at the declared path."""
    taken = _Rows(tuple((dataset.rows or "").strip("/").split("/")), {uri: prefix for prefix, uri in dataset.namespaces.items()})
    for _ in _parsed(path, dataset, taken, findings):
        yield from taken.made
        taken.made.clear()


def _paths(path: Path, dataset: FilesDataset, findings: Findings) -> list[str]:
    taken = _Rows((), {uri: prefix for prefix, uri in dataset.namespaces.items()})
    for _ in _parsed(path, dataset, taken, findings):
        pass
    return sorted(taken.seen, key=lambda one: (one.count("/"), one))[:20]


def _parsed(path: Path, dataset: FilesDataset, taken: _Rows, findings: Findings) -> Iterator[None]:
    """Feed a document to `taken`, piece by piece."""
    parser = expat.ParserCreate(dataset.encoding, _BETWEEN)
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_dtd
    parser.EntityDeclHandler = _refuse_dtd
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = lambda tag, attributes: taken.start(tag, attributes, parser.CurrentLineNumber)
    parser.EndElementHandler = lambda _: taken.end()
    parser.CharacterDataHandler = taken.text
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                parser.Parse(block, False)
                yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        problem = Problem(expat.ErrorString(error.code), file=findings.file, line=error.lineno, column=error.offset + 1)
        raise Invalid(f"{findings.file} is no well-formed XML", problems=[problem]) from error
    except (LookupError, ValueError) as error:
        raise Invalid(f"the encoding of {findings.file} is not known: {error}", hint="declare the encoding") from error
    except _RefusedError as error:
        problem = Problem(str(error), file=findings.file, line=parser.CurrentLineNumber)
        raise Invalid(f"{findings.file} is refused", problems=[problem], hint="have it exported without") from error


def _refuse_dtd(*_: object) -> None:
    raise _RefusedError("the document has a DTD or declares entities")

"""Composes YAML into plain values and keeps the line and column of every key and value; what the values mean is elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from polyceph.core.model.place import Place
from polyceph.errors import Problem

MAX_VALUES = 200_000
"""Values one document may have after aliases are expanded: far above real files, far below what an alias bomb makes."""
MAX_DEPTH = 60
"""Nesting of values; libyaml's composer recurses in C and crashes the process on hostile depth, so it is checked beforehand."""

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL, _NULL, _MERGE = (_TAG + name for name in ("str", "int", "float", "bool", "null", "merge"))
_KNOWN_TAGS = frozenset({_STR, _INT, _FLOAT, _BOOL, _NULL, _MERGE, _TAG + "timestamp", _TAG + "map", _TAG + "seq", _TAG + "value"})
_TRUE = frozenset({"yes", "true", "on"})
_OCTAL = re.compile(r"^[-+]?0[0-9_]+$")
_SEXAGESIMAL = re.compile(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$")


class _Composer(CParser, Resolver):
    """libyaml's parser with YAML 1.1 tags, but dates stay text: ODCS and JSON Schema know no dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own class attribute)
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(("timestamp", ":value"))]
        for first, rules in Resolver.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Resolver.__init__(self)

    def descend_resolver(self, current_node: Node | None, current_index: object) -> None:
        """Do nothing: no path resolvers are used, and this is called for every node."""

    def ascend_resolver(self) -> None:
        """Do nothing, as above."""


@dataclass(frozen=True)
class Document:
    """One YAML document: its plain value and where everything stands. `file` is relative to the federation folder."""

    file: str
    value: object
    root: Node

    def place(self, *path: str | int) -> Place:
        """Return where the value at `path` starts; where the nearest thing that exists starts when it is missing."""
        node = self.root
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node = found[1]
        return self._mark(node)

    def key_place(self, *path: str | int) -> Place:
        """Return where the key at the end of `path` stands; for an item of a list, where the item starts."""
        node, key = self.root, self.root
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            key, node = found
        return self._mark(key)

    def written(self, *path: str | int) -> str | None:
        """Return the text of the scalar at `path` as it is written, None for lists, mappings and what is missing."""
        node = self.root
        for part in path:
            found = _child(node, part)
            if found is None:
                return None
            node = found[1]
        return str(node.value) if isinstance(node, ScalarNode) else None

    def has(self, *path: str | int) -> bool:
        """Tell whether the document has a value at `path`."""
        node = self.root
        for part in path:
            found = _child(node, part)
            if found is None:
                return False
            node = found[1]
        return True

    def get(self, *path: str | int) -> object:
        """Return the plain value at `path`, None when it is missing."""
        value: object = self.value
        for part in path:
            is_key = isinstance(value, dict) and part in value
            is_item = isinstance(value, list) and isinstance(part, int) and part < len(value)
            if not (is_key or is_item):
                return None
            value = value[part]  # type: ignore[index]
        return value

    def scalars(self) -> Iterator[tuple[str, str, Place]]:
        """Yield the nearest key, the text and the place of every scalar value, aliases once."""
        seen: set[int] = set()
        stack: list[tuple[str, Node]] = [("", self.root)]
        while stack:
            key, node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, ScalarNode):
                if node.tag not in (_BOOL, _NULL):
                    yield key, str(node.value), self._mark(node)
            elif isinstance(node, SequenceNode):
                stack.extend((key, item) for item in node.value)
            else:
                stack.extend((str(k.value), v) for k, v in node.value)

    def _mark(self, node: Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def documents(file: str, text: str) -> tuple[list[Document], list[Problem]]:
    """Return the YAML documents of a text, and what is wrong with its YAML; a broken document ends the list."""
    if deep := _too_deep(file, text):
        return [], [deep]
    found: list[Document] = []
    problems: list[Problem] = []
    try:
        for root in _roots(text):
            builder = _Builder(file)
            value = builder.build(root, 0)
            problems += builder.problems
            found.append(Document(file, value, root))
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(file, text, error=error))
    except _Stop as stop:
        problems.append(stop.problem)
    return found, problems


def _roots(text: str) -> Iterator[Node]:
    composer = _Composer(text)
    try:
        while composer.check_node():
            root = composer.get_node()
            if root is not None:
                yield root
    finally:
        composer.dispose()


def _child(node: Node, part: str | int) -> tuple[Node, Node] | None:
    """Return the key node and the value node under `part`; an item of a list is its own key."""
    if isinstance(node, SequenceNode) and isinstance(part, int):
        return (node.value[part], node.value[part]) if 0 <= part < len(node.value) else None
    if not isinstance(node, MappingNode):
        return None
    for key, value in node.value:
        if key.value == part and key.tag != _MERGE:
            return key, value
    for key, value in node.value:
        for source in _merged(key, value):
            found = _child(source, part)
            if found is not None:
                return found
    return None


def _merged(key: Node, value: Node) -> list[Node]:
    if key.tag != _MERGE:
        return []
    sources = value.value if isinstance(value, SequenceNode) else [value]
    return [source for source in sources if isinstance(source, MappingNode)]


class _Stop(Exception):
    """The document cannot be built at all."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Builder:
    """Turns nodes into plain values, counting them, and notes what YAML would silently change."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._count = 0

    def build(self, node: Node, depth: int) -> object:
        self._count += 1
        if self._count > MAX_VALUES or depth > MAX_DEPTH:
            limit = f"{MAX_VALUES} values" if depth <= MAX_DEPTH else f"{MAX_DEPTH} levels"
            raise _Stop(self._problem(node, f"the document has more than {limit}", hint="do aliases (*name) contain themselves?"))
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if node.tag not in _KNOWN_TAGS:
            self._tag_problem(node)
        if isinstance(node, SequenceNode):
            return [self.build(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: Node, depth: int) -> dict[str, object]:
        merged: dict[str, object] = {}
        own: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for source in reversed(_merged(key, value)):
                    built = self.build(source, depth + 1)
                    merged |= built if isinstance(built, dict) else {}
                continue
            if not isinstance(key, ScalarNode):
                self.problems.append(self._problem(key, "a list or mapping cannot be a key", hint="put quotes around templates: '{{ … }}'"))
                continue
            name = str(key.value)
            if name in own:
                message = f"key {name!r} is written twice; the first is at line {lines[name]}"
                self.problems.append(self._problem(key, message, hint="keep one of them"))
                continue
            lines[name] = key.start_mark.line + 1
            own[name] = self.build(value, depth + 1)
        return merged | own

    def _scalar(self, node: Node) -> object:
        tag, text = node.tag, str(node.value)
        if tag == _STR:
            return text
        if tag == _NULL:
            return None
        if tag == _BOOL:
            return text.lower() in _TRUE
        if tag in (_INT, _FLOAT):
            return self._number(node, text)
        if tag not in _KNOWN_TAGS:
            self._tag_problem(node)
        return text

    def _number(self, node: Node, text: str) -> object:
        if _OCTAL.fullmatch(text) or _SEXAGESIMAL.fullmatch(text):
            kind = "an octal number" if _OCTAL.fullmatch(text) else "a number in base 60"
            message = f"{text} without quotes is read as {kind}, and loses what was meant"
            self.problems.append(self._problem(node, message, value=text, hint=f'write "{text}" in quotes'))
            return text
        plain = text.replace("_", "").lower()
        try:
            number = float(plain.replace(".inf", "inf").replace(".nan", "nan")) if node.tag == _FLOAT else int(plain, 0)
        except ValueError:
            self.problems.append(self._problem(node, f"{text[:40]!r} is not a number", value=text))
            return text
        return number if math.isfinite(number) and abs(number) < 2**63 else text

    def _tag_problem(self, node: Node) -> None:
        message = f"the YAML tag {node.tag.replace(_TAG, '!!')[:60]!r} is not allowed"
        self.problems.append(self._problem(node, message, hint="write a plain value"))

    def _problem(self, node: Node, message: str, *, value: str | None = None, hint: str | None = None) -> Problem:
        mark = node.start_mark
        return Problem(message, self.file, mark.line + 1, mark.column + 1, value=value, hint=hint)


def _too_deep(file: str, text: str) -> Problem | None:
    """Check the nesting by events, which do not recurse, where the text could be nested deeply at all."""
    if text.count("[") + text.count("{") < 400 and max(map(len, text.splitlines()), default=0) < 1000:
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    place = _at(event.start_mark)
                    return Problem(f"values are nested deeper than {MAX_DEPTH} levels", file, *place)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError as error:
        return _syntax_problem(file, text, error=error)
    return None


def _at(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_problem(file: str, text: str, *, error: yaml.YAMLError) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(f"this is not YAML: {str(error).splitlines()[0]}", file, 1, 1)
    problem = error.problem or error.context or "unreadable"
    mark = error.problem_mark or error.context_mark
    start = error.context_mark
    is_open = "flow" in (error.context or "") and mark is not None and start is not None and mark.line > start.line
    if start is not None and ("unexpected end" in problem or is_open):
        mark, problem = start, "a quote or bracket that is opened here is never closed"
    if mark is None:
        return Problem(f"this is not YAML: {problem}", file, 1, 1)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    message, hint = _explained(problem, line[mark.column : mark.column + 1])
    return Problem(f"this is not YAML: {message}", file, mark.line + 1, mark.column + 1, hint=hint)


def _explained(problem: str, sign: str) -> tuple[str, str | None]:
    if sign == "\t":
        return "a tab stands where spaces are needed", "indent with spaces"
    if "mapping values are not allowed" in problem:
        return "a second ':' on this line, or a wrong indentation above", "put text that contains ': ' in quotes"
    if "cannot start any token" in problem:
        return f"text cannot start with {sign!r}", "put it in quotes"
    if "undefined alias" in problem:
        return "this alias (*name) is defined nowhere above", "define it with &name, or put text that starts with * in quotes"
    if "expected" in problem:
        return problem, "look at the indentation, the quotes and the brackets of this line and the one above"
    return problem, None

"""Reading a JSON text piece by piece: the items of one list inside it, one at a time, strictly. Nothing about rows or columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TextIO

_BLOCK = 1 << 16
_TOKEN = 16
"""No unfinished token at the end of a piece is longer, save a string: `-Infinity`, an escape of twelve characters."""
_SPACE = " \t\r\n"


class FlawError(ValueError):
    """Something that JSON allows to be written and no row may hold."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise FlawError(f"key {next(k for k in keys if keys.count(k) > 1)!r} stands there twice")
    return made


def _constant(text: str) -> Any:
    raise FlawError(f"{text} is no JSON number")


def _decimal(text: str) -> Any:
    value = float(text)
    # A decimal keeps all digits; a float is enough where it says the same.
    return value if len(text) < 16 else Decimal(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_decimal)


def parsed(text: str) -> Any:
    """Return the value of a whole JSON text; raise `ValueError` for a doubled key, NaN, or what is no JSON."""
    return _DECODER.decode(text)


class WrongShapeError(Exception):
    """There is no list where one was asked for: `members` are the good names, `lists` those that hold a list."""

    def __init__(self, walked: str, wanted: str | None, members: tuple[str, ...], lists: tuple[str, ...]) -> None:
        super().__init__(walked)
        self.walked, self.wanted, self.members, self.lists = walked, wanted, members, lists


class JsonText:
    """A JSON text of which only the value that is being read is held. `line` and `column` say where the reading stands, from 1."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._is_whole = False
        self.line, self.column = 1, 1

    def items(self, path: tuple[str, ...], on_member: Callable[[str, Any], None] | None = None) -> Iterator[Any]:
        """Yield the items of the list at a path of members; `on_member` gets the other members of the object that holds the list.

        Raises:
            WrongShapeError: there is no such list.
            FlawError, FlawAtError: the text is not JSON as it may be, here or behind the list; items before were yielded.
            RecursionError: values are nested too deeply.
        """
        yield from self._descend(path, "$", on_member)
        if self._peek():
            raise self._error("more stands behind the end of the document")

    def _descend(self, path: tuple[str, ...], walked: str, on_member: Callable[[str, Any], None] | None) -> Iterator[Any]:
        if not path:
            if self._peek() == "[":
                yield from self._elements()
                return
            raise WrongShapeError(walked, None, (), self._lists() if self._peek() == "{" else ())
        if self._peek() != "{":
            raise WrongShapeError(walked, path[0], (), ())
        found = False
        names = []
        for name in self._members():
            names.append(name)
            if name == path[0]:
                found = True
                yield from self._descend(path[1:], f"{walked}.{name}", on_member)
            elif on_member is not None and len(path) == 1 and self._peek() != "[":
                on_member(name, self._value())
            else:
                self._skip()
        if not found:
            raise WrongShapeError(walked, path[0], tuple(names), ())

    def _lists(self) -> tuple[str, ...]:
        found = []
        for name in self._members():
            found += [name] if self._peek() == "[" else []
            self._skip()
        return tuple(found)

    def _members(self) -> Iterator[str]:
        """Yield the names of an object's members; the caller reads each value before it asks for the next."""
        seen: set[str] = set()
        for _ in self._separated("{", "}"):
            name = self._value() if self._peek() == '"' else None
            if name is None:
                raise self._error("Expecting property name enclosed in double quotes")
            if name in seen:
                raise FlawError(f"key {name!r} stands there twice")
            seen.add(name)
            self._take(":")
            yield name

    def _elements(self) -> Iterator[Any]:
        for _ in self._separated("[", "]"):
            yield self._value()

    def _skip(self) -> None:
        if self._peek() == "[":
            for _ in self._elements():
                pass
        else:
            self._value()

    def _separated(self, begin: str, end: str) -> Iterator[None]:
        self._take(begin)
        if self._peek() == end:
            self._take(end)
            return
        while True:
            yield None
            if self._peek() == end:
                self._take(end)
                return
            self._take(",")

    def _peek(self) -> str:
        """Return the next character that is no space, an empty text at the end."""
        while True:
            start = self._at
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            self._count(start)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._error(f"Expecting {sign!r}")
        self._at += 1
        self._count(self._at - 1)

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _TOKEN
                if is_cut and self._more(double=True):
                    continue
                raise self._error(error.msg, error.pos) from None
            # A number at the very end of a piece may go on in the next.
            if end >= len(self._text) - 1 and self._more():
                continue
            start, self._at = self._at, end
            self._count(start)
            return value

    def _more(self, *, double: bool = False) -> bool:
        if self._is_whole:
            return False
        kept = self._text[self._at :]
        block = self._file.read(max(_BLOCK, len(kept)) if double else _BLOCK)
        if not block:
            self._is_whole = True
            return False
        self._text, self._at = kept + block, 0
        return True

    def _count(self, start: int) -> None:
        breaks = self._text.count("\n", start, self._at)
        self.line += breaks
        self.column = self._at - self._text.rfind("\n", start, self._at) if breaks else self.column + self._at - start

    def _error(self, message: str, at: int | None = None) -> FlawAtError:
        start, self._at = self._at, self._at if at is None else at
        self._count(start)
        return FlawAtError(message, self.line, self.column)


class FlawAtError(ValueError):
    """What is no JSON, and where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column

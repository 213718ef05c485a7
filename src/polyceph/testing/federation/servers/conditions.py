"""Conditions and orders on rows, as the query languages of two kinds of API write them: ODSQL's `where`, OData's `$filter`.

A part of both languages: comparisons of a column with a value, `and`, `or`, `not`, brackets; ODSQL's `in`, `like`, `is null`; OData's
`contains`, `startswith`, `endswith`, `substringof`. Anything else is refused, never passed over.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from polyceph.errors import Invalid
from polyceph.testing.federation.servers.rows import Row

Condition = Callable[[Row], bool]
_LONGEST = 4_000
_DEEPEST = 40
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)
    |(?P<typed>(?:date|datetime|datetimeoffset)'[^']*')
    |(?P<text>'(?:[^']|'')*'|"[^"]*")
    |(?P<number>-?\d+(?:\.\d+)?)[MLDFmldf]?(?![\w.])
    |(?P<name>`[^`]+`|[A-Za-z_][\w/]*)
    |(?P<sign>!=|<>|<=|>=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Dialect:
    """How a language writes its comparisons, and which functions it has."""

    name: str
    comparisons: Mapping[str, str]
    functions: Mapping[str, Callable[[str, str], bool]] = field(default_factory=dict)


ODSQL = Dialect("ODSQL", {sign: sign for sign in _COMPARE} | {"<>": "!="})
ODATA = Dialect(
    "OData",
    {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="},
    {
        "contains": lambda whole, part: part in whole,
        "startswith": str.startswith,
        "endswith": str.endswith,
        "substringof": lambda part, whole: part in whole,
    },
)


def condition(text: str, dialect: Dialect) -> Condition:
    """Return what a condition asks of a row; raise `Invalid` when it is not of the language, or of a part that is not offered."""
    return _Reading(_tokens(text), dialect).whole()


def order(text: str) -> Callable[[Row], Any]:
    """Return the sort key of `column [asc|desc], …`; empty values come first."""
    parts = [part.split() for part in text.split(",")]
    if not all(part and len(part) <= 2 and part[1:] in ([], ["asc"], ["desc"]) for part in parts):
        raise Invalid(f"{text[:60]!r} is no order; write column asc, column desc")

    def key(row: Row) -> tuple[Any, ...]:
        return tuple((_Backwards if part[1:] == ["desc"] else _Forwards)(value(row, part[0].strip("`"))) for part in parts)

    return key


def value(row: Row, path: str) -> Any:
    """Return a column of a row; `a/b` is the column `b` inside `a`."""
    found: Any = row
    for part in path.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def moment(text: str) -> datetime:
    """Return the moment that an ISO 8601 text names, UTC when it has no zone; raise `Invalid` for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text[:40]!r} is no moment; write it as 2025-10-31T06:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Forwards:
    value: Any

    def __lt__(self, other: _Forwards) -> bool:
        return _rank(self.value) < _rank(other.value)


@dataclass(frozen=True)
class _Backwards:
    value: Any

    def __lt__(self, other: _Backwards) -> bool:
        return _rank(other.value) < _rank(self.value)


def _rank(found: Any) -> tuple[int, Any]:
    if found is None:
        return 0, 0
    return (1, found) if isinstance(found, int | float) else (2, str(found))


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    if len(text) > _LONGEST:
        raise Invalid(f"a condition has at most {_LONGEST} characters")
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Invalid(f"the condition cannot be read from {text[at : at + 30].strip()!r} on")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


class _Reading:
    """Reads tokens from left to right: or of and of not of comparisons."""

    def __init__(self, tokens: list[_Token], dialect: Dialect) -> None:
        self._tokens = tokens
        self._dialect = dialect
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        found = self._either()
        if self._at < len(self._tokens):
            raise Invalid(f"{self._tokens[self._at].text[:30]!r} is one word too many in the condition")
        return found

    def _either(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Invalid("the condition has too many brackets")
        parts = [self._both()]
        while self._is("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._is("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Condition:
        negations = 0
        while self._is("not"):
            negations += 1
        found = self._bracketed() if self._is("(") else self._comparison()
        return found if negations % 2 == 0 else lambda row: not found(row)

    def _bracketed(self) -> Condition:
        found = self._either()
        self._must(")")
        return found

    def _comparison(self) -> Condition:
        name = self._next("a column")
        if name.kind != "name":
            raise Invalid(f"{name.text[:30]!r} is no column")
        if name.text in self._dialect.functions:
            return self._function(self._dialect.functions[name.text])
        path, word = name.text.strip("`"), self._next("a comparison").text.lower()
        if self._dialect is ODSQL and word in ("in", "like", "is"):
            return {"in": self._in, "like": self._like, "is": self._is_null}[word](path)
        sign = self._dialect.comparisons.get(word)
        if sign is None:
            raise Invalid(f"{word[:30]!r} is no comparison of {self._dialect.name}")
        return _comparison(path, sign, self._literal())

    def _function(self, function: Callable[[str, str], bool]) -> Condition:
        self._must("(")
        first = self._argument()
        self._must(",")
        second = self._argument()
        self._must(")")
        return lambda row: (a := first(row)) is not None and (b := second(row)) is not None and function(str(a), str(b))

    def _argument(self) -> Callable[[Row], Any]:
        token = self._next("a column or a text")
        if token.kind == "name":
            return lambda row: value(row, token.text)
        if token.kind != "text":
            raise Invalid(f"{token.text[:30]!r} is no column and no text")
        return lambda row: _text(token.text)  # noqa: ARG005

    def _in(self, path: str) -> Condition:
        self._must("(")
        parts = [_comparison(path, "=", self._literal())]
        while self._is(","):
            parts.append(_comparison(path, "=", self._literal()))
        self._must(")")
        return lambda row: any(part(row) for part in parts)

    def _like(self, path: str) -> Condition:
        wanted = str(self._literal()).lower().strip("*%")
        return lambda row: wanted in str(value(row, path) or "").lower()

    def _is_null(self, path: str) -> Condition:
        wants_null = not self._is("not")
        self._must("null")
        return lambda row: (value(row, path) is None) == wants_null

    def _literal(self) -> Any:
        token = self._next("a value")
        if token.kind == "text":
            return _text(token.text)
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind in ("moment", "typed"):
            return moment(token.text.partition("'")[2].rstrip("'") or token.text)
        plain = {"null": None, "true": True, "false": False}
        if token.text.lower() not in plain:
            raise Invalid(f"{token.text[:30]!r} is no value")
        return plain[token.text.lower()]

    def _next(self, wanted: str) -> _Token:
        if self._at >= len(self._tokens):
            raise Invalid(f"the condition ends where {wanted} should come")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else None
        if here is None or here.kind not in ("name", "sign") or here.text.lower() != word:
            return False
        self._at += 1
        return True

    def _must(self, word: str) -> None:
        if not self._is(word):
            raise Invalid(f"{word!r} is missing in the condition")


def _comparison(path: str, sign: str, wanted: Any) -> Condition:
    compare = _COMPARE[sign]

    def holds(row: Row) -> bool:
        found = value(row, path)
        if found is None or wanted is None:
            return sign in ("=", "!=") and compare(found, wanted)
        try:
            return compare(_like_a(wanted, found), wanted)
        except (TypeError, ValueError, Invalid):
            return sign == "!="

    return holds


def _like_a(wanted: Any, found: Any) -> Any:
    """Return what was found as the type of what it is compared with: JSON has no dates, and some services write numbers as text."""
    if isinstance(wanted, datetime):
        return moment(str(found))
    if isinstance(wanted, int | float) and not isinstance(wanted, bool) and isinstance(found, str):
        return float(found)
    return str(found) if isinstance(wanted, str) else found


def _text(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'") if quoted.startswith("'") else quoted[1:-1]

"""Which limits a contract may set to the values of a column, in ODCS's words: `logicalTypeOptions`, and `invalidValues` of its quality."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from polyceph.core.model.contract import ValueRule
from polyceph.core.model.decision import Decision

_ORDERED = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")
_OF_TYPE = {
    "string": (*_LENGTHS, "pattern"),
    "integer": (*_ORDERED, "multipleOf"),
    "number": (*_ORDERED, "multipleOf"),
    "date": _ORDERED,
    "timestamp": _ORDERED,
    "time": _ORDERED,
}
_NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]")
"""Look-around and back references: the engines that check millions of values cannot do them."""


def rules_of(options: Mapping[str, object], logical_type: str, *, column: str) -> tuple[list[ValueRule], list[tuple[str, Decision]]]:
    """Return the rules that a column's `logicalTypeOptions` set, and refusals by option where they make no sense."""
    known = _OF_TYPE.get(logical_type, ())
    rules: list[ValueRule] = []
    refused: list[tuple[str, Decision]] = []
    for name, value in options.items():
        if name not in known:
            continue  # it says how values are written, or the standard itself has refused it
        complaint = _complaint(name, value, logical_type)
        if complaint:
            refused.append((name, Decision(False, "value rule", f"{name} of column {column}: {complaint}")))
        else:
            rules.append(ValueRule(name, (_text(value),)))
    return rules, refused


def list_rule(values: Sequence[object], logical_type: str, *, column: str) -> tuple[ValueRule | None, Decision]:
    """Return the rule that only these values are good, or the refusal."""
    wrong = [str(value) for value in values if _unreadable(value, logical_type)]
    if not values or wrong:
        reason = f"validValues of column {column}: " + (f"{wrong[0]!r} is no {logical_type}" if wrong else "the list is empty")
        return None, Decision(False, "value rule", reason)
    return ValueRule("validValues", tuple(map(_text, values))), Decision(True, "value rule", f"{len(values)} good values")


def _complaint(name: str, value: object, logical_type: str) -> str | None:
    if name in _LENGTHS:
        return None  # the standard takes whole numbers only
    if name == "pattern":
        return _bad_pattern(value)
    if name == "multipleOf":
        return "it is a number above 0" if _unreadable(value, "number") or Decimal(str(value)) <= 0 else None
    return f"{value!r} is no {logical_type}" if _unreadable(value, logical_type) else None


def _bad_pattern(value: object) -> str | None:
    if not isinstance(value, str):
        return "it is a regular expression as text"
    if _NOT_RE2.search(value):
        return "it looks around or back; write it without (?=…), (?!…), (?<…) and \\1"
    try:
        re.compile(value)
    except re.error as error:
        return f"it is no regular expression: {error}"
    return None


_READ: Mapping[str, Callable[[str], object]] = {
    "integer": int,
    "number": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "time": time.fromisoformat,
}


def _unreadable(value: object, logical_type: str) -> bool:
    if value is None or isinstance(value, bool | list | dict):
        return True
    try:
        _READ.get(logical_type, str)(_text(value))
    except (ValueError, InvalidOperation):
        return True
    return False


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)

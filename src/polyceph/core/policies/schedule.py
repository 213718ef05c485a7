"""When things run: five-field cron expressions that Dagster understands and that fire at least once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from polyceph.core.model.decision import Decision

SHORTHANDS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


def schedule_is_cron(schedule: str) -> Decision:
    """Refuse a schedule that is not a cron expression of five fields, or that never comes."""
    if schedule in SHORTHANDS:
        return Decision(True, "schedule", f"{schedule} is a schedule")
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return _refused(schedule, f"it has {len(fields)} fields and needs 5: minute hour day month weekday")
    values: list[set[int]] = []
    for text, field in zip(fields, _FIELDS, strict=True):
        found = _values(text, field)
        if isinstance(found, str):
            return _refused(schedule, found)
        values.append(found)
    if fields[4] == "*" and min(values[2]) > max(_LONGEST_MONTH[month - 1] for month in values[3]):
        return _refused(schedule, "no month of these has that day, so it would never run")
    return Decision(True, "schedule", f"{schedule} is a schedule")


def _refused(schedule: str, why: str) -> Decision:
    return Decision(
        False, "schedule", f"schedule {schedule!r} is no cron expression: {why}", hint='write for example "0 5 * * *" (05:00 every day)'
    )


def _values(text: str, field: _Field) -> set[int] | str:
    """Return the numbers a cron field stands for, or what is wrong with it."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if "/" in part and not (step.isascii() and step.isdigit() and 0 < int(step[:9]) <= field.high):
            return f"step {step!r} of the {field.name} is not a number from 1 to {field.high}"
        limits = _limits(span, field)
        if isinstance(limits, str):
            return limits
        low, high = limits
        found.update(range(low, (field.high if step and "-" not in span else high) + 1, int(step or 1)))
    return found


def _limits(span: str, field: _Field) -> tuple[int, int] | str:
    if span == "*":
        return field.low, field.high
    ends = [_number(end, field) for end in span.split("-")]
    if len(ends) > 2 or None in ends:
        return f"{field.name} {span!r} is not a number from {field.low} to {field.high}"
    low, high = ends[0], ends[-1]
    if low is None or high is None or low > high:
        return f"{field.name} {span!r} runs backwards"
    return low, high


def _number(text: str, field: _Field) -> int | None:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + (1 if field.low == 1 else 0)
    if not re.fullmatch(r"[0-9]{1,2}", text) or not field.low <= int(text) <= field.high:
        return None
    return int(text)

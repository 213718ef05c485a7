"""Dates, times and timestamps as people write them: which order a column uses, and one text as a date. Standard library only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Order = Literal["dmy", "mdy", "ymd", "serial", "declared"]

_MONTHS = (
    "january janvier januari januar jan janv",
    "february fevrier februari februar feb fev fevr",
    "march mars maart marz maerz mar mrt",
    "april avril apr avr",
    "may mai mei",
    "june juin juni jun",
    "july juillet juli jul juil",
    "august aout augustus aug",
    "september septembre sep sept",
    "october octobre oktober oct okt",
    "november novembre nov",
    "december decembre dezember dec dez",
)
_MONTH = {name: i + 1 for i, names in enumerate(_MONTHS) for name in names.split()}
_ENGLISH = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_NUMERIC = re.compile(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{4}|\d{1,2})")
_COMPACT = re.compile(r"\d{8}")
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.0+)?")
_NAMED = re.compile(r"(?:[^\W\d]+\.?,? +)?(\d{1,2})(?:er|e|\.)?[ -]*([^\W\d]+)\.?[ -]*(\d{4}|\d{2})")
_NAMED_FIRST = re.compile(r"([^\W\d]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_TIME = re.compile(r"(\d{1,2})(?:[:hH](\d{2})?)(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([aApP][mM])?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?")
_LONG_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)|^\d{8}$")
_EPOCH_1900 = date(1899, 12, 30)
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class DateFormat:
    """How the dates of a column are written; `pattern` is a declared strptime format."""

    order: Order
    pattern: str = ""
    has_long_years: bool = False
    """Years have four digits, so that what begins or ends with two is no date: 25-04-18 may be a 2025-04-18 that lost two."""

    def shown(self) -> str:
        """Return the format in words."""
        words = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year-month-day", "serial": "Excel day numbers"}
        return self.pattern or words[self.order]


def possible_orders(texts: Iterable[str]) -> list[DateFormat]:
    """Return the orders that read the most of these texts and read them differently; one is certainty.

    A two-digit year always stands last; one that stands first has to be declared.
    """
    seen = list(texts)
    has_long_years = any(_LONG_YEAR.search(text) for text in seen)
    orders: tuple[Order, ...] = ("ymd", "dmy", "mdy", "serial")
    readings = {order: [parse_date(text, DateFormat(order, has_long_years=has_long_years)) for text in seen] for order in orders}
    counts = {order: sum(value is not None for value in values) for order, values in readings.items()}
    best = max(counts.values())
    chosen: list[Order] = []
    for order in orders:
        if counts[order] == best and all(readings[order] != readings[other] for other in chosen):
            chosen.append(order)
    return [DateFormat(order, has_long_years=has_long_years) for order in chosen]


def parse_date(text: str, style: DateFormat) -> date | None:
    """Return the date, None when the text is none in this format. Two-digit years follow POSIX: 69-99 are 19xx."""
    try:
        if style.order == "declared":
            return datetime.strptime(_english(text, style.pattern), style.pattern).date()  # noqa: DTZ007 - a date has no zone
        if style.order == "serial":
            return _EPOCH_1900 + timedelta(days=int(text.split(".", maxsplit=1)[0])) if _SERIAL.fullmatch(text) else None
        if style.has_long_years and not _LONG_YEAR.search(text):
            return None
        return _numeric(text, style.order) or _named(text)
    except ValueError:
        return None


def _numeric(text: str, order: Order) -> date | None:
    found = _NUMERIC.fullmatch(text)
    if found is None:
        return _compact(text, order) if _COMPACT.fullmatch(text) else None
    first, second, third = found[1], found[3], found[4]
    if len(first) == 4:
        return date(int(first), int(second), int(third)) if len(third) <= 2 else None
    if len(first) == 3 or len(third) == 1 or order == "ymd":
        return None
    day, month = (first, second) if order == "dmy" else (second, first)
    return date(_year(third), int(month), int(day))


def _compact(text: str, order: Order) -> date:
    if order == "ymd":
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    day, month = (text[:2], text[2:4]) if order == "dmy" else (text[2:4], text[:2])
    return date(int(text[4:]), int(month), int(day))


def _named(text: str) -> date | None:
    found = _NAMED.fullmatch(text)
    if found is not None:
        month = _MONTH.get(_folded(found[2]))
        return date(_year(found[3]), month, int(found[1])) if month else None
    found = _NAMED_FIRST.fullmatch(text)
    month = _MONTH.get(_folded(found[1])) if found else None
    return date(int(found[3]), month, int(found[2])) if found and month else None


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= 69 else 2000)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def _english(text: str, pattern: str) -> str:
    """Replace a French, Dutch or German month name by the English one, which strptime reads in every locale."""
    if "%B" not in pattern and "%b" not in pattern:
        return text

    def name(found: re.Match[str]) -> str:
        month = _MONTH.get(_folded(found[0].rstrip(".")))
        return found[0] if month is None else _ENGLISH[month - 1] if "%B" in pattern else _ENGLISH[month - 1][:3]

    return re.sub(r"[^\W\d]+\.?", name, text)


def parse_time(text: str) -> tuple[int, timedelta | None] | None:
    """Return microseconds since midnight and the stated offset from UTC, None when the text is no time."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second = (int(found[i] or 0) for i in (1, 2, 3))
    half = (found[5] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    if hour > 23 or minute > 59 or second > 59:
        return None
    micro = int((found[4] or "0").ljust(6, "0")[:6])
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro, _offset(found[6])


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if text[0] == "-" else offset


def parse_declared(text: str, pattern: str) -> tuple[int, timedelta | None] | None:
    """Return microseconds since 1970 of a timestamp in a declared format, and its offset; None when it does not fit."""
    try:
        moment = datetime.strptime(_english(text, pattern), pattern)  # noqa: DTZ007 - the zone is added by the caller
    except ValueError:
        return None
    offset = moment.utcoffset()
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1), offset

"""Numbers as people write them: which separators a column uses, and its texts as Arrow integers, floats or decimals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.types import decimal_digits
from polyceph.sdk import Column

_SPACES = "[\u0020\u00a0\u2007\u2009\u202f]"
_CURRENCY = r"(?i)^(?:€|eur|\$|usd|£|gbp)[\s\x{00a0}\x{202f}]*|[\s\x{00a0}\x{202f}]*(?:€|eur|euros?|\$|usd|£|gbp)$"
_NAMES = {" ": "space", ".": "dot", ",": "comma", "'": "apostrophe"}
_INT64 = (-(2**63), 2**63 - 1)

Texts = Callable[[], Iterator[pa.Array]]


@dataclass(frozen=True)
class NumberFormat:
    """Separators of a column; empty means that it uses none. `is_percent`: values end with a percent sign, as most of the column do."""

    thousands: str = ""
    decimal: str = ""
    is_percent: bool = False

    def pattern(self) -> str:
        """Return the RE2 pattern of one cleaned value; thousands come in full groups of three."""
        whole = r"\d+"
        if self.thousands:
            whole = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+)"
        if not self.decimal:
            return rf"^-?{whole}$"
        part = re.escape(self.decimal)
        power = r"(?:[eE][-+]?\d+)?" if self.decimal == "." and not self.thousands else ""
        return rf"^-?(?:{whole}(?:{part}\d+)?|{part}\d+){power}$"

    def shown(self) -> str:
        """Return the format in words."""
        parts = [f"{_NAMES[c]} as {role}" for c, role in ((self.thousands, "thousands separator"), (self.decimal, "decimal")) if c]
        return ", ".join(parts + (["percent sign removed, value as written"] if self.is_percent else []))


def cleaned(texts: pa.Array) -> pa.Array:
    """Return the texts without outer space, currency and plus sign, with one kind of space, minus and apostrophe."""
    texts = pc.utf8_trim_whitespace(texts)
    if not _any(texts, r"[^0-9.,\-]"):
        return _leading_minus(texts)
    texts = pc.replace_substring_regex(texts, _CURRENCY, "")
    texts = pc.replace_substring_regex(texts, _SPACES, " ")
    texts = pc.replace_substring_regex(texts, "[’´`]", "'")
    texts = pc.replace_substring_regex(texts, "^[−–]", "-")
    return _leading_minus(pc.replace_substring_regex(texts, r"^([-+]?) ?", r"\1") if _any(texts, "^[-+ ]") else texts)


def _leading_minus(texts: pa.Array) -> pa.Array:
    """Put a minus that stands behind, as SAP writes it, to the front; drop a plus."""
    if _any(texts, r"^\+|-$"):
        texts = pc.replace_substring_regex(texts, r"^\+", "")
        texts = pc.replace_substring_regex(texts, r"^([^-].*?) ?-$", r"-\1")
    return texts


def _any(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def possible_formats(texts: Texts, column: Column, dataset: FilesDataset) -> list[NumberFormat]:
    """Return the formats that fit the most values and that read at least one value differently; one is certainty.

    A lone group of three digits behind a comma or dot (14,304) fits both readings. In an integer column it can only be thousands.
    """
    present, is_percent = _present(texts), percent_is_usual(texts())
    whole_only = column.logical_type == "integer"
    candidates = list(_candidates(present, dataset, whole_only=whole_only, is_percent=is_percent))
    counts = dict.fromkeys(candidates, 0)
    for chunk in texts():
        ready = _of_percent(cleaned(chunk)) if is_percent else cleaned(chunk)
        for one in candidates:
            counts[one] += pc.sum(pc.match_substring_regex(ready, one.pattern())).as_py() or 0
    best = max(counts.values())
    fitting = sorted((c for c in candidates if counts[c] == best), key=lambda c: len(c.thousands) + len(c.decimal))
    return [c for i, c in enumerate(fitting) if all(_contradict(c, other) for other in fitting[:i])]


def _present(texts: Texts) -> str:
    present = set()
    for chunk in texts():
        ready = cleaned(chunk)
        present |= {c for c in _NAMES if c not in present and pc.any(pc.match_substring(ready, c)).as_py()}
    return "".join(c for c in _NAMES if c in present)


def _candidates(present: str, dataset: FilesDataset, *, whole_only: bool, is_percent: bool) -> Iterator[NumberFormat]:
    decimals = ("",) if whole_only else ("", *(c for c in present if c in ".,"))
    if dataset.decimal is not None and not whole_only:
        decimals = (dataset.decimal,)
    thousands = ("", *present) if dataset.thousands is None else (dataset.thousands,)
    for decimal in decimals:
        for separator in thousands:
            if separator and separator in (decimal, dataset.decimal):
                continue
            yield NumberFormat(separator, decimal, is_percent)


def _contradict(one: NumberFormat, other: NumberFormat) -> bool:
    """Tell whether the two give a separator different roles; otherwise the simpler one reads everything the same."""
    roles = ((one.thousands, other.decimal), (one.decimal, other.thousands))
    return any(a and a == b for a, b in roles)


def _of_percent(texts: pa.Array) -> pa.Array:
    """Return the texts without their percent sign, null for those that have none: 5 beside 5 % may be a fifth of it or the same."""
    return _where(pc.match_substring(texts, "%"), pc.replace_substring_regex(texts, r" ?%$", ""))


def percent_is_usual(texts: Iterable[pa.Array]) -> bool:
    """Tell whether half the values of a column or more carry a percent sign."""
    signed = [(pc.sum(pc.match_substring_regex(chunk, "%\\s*$")).as_py() or 0, len(chunk)) for chunk in texts]
    return 0 < sum(all_ for _, all_ in signed) <= 2 * sum(with_sign for with_sign, _ in signed)


def numbers(texts: pa.Array, style: NumberFormat, column: Column) -> pa.Array:
    """Return the texts as the column's Arrow type; null where a text is no such number or does not fit."""
    ready = cleaned(texts)
    if style.is_percent:
        ready = _of_percent(ready)
    fits = pc.match_substring_regex(ready, style.pattern())
    if style.thousands:
        ready = pc.replace_substring(ready, style.thousands, "")
    if style.decimal == ",":
        ready = pc.replace_substring(ready, ",", ".")
    if column.logical_type == "integer":
        return _integers(_where(fits, ready))
    digits = decimal_digits(column)
    return _decimals(_where(fits, ready), digits) if digits else _where(fits, ready).cast(pa.float64())


def _where(fits: pa.Array, texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.fill_null(fits, False), texts, pa.scalar(None, pa.string()))


def _integers(texts: pa.Array) -> pa.Array:
    longest = pc.max(pc.utf8_length(texts)).as_py() or 0
    if longest <= 18:
        return texts.cast(pa.int64())
    return pa.array([_int64(text) for text in texts.to_pylist()], pa.int64())


def _int64(text: str | None) -> int | None:
    value = None if text is None or len(text) > 40 else int(text)
    return value if value is not None and _INT64[0] <= value <= _INT64[1] else None


def _decimals(texts: pa.Array, digits: tuple[int, int]) -> pa.Array:
    precision, scale = digits
    texts = pc.replace_substring_regex(texts, rf"(\.\d{{0,{scale}}}?)0+$", r"\1")
    texts = pc.replace_substring_regex(texts, r"\.$", "")
    texts = pc.replace_substring_regex(texts, r"^(-?)(?:0+(\d)|\.)", r"\1\2") if _any(texts, r"^-?0\d") else texts
    fraction = rf"(?:\.\d{{1,{scale}}})?" if scale else ""
    fits = pc.match_substring_regex(texts, rf"^-?\d{{0,{precision - scale}}}{fraction}$")
    return _where(fits, texts).cast(pa.decimal128(precision, scale))

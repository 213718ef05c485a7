"""How a delivery's form differs from the contract and from the last form, and which differences stop a load."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.drift import Difference, Form, FormColumn, Kind

ENOUGH_ROWS = 20
"""Of fewer rows without a value, or of another look, nothing is concluded."""
_MOSTLY = 0.5
_RENAMED = 0.5
_FAMILIES = (
    ("nested", r"json|struct|list|map|array|object|\[\]"),
    ("text", r"char|text|string|lob|uuid|utf8|name|enum|^set$|binary"),
    ("date", r"date|time"),
    ("number", r"(^|big|small|medium|tiny|huge|u|ar)int(?!er[vc])|num|dec|float|double|real|serial|money|long|^year$"),
    ("boolean", r"bool|^bit$"),
)
_LOGICAL = {"integer": "number", "number": "number", "date": "date", "timestamp": "date", "time": "date", "boolean": "boolean"}
_LOGICAL |= {"string": "text", "array": "nested", "object": "nested"}


def differences(contract: Contract, last: Form | None, form: Form) -> tuple[Difference, ...]:
    """Return how a form differs from what the contract promises and from the last form that was loaded; none when it conforms.

    What only tells how the same was written down (order, encoding, delimiter, spelling that the reader sees through) does not stop.
    """
    if form.asked:
        # Without an earlier load it is a mistake in the declarations, which their author hears of.
        return (Difference(Kind.TABLE, "", form.asked, form.table or "nothing", stops=True),) if last else ()
    match = _Match(contract, last, form)
    found = (*_names(match), *_values(match), *_writing(match))
    return tuple(found)


def stops(found: tuple[Difference, ...]) -> bool:
    """Tell whether a delivery with these differences has to wait for a decision."""
    return any(one.stops for one in found)


def folded(text: str) -> str:
    """Return a name without case, accents, spaces, hyphens and underscores."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[\s_\-\u00ad]+", "", "".join(c for c in plain if not unicodedata.combining(c)))


def family(column: FormColumn) -> str:
    """Return what a column is about: number, text, date, boolean, nested; empty when that is not sure."""
    if column.type and column.type != "text":
        return next((name for name, words in _FAMILIES if re.search(words, column.type, re.IGNORECASE)), "")
    return column.holds if column.holds in ("text", "number", "date") else "text" if column.type and not column.holds else ""


def logical_type(column: FormColumn) -> str:
    """Return the contract's type that surely holds a column's values."""
    return {"number": "number", "boolean": "boolean", "nested": "object"}.get(family(column), "string")


@dataclass(frozen=True)
class _Match:
    """Which column of the form, and of the last one, is which of the contract; by position in `columns`."""

    contract: Contract
    last: Form | None
    form: Form

    @cached_property
    def now(self) -> Mapping[str, int]:
        return _positions(self.contract, self.form)

    @cached_property
    def before(self) -> Mapping[str, int]:
        return _positions(self.contract, self.last) if self.last else {}

    @cached_property
    def pairs(self) -> list[tuple[Column, FormColumn, FormColumn | None]]:
        """Return each promised column that came, as it is now and as it was before."""
        there = [c for c in self.contract.columns if c.name in self.now]
        return [(c, self.form.columns[self.now[c.name]], self.known(c.name)) for c in there]

    def known(self, name: str) -> FormColumn | None:
        """Return a promised column as it was in the last form."""
        return self.last.columns[self.before[name]] if self.last and name in self.before else None


def _wanted(column: Column) -> tuple[str, ...]:
    return tuple(name.strip() for name in (column.source_name, column.name) if name)


def _positions(contract: Contract, form: Form) -> dict[str, int]:
    exact = {one.name.strip(): at for at, one in reversed(list(enumerate(form.columns)))}
    loose = {} if form.is_exact else {folded(name): at for name, at in exact.items()}
    found: dict[str, int] = {}
    for column in contract.columns:
        names = [*(exact.get(name) for name in _wanted(column)), *(loose.get(folded(name)) for name in _wanted(column))]
        at = next((one for one in names if one is not None and one not in found.values()), None)
        if at is not None:
            found[column.name] = at
    return found


def _names(match: _Match) -> Iterator[Difference]:
    """Yield what is added, removed, renamed, spelt otherwise or doubled."""
    form, used = match.form, set(match.now.values())
    missing = [c for c in match.contract.columns if c.name not in match.now]
    surplus = [at for at in range(len(form.columns)) if at not in used]
    taken = {folded(form.columns[at].name) for at in used}
    earlier = {one.name for one in match.last.columns} if match.last else set()
    for at in [one for one in surplus if folded(form.columns[one].name) in taken and not form.is_exact]:
        surplus.remove(at)
        yield Difference(Kind.DUPLICATED, form.columns[at].name, "one column", "another of this name", stops=True)
    for column, at in _renamed(match, missing, surplus):
        missing.remove(column)
        surplus.remove(at)
        name, wanted = form.columns[at].name, _wanted(column)[0]
        is_same = folded(name) in map(folded, _wanted(column))
        yield Difference(Kind.RESPELT if is_same else Kind.RENAMED, column.name, wanted, name, stops=True)
    for column in missing:
        yield Difference(Kind.REMOVED, column.name, _wanted(column)[0], "no such column", stops=True)
    for at in surplus:
        # A reader that leaves columns out knows them as new only against what was there before.
        if not form.is_open or (match.last is not None and form.columns[at].name not in earlier):
            yield Difference(Kind.ADDED, form.columns[at].name, "", _told(form.columns[at]), stops=True)
    for column, now, before in match.pairs:
        known = before.name if before else None
        if now.name.strip() not in _wanted(column) and now.name != known:
            yield Difference(Kind.RESPELT, column.name, known or _wanted(column)[0], now.name, stops=False)


def _renamed(match: _Match, missing: list[Column], surplus: list[int]) -> list[tuple[Column, int]]:
    """Return the missing columns that came under another name: alike in name, place and values; the likeliest first."""
    scored = [(_likeness(match, column, at), column, at) for column in missing for at in surplus]
    found: list[tuple[Column, int]] = []
    for score, column, at in sorted(scored, key=lambda one: (-one[0], one[1].name, one[2])):
        is_free = all(column is not other and at != place for other, place in found)
        if score >= _RENAMED and is_free:
            found.append((column, at))
    return found


def _likeness(match: _Match, column: Column, at: int) -> float:
    one, known = match.form.columns[at], match.known(column.name)
    if match.form.is_open and match.last is not None and one.name in {c.name for c in match.last.columns}:
        return 0.0  # it was there beside the missing one
    name = max(SequenceMatcher(None, folded(one.name), folded(wanted)).ratio() for wanted in _wanted(column))
    place = match.before.get(column.name, [c.name for c in match.contract.columns].index(column.name))
    mine, expected = family(one), (family(known) if known else "") or _LOGICAL.get(column.logical_type, "")
    if mine and expected and mine != expected and "text" not in (mine, expected) and name < 0.8:
        return 0.0
    return 0.5 * name + 0.3 * (place == at) + 0.2 * (not mine or mine == expected or one.holds == "mixed")


def _values(match: _Match) -> Iterator[Difference]:
    """Yield columns whose values are of another type, written otherwise, or gone."""
    rows = match.form.rows
    is_enough = rows is None or rows >= ENOUGH_ROWS
    for column, now, before in match.pairs:
        was, is_ = _was(column, before), family(now)
        written = bool(before and before.written and now.written and before.written != now.written)
        kind = {"date": Kind.DATES, "number": Kind.DECIMALS}.get(_LOGICAL.get(column.logical_type, ""))
        if now.filled == 0 and before and (before.filled or 0) >= _MOSTLY and is_enough:
            yield Difference(Kind.EMPTIED, column.name, "values", f"none in {rows or 'all'} rows", stops=True)
        elif not now.fits and kind is not None and is_ == _LOGICAL[column.logical_type]:
            yield Difference(kind, column.name, (before.written if before else "") or column.logical_type, now.written or is_, stops=True)
        elif not now.fits or (_is_comparable(column, now, before) and was != is_ and (is_enough or now.type)):
            yield Difference(Kind.RETYPED, column.name, was, is_ or now.holds or "another type", stops=True)
        elif written and kind is not None and before is not None:
            yield Difference(kind, column.name, before.written, now.written, stops=False)


def _is_comparable(column: Column, now: FormColumn, before: FormColumn | None) -> bool:
    """Tell whether two looks of a column can be held against each other: what a text looks like matters where a text is promised."""
    is_typed = bool(now.type) and not (now.type == "text" and now.holds)  # a text that was looked at comes from a file
    return before is not None and bool(family(before) and family(now)) and (is_typed or column.logical_type == "string")


def _was(column: Column, before: FormColumn | None) -> str:
    return (family(before) if before else "") or _LOGICAL.get(column.logical_type, column.logical_type)


def _writing(match: _Match) -> Iterator[Difference]:
    """Yield what only tells how the same was written down."""
    if match.last is None:
        return
    both = [c.name for c in match.contract.columns if c.name in match.now and c.name in match.before]
    was, is_ = sorted(both, key=match.before.__getitem__), sorted(both, key=match.now.__getitem__)
    if was != is_:
        moved = [name for name, other in zip(is_, was, strict=True) if name != other]
        yield Difference(Kind.REORDERED, "", ", ".join(was)[:200], ", ".join(moved)[:200], stops=False)
    for kind, key in ((Kind.ENCODING, "encoding"), (Kind.DELIMITER, "delimiter"), (Kind.TABLE, "table")):
        before, now = getattr(match.last, key), getattr(match.form, key)
        if before and now and before != now:
            yield Difference(kind, "", before, now, stops=False)


def _told(column: FormColumn) -> str:
    return column.type or column.holds or "a column"

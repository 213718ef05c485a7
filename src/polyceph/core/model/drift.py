"""Drift: what a delivery looked like, how that differs from what is promised and what came before, and what was decided about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid

_MOST_COLUMNS = 20_000
_LONGEST_TEXT = 5_000


@dataclass(frozen=True)
class FormColumn:
    """One column of a delivery, as its source shows it."""

    name: str
    type: str = ""
    """The source's own word; empty where the source has no types."""
    holds: str = ""
    """What the values look like: text, number, date, mixed; empty when nobody looked."""
    written: str = ""
    """How dates or decimals are written: ymd, dmy, mdy; a comma or a dot."""
    filled: float | None = None
    """Share of rows with a value; None when nobody counted."""
    fits: bool = True
    """False when not one of its values can become what the contract promises."""


@dataclass(frozen=True)
class Form:
    """What a delivery looked like: its columns in order, and how they were written down."""

    columns: tuple[FormColumn, ...]
    encoding: str = ""
    delimiter: str = ""
    table: str = ""
    """Sheet or table; when `asked` was not found, those that are there."""
    asked: str = ""
    """The sheet or table that the declarations name and that is not there."""
    rows: int | None = None
    is_open: bool = False
    """Whether the reader takes the columns it is asked for and leaves others out."""
    is_exact: bool = False
    """Whether the reader finds a column by exactly its name alone; otherwise case, accents and spaces do not matter."""


class Kind(StrEnum):
    """In which way a form differs."""

    ADDED = "column added"
    REMOVED = "column removed"
    RENAMED = "column renamed"
    RESPELT = "column spelt otherwise"
    RETYPED = "column of another type"
    EMPTIED = "column emptied"
    DUPLICATED = "column duplicated"
    DATES = "dates written otherwise"
    DECIMALS = "decimals written otherwise"
    REORDERED = "columns in another order"
    ENCODING = "another encoding"
    DELIMITER = "another delimiter"
    TABLE = "sheet or table renamed"


@dataclass(frozen=True)
class Difference:
    """One way in which a form differs; `column` is the contract's name where it has one. `stops`: nothing is loaded before a decision."""

    kind: Kind
    column: str
    was: str
    is_: str
    stops: bool

    def __str__(self) -> str:
        what = f"{self.kind} {self.column}".strip()
        return f"{what}: {self.was} expected, {self.is_} came" if self.was else f"{what}: {self.is_} came"


class State(StrEnum):
    """What became of a drift."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    MAPPED = "mapped"
    REFUSED = "refused"


@dataclass(frozen=True)
class Sighting:
    """One delivery that must wait: where it came from, what is different, and where its bytes are kept."""

    dataset: DatasetId
    source: str
    origin: str
    content: str
    """The delivery's key; empty where only the form can be told, as of a table."""
    contract: str
    """Version of the contract it was compared with."""
    differences: tuple[Difference, ...]
    form: Form
    originals: tuple[str, ...] = ()
    """Below the lake's data path."""
    run: str = ""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what stops it: the same change of the same dataset is one drift, whatever else the rows hold."""
        stopping = sorted([one.kind.value, one.column, one.was, one.is_] for one in self.differences if one.stops)
        return hashlib.sha256(json.dumps(stopping, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class SaidSighting:
    """A sighting as it stands in the outbox: `role` and `at` are the database's, `body` is whatever JSON text that role wrote."""

    id: int
    role: str
    at: datetime
    body: str


@dataclass(frozen=True)
class Drift:
    """One task for a data owner: the same change of a dataset, however many deliveries show it."""

    number: int
    sighting: Sighting
    """The first delivery that showed it."""
    state: State
    found_at: datetime
    covers: tuple[int, ...] = ()
    """Numbers in the outbox of the deliveries that were decided about."""
    decided_at: datetime | None = None
    decided_by: str | None = None


@dataclass(frozen=True)
class Edit:
    """One change of a declaration: of the contract's `column`, or, with `in_entry`, of an option of the dataset's entry."""

    action: str
    """add, remove, set, drop; for a list in an entry: append."""
    column: str
    key: str = ""
    value: object = None
    in_entry: bool = False


def as_body(one: Sighting) -> dict[str, object]:
    """Return a sighting as JSON."""
    return {**asdict(one), "dataset": str(one.dataset), "digest": one.digest}


def from_body(text: str) -> Sighting:
    """Return the sighting that a JSON text says.

    Raises:
        Invalid: a part is missing or is not what it must be. The message holds no value: anybody may have written it.
    """
    try:
        body = json.loads(text)
        domain, zone, name = str(body["dataset"]).split(".", 2)
        differences = tuple(_difference(one) for one in _listed(body["differences"]))
        texts = {key: _short(body[key]) for key in ("source", "origin", "content", "contract", "run")}
        originals = tuple(_short(one) for one in _listed(body["originals"]))
        sighting = Sighting(
            DatasetId(domain, Zone(zone), name), differences=differences, form=form_of(body["form"]), originals=originals, **texts
        )
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise Invalid("a drift cannot be read: a part is missing or is not what it must be") from error
    if not any(one.stops for one in sighting.differences):
        raise Invalid("a drift without a difference that stops is none")
    return sighting


def form_of(body: Mapping[str, Any]) -> Form:
    """Return the form that a JSON object says; raises as looking into it does: KeyError, TypeError, ValueError."""
    columns = tuple(FormColumn(**one) for one in _listed(body["columns"]))
    for one in columns:
        _short(one.name)
    return Form(**{**body, "columns": columns})


def _difference(one: Mapping[str, Any]) -> Difference:
    return Difference(Kind(one["kind"]), _short(one["column"]), _short(one["was"]), _short(one["is_"]), one["stops"] is True)


def _listed(value: object) -> Iterable[Any]:
    if not isinstance(value, list) or len(value) > _MOST_COLUMNS:
        raise ValueError
    return value


def _short(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError
    return value

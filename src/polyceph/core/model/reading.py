"""Readings: what a process says it read, before the journal knows it. Who said it and when is the database's to add."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid

READ, REFUSED, SERVED = "dataset.read", "read.refused", "dataset.served"
_DATASET = re.compile(r"([a-z][a-z0-9_]{0,62})\.([a-z]+)\.(.{1,200})")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_RUN = re.compile(r"[\w.-]{1,100}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_COLUMNS = 10_000
_LONGEST_TEXT = 500
_GREATEST = 2**53 - 1
"""Beyond this a number in JSON is not exact."""


@dataclass(frozen=True)
class Reading:
    """One dataset that was read, refused or served outside the lake; never a value of it.

    `dataset` None: the statement does not tell. `columns` None: not known. `rows` None: nobody counted what was handed out.
    """

    action: str
    """READ, REFUSED or SERVED."""
    dataset: DatasetId | None
    door: str
    run: str | None = None
    purpose: str | None = None
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    snapshot: int | None = None
    """The snapshot of the dataset's lake that was read."""
    where: str | None = None
    """The address at which it is served."""
    statement: str | None = None
    """SHA-256 of a statement without its literals, hexadecimal; where the statement does not tell what it reads."""


@dataclass(frozen=True)
class SaidReading:
    """A reading as it stands in the outbox: `role` and `at` are the database's, `body` is whatever JSON text that role wrote."""

    id: int
    role: str
    at: datetime
    body: str


def as_body(reading: Reading) -> dict[str, object]:
    """Return a reading as JSON."""
    always: dict[str, object] = {
        "action": reading.action,
        "dataset": None if reading.dataset is None else str(reading.dataset),
        "door": reading.door,
        "run": reading.run,
        "purpose": reading.purpose,
        "columns": None if reading.columns is None else list(reading.columns),
        "rows": reading.rows,
    }
    more = {"snapshot": reading.snapshot, "where": reading.where, "statement": reading.statement}
    return always | {name: value for name, value in more.items() if value is not None}


def from_body(text: str) -> Reading:
    """Return the reading that a JSON text says; keys that are not known do not matter.

    Raises:
        Invalid: a part is missing or is not what it must be. The message holds no value: anybody may have written it.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("a reading cannot be read: too deep, or a number too long") from error
    if not isinstance(body, Mapping):
        raise Invalid("a reading is a JSON object")
    action = body.get("action")
    if action not in (READ, REFUSED, SERVED):
        raise Invalid(f"the action of a reading is {READ}, {REFUSED} or {SERVED}")
    return Reading(
        action=str(action),
        dataset=_dataset(body.get("dataset")),
        door=_matching(_WORD, "door", body.get("door")) or _missing("door"),
        run=_matching(_RUN, "run", body.get("run")),
        purpose=_text("purpose", body.get("purpose")),
        columns=_columns(body.get("columns")),
        rows=_number("rows", body.get("rows")),
        snapshot=_number("snapshot", body.get("snapshot")),
        where=_text("where", body.get("where")),
        statement=_matching(_DIGEST, "statement", body.get("statement")),
    )


def _missing(what: str) -> str:
    raise Invalid(f"a reading has no {what}")


def _dataset(value: object) -> DatasetId | None:
    if value is None:
        return None
    found = _DATASET.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2] not in set(Zone):
        raise Invalid("the dataset of a reading is named domain.zone.name")
    return DatasetId(found[1], Zone(found[2]), found[3])


def _matching(pattern: re.Pattern[str], what: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Invalid(f"the {what} of a reading is not one")
    return value


def _text(what: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise Invalid(f"the {what} of a reading is a text of at most {_LONGEST_TEXT} characters")
    return value


def _columns(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_COLUMNS:
        raise Invalid(f"the columns of a reading are a list of at most {_MOST_COLUMNS}")
    return tuple(_text("column", one) or _missing("column") for one in value)


def _number(what: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _GREATEST:
        raise Invalid(f"the {what} of a reading is a whole number")
    return value

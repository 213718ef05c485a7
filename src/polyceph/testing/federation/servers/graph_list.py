"""A list with a memory of its changes: what was added, changed and deleted since a moment; and what its columns are. Serves nothing.

The rows on the disk are looked at whenever changes are asked for; each change gets the next number of the list's log.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyceph.testing.federation.servers.addresses import write
from polyceph.testing.federation.servers.rows import Row

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


@dataclass(frozen=True)
class Change:
    """The last change of an item: its number in the log and the mark of its content."""

    number: int
    mark: str
    is_deleted: bool = False


class ListLog:
    """The changes of one list. `memory` is the file that keeps them from one start to the next."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._changes: dict[str, Change] = {}
        if memory.exists():
            self._changes = {identity: Change(*kept) for identity, kept in json.loads(memory.read_text()).items()}

    def changes(self, rows: Mapping[str, Row]) -> dict[str, Change]:
        """Return the last change of every item by its identifier, deleted ones too, after the log was brought up to date."""
        with self._lock:
            marks = {identity: hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest() for identity, row in rows.items()}
            number = max((one.number for one in self._changes.values()), default=0)
            before = dict(self._changes)
            for identity, mark in marks.items():
                old = before.get(identity)
                if old is None or old.is_deleted or old.mark != mark:
                    number += 1
                    self._changes[identity] = Change(number, mark)
            for identity, old in before.items():
                if identity not in marks and not old.is_deleted:
                    number += 1
                    self._changes[identity] = Change(number, old.mark, is_deleted=True)
            if self._changes != before:
                self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                kept = {identity: [one.number, one.mark, one.is_deleted] for identity, one in self._changes.items()}
                write(self._memory, json.dumps(kept))
            return dict(self._changes)


def as_columns(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the columns of a list as Graph describes them; their types are told from the first value of each."""
    found: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            if name != "lastModifiedDateTime" and found.get(name) is None:
                found[name] = value
    return [{"name": name, "displayName": name, "hidden": False, "required": False, **_kind(value)} for name, value in found.items()]


def _kind(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolean": {}}
    if isinstance(value, int | float):
        return {"number": {"decimalPlaces": "automatic"}}
    text = str(value)
    if _DAY.fullmatch(text):
        return {"dateTime": {"format": "dateOnly"}}
    return {"dateTime": {"format": "dateTime"}} if _MOMENT.fullmatch(text) else {"text": {"allowMultipleLines": False}}

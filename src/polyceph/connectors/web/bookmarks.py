"""Where the reading of a service stopped, kept as a dataset's cursor together with how it was read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from polyceph.sdk import Contract

Kind = Literal["link", "since"]


@dataclass(frozen=True)
class Bookmarks:
    """Writes and reads the bookmarks of one way of reading.

    One that was made while reading otherwise does not count: a link for changes tells the columns that were asked for at its time.
    """

    reading: str

    @classmethod
    def of(cls, contract: Contract, *asked: object) -> Bookmarks:
        """Return the bookmarks for a contract's columns and whatever else decides what is asked for."""
        promised = [(c.name, c.logical_type, c.physical_type, c.source_name, c.primary_key) for c in contract.columns]
        return cls(sha256(repr((promised, asked)).encode()).hexdigest()[:16])

    def write(self, kind: Kind, value: str) -> str:
        """Return the cursor."""
        return json.dumps({"reading": self.reading, kind: value}, sort_keys=True)

    def read(self, kind: Kind, cursor: str | None) -> str | None:
        """Return what a cursor says; None when there is none of this kind, or one of another reading."""
        try:
            kept = json.loads(cursor) if cursor else {}
        except ValueError:
            return None
        is_ours = isinstance(kept, dict) and kept.get("reading") == self.reading
        return str(kept[kind]) if is_ours and kind in kept else None

"""Whether a source held still while it was paged through: no row lost to a page that moved, none doubled."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import simplejson as json

from polyceph.connectors.web.lines import Lines
from polyceph.connectors.web.paths import value_at
from polyceph.sdk import Contract


class Keys:
    """The primary keys that were read, on disk: memory stays flat however many there are. Without a primary key it sees nothing."""

    def __init__(self, folder: Path, contract: Contract) -> None:
        self.fields = key_fields(contract)
        self.repeated = 0
        path = folder / "keys.sqlite"
        path.unlink(missing_ok=True)
        self._seen = sqlite3.connect(path, isolation_level=None)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("PRAGMA synchronous = OFF")
        self._seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._seen.close()

    def add(self, rows: Collection[Any] | Lines) -> None:
        """Take in the rows of a page and count keys that came before."""
        if not self.fields:
            return
        self._seen.execute("BEGIN")
        before = self._seen.total_changes
        self._seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", self._keys(rows))
        self.repeated += len(rows) - (self._seen.total_changes - before)
        self._seen.execute("COMMIT")

    def _keys(self, rows: Iterable[Any]) -> Iterable[tuple[str]]:
        return ((json.dumps([value_at(row, field) for field in self.fields], use_decimal=True),) for row in rows)


def key_fields(contract: Contract) -> tuple[str, ...]:
    """Return where the primary key stands in a row as the source gives it."""
    return tuple(column.source_name or column.name for column in contract.columns if column.primary_key)


def unsteady(rows: int, totals: Sequence[int], repeated: int) -> str | None:
    """Return what shows that the source moved while it was read, None when nothing does.

    Rows that were added at the end are no harm: the last total counts them, or the next load reads them. One that goes away moves all
    behind it to the page before, where a page that was read already does not show them.
    """
    if repeated:
        return f"{repeated} rows came twice"
    if any(later < earlier for earlier, later in pairwise(totals)):
        return f"rows went away, {max(totals) - totals[-1]} of them"
    if totals and rows != totals[-1]:
        return f"{rows} rows came, and the service says {totals[-1]}"
    return None

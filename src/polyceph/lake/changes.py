"""Which rows of a delivery are news: compared, by the contract's primary key, with what the raw table holds now. Builds SQL only."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are `literal`s

from __future__ import annotations

from dataclasses import dataclass

from polyceph.core.model.contract import Contract
from polyceph.core.source_ports import LoadMode
from polyceph.errors import Invalid
from polyceph.lake.engine import literal, quote
from polyceph.lake.types import CHANGE, LOAD, ORIGIN, ROW

REMOVED = "removed"
_KEPT = f"{quote(CHANGE)} IS DISTINCT FROM '{REMOVED}'"


@dataclass(frozen=True)
class News:
    """A comparison: the raw table (quoted), the delivered rows (a table expression), the contract, key and origin of the delivery."""

    table: str
    delivered: str
    contract: Contract
    mode: LoadMode
    key: str
    origin: str
    is_complete: bool = True
    """Whether every row of the whole could be read: while some are set aside, nothing counts as gone, for it may be among them."""

    def select(self) -> str:
        """Return the SELECT of the rows to append: added and changed ones, and those that are gone with the values they had last."""
        names = [column.name for column in self.contract.columns]
        parts = [self._present(names)]
        if self.mode is LoadMode.MERGE:
            parts.append(self._ended(names))
        if self.mode is LoadMode.DIFF and self.is_complete:
            parts.append(self._gone(names))
        return f"WITH {self._delivered()}, {self._alive(names)} {' UNION ALL '.join(parts)}"

    def _delivered(self) -> str:
        # A list of changes may tell several of one key: the last one counts.
        last = f" QUALIFY row_number() OVER (PARTITION BY {self._key()} ORDER BY {quote(ROW)} DESC NULLS LAST) = 1"
        return f"delivered AS (SELECT * FROM {self.delivered}{last if self.mode is LoadMode.MERGE else ''})"

    def _alive(self, names: list[str]) -> str:
        columns = ", ".join(map(quote, names))
        newest = f"QUALIFY row_number() OVER (PARTITION BY {self._key()} ORDER BY rowid DESC) = 1"
        current = f"SELECT {columns}, {quote(CHANGE)} FROM {self.table} {newest}"
        return f"alive AS (SELECT {columns} FROM ({current}) WHERE {_KEPT})"

    def _present(self, names: list[str]) -> str:
        """Return the rows that are new or differ."""
        mine, theirs = (", ".join(f"{side}.{quote(name)}" for name in names) for side in ("d", "a"))
        first = f"a.{quote(self._keys()[0])} IS NULL"
        change = f"CASE WHEN {first} THEN 'added' ELSE 'changed' END AS {quote(CHANGE)}"
        own = ", ".join(f"d.{quote(name)}" for name in (LOAD, ORIGIN, ROW))
        return (
            f"SELECT {mine}, {own}, {change} FROM delivered d LEFT JOIN alive a ON {self._same('d', 'a')}"
            f" WHERE d.{_KEPT} AND ({first} OR row({mine}) IS DISTINCT FROM row({theirs}))"
        )

    def _ended(self, names: list[str]) -> str:
        """Return the rows that the delivery says are gone."""
        columns = ", ".join(f"a.{quote(name)}" for name in names)
        own = ", ".join(f"d.{quote(name)}" for name in (LOAD, ORIGIN, ROW))
        gone = f"SELECT * FROM delivered WHERE NOT ({_KEPT})"
        return f"SELECT {columns}, {own}, '{REMOVED}' FROM alive a JOIN ({gone}) d ON {self._same('d', 'a')}"

    def _gone(self, names: list[str]) -> str:
        """Return the rows that the whole no longer has."""
        columns = ", ".join(f"a.{quote(name)}" for name in names)
        own = f"{literal(self.key)}, {literal(self.origin)}, CAST(NULL AS BIGINT), '{REMOVED}'"
        return f"SELECT {columns}, {own} FROM alive a ANTI JOIN delivered d ON {self._same('d', 'a')}"

    def _keys(self) -> list[str]:
        return primary_key(self.contract)

    def _key(self) -> str:
        return ", ".join(map(quote, self._keys()))

    def _same(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in self._keys())


def primary_key(contract: Contract) -> list[str]:
    """Return the names of the primary key's columns; raise `Invalid` when the contract has none."""
    found = [column.name for column in contract.columns if column.primary_key]
    if not found:
        raise Invalid(
            f"{contract.dataset} has no primary key, and this load compares rows by it",
            hint=f"set primaryKey: true on its columns in {contract.place.file}, or load: append",
        )
    return found

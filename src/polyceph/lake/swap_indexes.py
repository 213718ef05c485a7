"""Indexes of a served table, made on the new rows before the swap, so that readers wait for the renaming alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from polyceph.errors import Conflict

_INDEXES = """
SELECT i.relname, x.indisunique, k.contype::text,
    substr(pg_get_indexdef(i.oid), strpos(pg_get_indexdef(i.oid), on_table.text) + length(on_table.text))
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
CROSS JOIN LATERAL format(' ON %%I.%%I ', n.nspname, t.relname) AS on_table(text)
LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')
WHERE x.indrelid = %s AND x.indisvalid AND NOT x.indisexclusion ORDER BY i.relname
"""
_CONSTRAINTS: dict[str, LiteralString] = {"p": "PRIMARY KEY", "u": "UNIQUE"}


@dataclass(frozen=True)
class Index:
    """An index as it can be made again: `definition` is what follows the table's name; `constraint` is p or u where it serves one."""

    name: str
    is_unique: bool
    constraint: str | None
    definition: str


def indexes_of(session: psycopg.Connection[Any], table: int) -> tuple[Index, ...]:
    """Return the indexes of a table, given by its oid."""
    return tuple(Index(*row) for row in session.execute(_INDEXES, [table]))


def make_indexes(session: psycopg.Connection[Any], indexes: Sequence[Index], *, schema: str, staging: str) -> None:
    """Make the same indexes on the staging table, under names of their own.

    Raises:
        Conflict: a column of an index is gone, or rows repeat what a unique index forbids.
    """
    for number, index in enumerate(indexes):
        kind: LiteralString = "CREATE UNIQUE INDEX {} ON {} " if index.is_unique else "CREATE INDEX {} ON {} "
        made = sql.SQL(kind).format(sql.Identifier(_name(staging, number)), sql.Identifier(schema, staging))
        try:
            session.execute(made + sql.SQL(index.definition))  # the server's own text
        except (psycopg.errors.UndefinedColumn, psycopg.errors.IntegrityError, psycopg.errors.UndefinedObject) as error:
            why = "rows repeat its values" if isinstance(error, psycopg.errors.IntegrityError) else "what it needs is gone"
            text = f"the index {index.name} cannot be made on the new rows: {why}; the old rows stay"
            raise Conflict(text, hint="drop the index, or correct the dataset") from error


def name_indexes(session: psycopg.Connection[Any], indexes: Sequence[Index], *, schema: str, table: str, staging: str) -> None:
    """Give the indexes of the swapped table their names back, and their constraints."""
    for number, index in enumerate(indexes):
        made, name = sql.Identifier(_name(staging, number)), sql.Identifier(index.name)
        if index.constraint:
            kind = sql.SQL(_CONSTRAINTS[index.constraint])
            place = sql.Identifier(schema, table)
            session.execute(sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}").format(place, name, kind, made))
        else:
            held = sql.Identifier(schema, _name(staging, number))
            session.execute(sql.SQL("ALTER INDEX {} RENAME TO {}").format(held, name))


def _name(staging: str, number: int) -> str:
    return f"{staging}_index_{number}"

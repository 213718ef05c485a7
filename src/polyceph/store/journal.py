"""The tree over the journal in PostgreSQL: sealing, and what proofs, heads and verification are made of.

Sealing goes by transaction: what is in the tree has a transaction number below every one that may still commit. A cursor on `seq` would
miss events for ever, since a lower number may be committed later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from polyceph.core.model import tree
from polyceph.core.model.head import Note, parse_note
from polyceph.core.model.journal import Archive, JournalKey, KeptHead, LeafRow
from polyceph.errors import Misconfigured
from polyceph.store.connection import driver_of, translated
from polyceph.store.tables import (
    event,
    journal_archive,
    journal_cosignature,
    journal_head,
    journal_key,
    journal_leaf,
    journal_log,
    journal_node,
)

_LOCK = 7_030_004
"""Number of the advisory lock under which one process seals."""
_BATCH = 20_000
"""Events sealed in one transaction: a few tens of megabytes."""
_PAGE = 5_000
"""Leaves fetched at once: memory stays flat however long the journal is."""

_LAST_SEAL = text("""
SELECT size, CASE WHEN upto > pg_snapshot_xmax(pg_current_snapshot()) THEN '0' ELSE upto::text END AS cursor
FROM polyceph.journal_seal ORDER BY size DESC LIMIT 1
""")
"""A cursor in the future is one of another server: a dump was restored here, and transactions are counted anew."""
_NEXT = text("""
WITH moment AS (SELECT pg_snapshot_xmin(s) AS low, pg_snapshot_xmax(s) AS high FROM pg_current_snapshot() s)
SELECT e.seq, convert_to(polyceph.leaf(e.seq, e.at, e.body, :origin), 'UTF8') AS leaf, least(e.xid, m.low)::text AS upto
FROM polyceph.event e, moment m
WHERE e.xid >= CAST(:cursor AS xid8) AND (e.xid < m.low OR e.xid >= m.high)
    AND NOT EXISTS (SELECT FROM polyceph.journal_leaf l WHERE l.event = e.seq)
ORDER BY e.xid, e.seq LIMIT :most
""")
_LEAVES = """
SELECT l.index, l.event, l.hash, convert_to(polyceph.leaf(e.seq, e.at, e.body, %s), 'UTF8')
FROM polyceph.journal_leaf l LEFT JOIN polyceph.event e ON e.seq = l.event
WHERE l.index >= %s AND l.index < %s ORDER BY l.index
"""
_UNSEALED = text("SELECT count(*) FROM polyceph.event e WHERE NOT EXISTS (SELECT FROM polyceph.journal_leaf l WHERE l.event = e.seq)")


class PostgresJournal:
    """`core.ports.SealedLog` on PostgreSQL, entered as the application."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def origin(self) -> str | None:
        """Return the journal's origin, None before it is opened."""
        with self._reading("the journal's origin") as connection:
            return connection.execute(select(journal_log.c.origin)).scalar()

    def seal(self) -> int:
        """Put every event whose order is certain into the tree; return how many there were. Another process that seals now goes first.

        Raises:
            Misconfigured: the journal was not opened.
            Unavailable: the store does not answer; what was sealed stays sealed.
        """
        sealed = 0
        while batch := self._seal_batch():
            sealed += batch
        return sealed

    def _seal_batch(self) -> int:
        with translated("sealing the journal"), self._engine.begin() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": _LOCK}).scalar_one():
                return 0
            last = connection.execute(_LAST_SEAL).first()
            size, cursor = (last.size, last.cursor) if last else (0, "0")
            found = connection.execute(_NEXT, {"origin": _origin(connection), "cursor": cursor, "most": _BATCH}).fetchall()
            if not found:
                return 0
            hashes = [tree.leaf_hash(row.leaf) for row in found]
            _add_leaves(connection, size, [row.seq for row in found], hashes)
            growing = tree.GrowingTree(_edge(connection, size), covered=size & -tree.TILE)
            nodes = [{"level": level, "index": index, "hash": node} for level, index, node in growing.extend(hashes)]
            if nodes:
                connection.execute(insert(journal_node), nodes)
            connection.execute(
                text("INSERT INTO polyceph.journal_seal (size, upto) VALUES (:size, CAST(:upto AS xid8))"),
                {"size": growing.size, "upto": found[-1].upto},
            )
        return len(found)

    def size(self) -> int:
        """Return the number of leaves."""
        with self._reading("the size of the journal") as connection:
            last = connection.execute(_LAST_SEAL).first()
        return last.size if last else 0

    def unsealed(self) -> int:
        """Return how many events are not in the tree yet."""
        with self._reading("what is not sealed") as connection:
            return int(connection.execute(_UNSEALED).scalar_one())

    def root_at(self, size: int) -> bytes:
        """Return the root of the tree of the first `size` leaves."""
        return self.range_root(0, size)

    def range_root(self, start: int, end: int) -> bytes:
        """Return the root of a range of leaves, as proofs need it."""
        with self._reading("the tree of the journal") as connection:
            return tree.kept_root(lambda level, first, last: _nodes(connection, level, first, last), start, end)

    def pages(self, start: int, end: int) -> Iterator[list[LeafRow]]:
        """Yield the leaves of a range in order, some thousands at a time; one that is missing is not among them."""
        with self._reading("the journal") as connection:
            origin = _origin(connection)
            with driver_of(connection).cursor(binary=True) as cursor:
                for first in range(start, end, _PAGE):
                    yield cursor.execute(_LEAVES, [origin, first, min(first + _PAGE, end)]).fetchall()

    def edge(self, size: int) -> list[list[bytes]]:
        """Return the right edge of the tree of the first `size` leaves, as `GrowingTree` takes it."""
        with self._reading("the tree of the journal") as connection:
            return _edge(connection, size)

    def index_at(self, moment: datetime) -> int:
        """Return the index of the first leaf whose event is not before a moment; the size when all are."""
        first = select(func.min(journal_leaf.c.index)).join(event, event.c.seq == journal_leaf.c.event).where(event.c.at >= moment)
        with self._reading("the journal") as connection:
            found = connection.execute(first).scalar()
        return self.size() if found is None else int(found)

    def index_of(self, event: int) -> int | None:
        """Return the index of an event by its number, None while it is not sealed."""
        with self._reading("an event's place") as connection:
            return connection.execute(select(journal_leaf.c.index).where(journal_leaf.c.event == event)).scalar()

    def keys(self) -> tuple[JournalKey, ...]:
        """Return the keys, oldest first."""
        with self._reading("the journal's keys") as connection:
            found = connection.execute(select(journal_key).order_by(journal_key.c.number))
            return tuple(JournalKey(row.number, row.key, row.rotation) for row in found)

    def heads(self, after: int = 0, upto: int | None = None) -> tuple[KeptHead, ...]:
        """Return the signed heads of sizes above `after`, up to `upto`, with their cosignatures, smallest first."""
        wanted = select(journal_head, journal_cosignature.c.line).outerjoin(journal_cosignature).where(journal_head.c.size > after)
        if upto is not None:
            wanted = wanted.where(journal_head.c.size <= upto)
        with self._reading("the journal's heads") as connection:
            found = connection.execute(wanted.order_by(journal_head.c.size, journal_cosignature.c.witness)).all()
        return tuple(_kept_head(list(rows)) for _, rows in groupby(found, key=lambda row: row.size))

    def head_sizes(self) -> tuple[int, ...]:
        """Return the sizes of all heads, smallest first."""
        with self._reading("the journal's heads") as connection:
            return tuple(connection.execute(select(journal_head.c.size).order_by(journal_head.c.size)).scalars())

    def last_head(self) -> KeptHead | None:
        """Return the newest head with its cosignatures."""
        with self._reading("the last head") as connection:
            size = connection.execute(select(func.max(journal_head.c.size))).scalar()
        return self.heads(size - 1)[0] if size else None

    def add_head(self, head: KeptHead) -> None:
        """Keep a signed head; nothing changes when there is one of this size."""
        with translated("keeping a head"), self._engine.begin() as connection:
            connection.execute(upsert(journal_head).values(size=head.size, note=head.note).on_conflict_do_nothing())

    def add_cosignature(self, size: int, witness: str, line: str) -> bool:
        """Keep a witness's signature line under a head; return False when it is known.

        Raises:
            NotFound: there is no such head.
        """
        statement = upsert(journal_cosignature).values(size=size, witness=witness, line=line).on_conflict_do_nothing()
        with translated(f"keeping the cosignature of {witness}"), self._engine.begin() as connection:
            return connection.execute(statement.returning(journal_cosignature.c.size)).first() is not None

    def archives(self) -> tuple[Archive, ...]:
        """Return the archives, smallest first."""
        with self._reading("the archives") as connection:
            found = connection.execute(select(journal_archive).order_by(journal_archive.c.size))
            return tuple(Archive(row.size, row.root, row.place, row.sha256) for row in found)

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with translated(f"reading {what}"), self._engine.begin() as connection:
            yield connection


def _origin(connection: Connection) -> str:
    origin: str | None = connection.execute(select(journal_log.c.origin)).scalar()
    if origin is None:
        raise Misconfigured("the journal is not open: it has no origin and no key", hint="start the federation with polyceph up")
    return origin


def _edge(connection: Connection, size: int) -> list[list[bytes]]:
    return [list(_nodes(connection, level, start, end)) for level, start, end in tree.edge_ranges(size)]


def _nodes(connection: Connection, level: int, start: int, end: int) -> Sequence[bytes]:
    table = journal_leaf if level == 0 else journal_node
    wanted = select(table.c.hash).where(table.c.index >= start, table.c.index < end).order_by(table.c.index)
    if level:
        wanted = wanted.where(journal_node.c.level == level)
    return connection.execute(wanted).scalars().all()


def _add_leaves(connection: Connection, size: int, events: Sequence[int], hashes: Sequence[bytes]) -> None:
    with (
        driver_of(connection).cursor() as cursor,
        cursor.copy("COPY polyceph.journal_leaf (index, event, hash) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int8", "int8", "bytea"])
        for index, (event, one) in enumerate(zip(events, hashes, strict=True), start=size):
            copy.write_row((index, event, one))


def _kept_head(rows: Sequence[Row[Any]]) -> KeptHead:
    note = parse_note(rows[0].note)
    lines = [parse_note(note.text + "\n" + row.line).signatures[0] for row in rows if row.line]
    return KeptHead(rows[0].size, str(Note(note.text, (*note.signatures, *lines))))

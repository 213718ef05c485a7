"""Changes of the journal itself inside a unit of work: its opening, keys, archives, pseudonyms. Sealing is in `journal`."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.journal import Archive, JournalKey
from polyceph.errors import Conflict
from polyceph.store.tables import journal_archive, journal_key, journal_log, pseudonym

_OPENING = 7_030_005
"""Number of the advisory lock under which one process opens the journal or changes its key."""


def open_journal(connection: Connection, origin: str, key: str) -> bool:
    """Give the journal its origin and first key; return False when it has them."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _OPENING})
    if connection.execute(select(journal_log.c.origin)).scalar() is not None:
        return False
    connection.execute(insert(journal_log).values(origin=origin))
    connection.execute(insert(journal_key).values(number=0, key=key))
    return True


def rotate_key(connection: Connection, key: JournalKey) -> None:
    """Keep the next key; refuse any other number with `Conflict`."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _OPENING})
    last = connection.execute(select(func.max(journal_key.c.number))).scalar()
    if last is None or key.number != last + 1:
        raise Conflict(f"the journal's key {last} is followed by another already", hint="look at polyceph journal key, then try again")
    connection.execute(insert(journal_key).values(number=key.number, key=key.key, rotation=key.rotation))


def add_archive(connection: Connection, archive: Archive) -> None:
    """Keep that an archive holds the first events."""
    values = {"size": archive.size, "root": archive.root, "place": archive.place, "sha256": archive.sha256}
    connection.execute(insert(journal_archive).values(values))


def make_pseudonym(connection: Connection, lookup: bytes, key: bytes, name: str) -> tuple[str, bool]:
    """Return the pseudonym of a lookup and whether it is new."""
    statement = insert(pseudonym).values(lookup=lookup, key=key, pseudonym=name).on_conflict_do_nothing(index_elements=["lookup"])
    if connection.execute(statement.returning(pseudonym.c.pseudonym)).scalar() is not None:
        return name, True
    known: str = connection.execute(select(pseudonym.c.pseudonym).where(pseudonym.c.lookup == lookup)).scalar_one()
    return known, False


def destroy_pseudonym(connection: Connection, lookup: bytes) -> str | None:
    """Remove a pseudonym's key; return the pseudonym, None when there is none."""
    return connection.execute(delete(pseudonym).where(pseudonym.c.lookup == lookup).returning(pseudonym.c.pseudonym)).scalar()

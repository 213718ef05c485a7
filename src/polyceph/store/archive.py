"""Removes what an archive holds from the store: the only way an event ever leaves it. The database refuses any other event."""

from __future__ import annotations

from sqlalchemy import Engine, text

from polyceph.store.connection import translated

_REMOVE = text("""
DELETE FROM polyceph.event e USING polyceph.journal_leaf l
WHERE l.event = e.seq AND l.index < (SELECT max(a.size) FROM polyceph.journal_archive a)
""")


def remove_archived(owner: Engine) -> int:
    """Remove the events that an archive covers and return how many there were; hashes and tree stay.

    Args:
        owner: the store's database entered as its owner; the application may remove nothing.
    """
    with translated("removing archived events"), owner.begin() as connection:
        return connection.execute(_REMOVE).rowcount

"""One writer per table: PostgreSQL advisory locks on the catalogue's database, gone when their process is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from polyceph.errors import Conflict, Unavailable
from polyceph.settings import LakeAddress

UNKNOWN = "whether the change was committed is not known"
AGAIN = "run it again: what is already there is not written twice"
"""What to say and to do when a session broke at a moment that may be after its commit."""


@dataclass(frozen=True)
class TableLock:
    """Locks in force; `still_held` proves it just before a commit."""

    connection: psycopg.Connection[Any]
    names: tuple[str, ...]

    def still_held(self) -> None:
        """Raise `Conflict` when the session that holds the locks is gone, so that nobody commits without them."""
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise Conflict(f"the lock on {', '.join(self.names)} was lost; nothing was committed", hint="run it again") from error


@contextmanager
def table_locks(lake: LakeAddress, tables: Sequence[str], *, wait_seconds: float = 3600.0) -> Iterator[TableLock]:
    """Hold the write locks of tables of one lake, named `<zone>.<name>`, taken in sorted order so that two holders never wait in a ring.

    Raises:
        Conflict: another process holds one of them longer than `wait_seconds`, or the session that holds them broke off meanwhile.
        Unavailable: the catalogue does not answer.
    """
    names = tuple(sorted(set(tables)))
    with catalogue_session(lake) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{max(1, int(wait_seconds * 1000))}ms"])
        for name in names:
            _lock(connection, lake, name)
        try:
            yield TableLock(connection, names)
        except psycopg.OperationalError as error:
            if not connection.closed:  # somebody else's session broke, inside
                raise
            raise Conflict(f"the lock on {', '.join(names)} was lost; {UNKNOWN}", hint=AGAIN) from error


@contextmanager
def catalogue_session(lake: LakeAddress) -> Iterator[psycopg.Connection[Any]]:
    """Open an autocommit session on the lake's catalogue as the lake's own role.

    Raises:
        Unavailable: the catalogue does not answer.
    """
    connection = open_session(lake)
    try:
        yield connection
    finally:
        connection.close()


def open_session(lake: LakeAddress) -> psycopg.Connection[Any]:
    """Return a new autocommit session on the lake's catalogue, for a caller that closes it; raise `Unavailable` as above."""
    address = lake.catalogue
    try:
        return psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=address.database,
            user=address.user,
            password=address.password.get_secret_value(),
            application_name=f"polyceph lake {lake.domain}",
            autocommit=True,
            keepalives_idle=30,
        )
    except psycopg.OperationalError as error:
        raise Unavailable(f"the lake catalogue at {address.shown()} does not answer", hint="is PostgreSQL up?") from error


def _lock(connection: psycopg.Connection[Any], lake: LakeAddress, name: str) -> None:
    text = f"polyceph.lake/{lake.metadata_schema}/{name}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", [key])
    except psycopg.errors.LockNotAvailable as error:
        raise Conflict(f"{lake.domain}.{name} is being written by another process", hint="wait for it, or stop it, then retry") from error

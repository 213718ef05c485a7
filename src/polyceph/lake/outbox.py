"""The outbox of readings in the lakes' database: a domain's process says what it read, the platform takes it into its journal.

A process of a domain never reaches the store; what it says here is bound to its role and its time by the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from threading import Lock
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from polyceph.core.model.reading import Reading, SaidReading, as_body, from_body
from polyceph.errors import Denied, PolycephError, Unavailable
from polyceph.lake.locks import open_session
from polyceph.settings import LakeAddress, PostgresAddress

_LOCK = "polyceph.provision/polyceph_evidence"
_RIGHTS = ("GRANT USAGE ON SCHEMA polyceph_evidence TO {owner}", "GRANT INSERT (body) ON polyceph_evidence.reading TO {owner}")
_SAY = "INSERT INTO polyceph_evidence.reading (body) SELECT jsonb_array_elements(%s)"
_WAITING = """
SELECT r.id, r.role, r.at, r.body::text FROM polyceph_evidence.waiting w JOIN polyceph_evidence.reading r ON r.id = w.id
ORDER BY r.id LIMIT %s
"""
_SETTLE = "DELETE FROM polyceph_evidence.waiting WHERE id = ANY(%s)"
_PAGE = 1_000


class Outbox:
    """Where one domain's process says what it read; its session is opened at first use and kept, for opening one costs more than a query.

    Args:
        lake: the domain's own lake, entered as the domain's role.
    """

    def __init__(self, lake: LakeAddress) -> None:
        self._lake = lake
        self._session: psycopg.Connection[Any] | None = None
        self._alone = Lock()

    def say(self, readings: Iterable[Reading]) -> None:
        """Write readings into the outbox, all or none. Whoever calls this hands out no row when it raises.

        Raises:
            Invalid: one of them holds what the platform would not understand: a purpose that is too long.
            Unavailable: the outbox does not answer, was not made, or does not take them.
            Denied: the domain's role may not write there.
        """
        given = list(readings)
        if not given:
            return
        bodies = [as_body(one) for one in given]
        for body in bodies:
            from_body(json.dumps(body))
        try:
            with self._alone:
                self._live().execute(_SAY, [Jsonb(bodies)])
        except (psycopg.Error, Unavailable) as error:
            raise _not_said(given, error) from error

    def close(self) -> None:
        """Close the session; the next use opens a new one."""
        with self._alone:
            if self._session is not None:
                self._session.close()
            self._session = None

    def _live(self) -> psycopg.Connection[Any]:
        """Return a session that answers, so that a server which was restarted meanwhile costs nobody a reading."""
        if self._session is not None:
            try:
                self._session.execute("SELECT 1")
            except psycopg.OperationalError:
                self._session.close()
                self._session = None
        if self._session is None:
            self._session = open_session(self._lake)
        return self._session


def _not_said(readings: Sequence[Reading], error: Exception) -> PolycephError:
    datasets = sorted({str(one.dataset or "a dataset") for one in readings})
    what = f"that {', '.join(datasets)} was asked for cannot be recorded, so nothing is handed out"
    if isinstance(error, errors.InsufficientPrivilege):
        return Denied(f"{what}: the domain's role may not write into the outbox", hint="give it back with polyceph up")
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
        return Unavailable(f"{what}: the lakes' database has no outbox", hint="polyceph up makes it")
    if isinstance(error, psycopg.OperationalError | Unavailable):
        return Unavailable(f"{what}: the lakes' database does not answer", hint="is PostgreSQL up? polyceph status says so")
    return Unavailable(f"{what}: the outbox does not take it ({type(error).__name__})")


def make_outbox(session: psycopg.Connection[Any], owner: str) -> None:
    """Make the outbox unless it is there, owned by the session's role, and let a domain's role write into it. Inside a transaction.

    The role may say what it read, and neither who it is, nor when, nor see or change what anybody said.
    """
    session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LOCK])
    # What is there stays untouched: changing it would wait for whoever writes into it, and a domain's code may leave a transaction open.
    if session.execute("SELECT to_regclass('polyceph_evidence.reading')").fetchone() == (None,):
        session.execute(files("polyceph.lake").joinpath("outbox.sql").read_bytes())
    for right in _RIGHTS:
        session.execute(sql.SQL(right).format(owner=sql.Identifier(owner)))


@contextmanager
def outbox_taken(admin: PostgresAddress) -> Iterator[psycopg.Connection[Any]]:
    """Open a session for the platform, which takes readings out of the outbox; `admin` owns it.

    Raises:
        Unavailable: the lakes' database does not answer, broke off, or holds no outbox.
    """
    try:
        with psycopg.connect(**admin.arguments(), autocommit=True, application_name="polyceph readings") as session:
            yield session
    except psycopg.Error as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unavailable(f"the outbox at {admin.shown()} cannot be read: {what}", hint="polyceph up makes it") from error


def waiting(session: psycopg.Connection[Any], *, most: int = _PAGE) -> list[SaidReading]:
    """Return readings that the journal may not hold yet, in the order of their numbers."""
    return [SaidReading(*row) for row in session.execute(_WAITING, [most])]


def settle(session: psycopg.Connection[Any], said: Iterable[SaidReading]) -> None:
    """Let readings wait no more: the journal holds them. They stay in the outbox."""
    session.execute(_SETTLE, [[one.id for one in said]])

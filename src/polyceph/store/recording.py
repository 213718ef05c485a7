"""Writes events: one statement for all events of a unit of work, inside its transaction, or by itself when nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import psycopg.pq
from sqlalchemy import Connection, Engine

from polyceph.errors import Misconfigured
from polyceph.store.connection import driver_of

_NOT_PREPARED = b"26000"
"""SQLSTATE of a statement that the connection does not know: not yet, or no more, for psycopg forgets all of them at a rollback."""
_ONE = b"INSERT INTO polyceph.event (body) VALUES (%s::json)"
_MANY = b"""
INSERT INTO polyceph.event (body) SELECT e.body::json FROM unnest(%s::text[]) WITH ORDINALITY AS e (body, place) ORDER BY e.place
"""


def record_in(connection: Connection, bodies: Sequence[str]) -> None:
    """Write events in the transaction of a connection, numbered in their order.

    Past SQLAlchemy: it would cost as much again as the insert itself, and every change pays for its event.
    """
    try:
        _insert(driver_of(connection), bodies)
    except psycopg.OperationalError:
        connection.invalidate()  # SQLAlchemy has not seen it: closing must not ask a lost connection to roll back
        raise


def record_alone(engine: Engine, bodies: Sequence[str]) -> None:
    """Write events that come with no change: one statement is a transaction already, one way to the server and back instead of three.

    It goes straight to libpq, for a writer of many events pays more for the way than for the event: half of its time.
    """
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise Misconfigured("the store is not entered through psycopg")
        name, statement, value = (b"record_one", _ONE, bodies[0].encode()) if len(bodies) == 1 else (b"record_many", _MANY, _array(bodies))
        result = driver.pgconn.exec_prepared(name, [value])
        if result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == _NOT_PREPARED:
            _answered(driver, driver.pgconn.prepare(name, statement.replace(b"%s", b"$1")))
            result = driver.pgconn.exec_prepared(name, [value])
        _answered(driver, result)
    except psycopg.Error:
        pooled.invalidate()
        raise
    finally:
        pooled.close()


def _answered(driver: psycopg.Connection[tuple[object, ...]], result: psycopg.pq.abc.PGresult) -> None:
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result, encoding=driver.info.encoding)


def _array(texts: Sequence[str]) -> bytes:
    """Return texts as PostgreSQL writes an array of text."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return ("{" + ",".join(f'"{text}"' for text in quoted) + "}").encode()


def _insert(driver: psycopg.Connection[tuple[object, ...]], bodies: Sequence[str]) -> None:
    if len(bodies) == 1:
        driver.execute(_ONE, bodies)
    else:
        driver.execute(_MANY, [list(bodies)])

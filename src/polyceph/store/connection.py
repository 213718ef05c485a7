"""Ways into PostgreSQL: one psycopg connection, one SQLAlchemy engine; driver errors become ours here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as driver
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.settings import PostgresAddress

NO_EVENT = "PC001"
"""SQLSTATE by which the database refuses a change that no event of the same transaction explains."""
SEALED = "PC002"
"""SQLSTATE by which the database refuses to change or remove what is kept for ever."""

_CONNECT_SECONDS = 15
_IDLE_SECONDS = 1.0
_KNOWN_KEYS = ("host", "port", "dbname", "user", "password", "sslmode", "sslrootcert")


def address_of(dsn: SecretStr) -> PostgresAddress:
    """Return the address that a DSN (URL or `key=value` words) describes; database `postgres` when it names none.

    Raises:
        Misconfigured: it cannot be read, lacks host, user or password, or holds other keys.
    """
    variable = "POLYCEPH_STORE__DSN"
    try:
        found = conninfo_to_dict(dsn.get_secret_value())
    except psycopg.ProgrammingError:
        # The driver's message repeats parts of the DSN, and so of the password: it is not passed on.
        raise Misconfigured(f"{variable} cannot be read", hint="write postgresql://user:password@host:port/database") from None
    if other := sorted(set(found) - set(_KNOWN_KEYS)):
        raise Misconfigured(
            f"{variable} holds {', '.join(other)}; it may hold {', '.join(_KNOWN_KEYS)}",
            hint="every part of polyceph must understand what the address says; leave the others out",
        )
    if missing := [key for key in ("host", "user", "password") if not found.get(key)]:
        raise Misconfigured(f"{variable} lacks {', '.join(missing)}", hint="write postgresql://user:password@host:port/database")
    return PostgresAddress(
        host=str(found["host"]),
        port=int(found.get("port") or 5432),
        database=str(found.get("dbname") or "postgres"),
        user=str(found["user"]),
        password=SecretStr(str(found["password"])),
        sslmode=found.get("sslmode"),
        sslrootcert=found.get("sslrootcert"),
    )


def connect(address: PostgresAddress, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a psycopg connection.

    Raises:
        Misconfigured: the role, its password or the database is not accepted.
        Unavailable: nobody answers.
    """
    try:
        return psycopg.connect(**address.arguments(), connect_timeout=_CONNECT_SECONDS, application_name="polyceph", autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise _not_connected(address, error) from error


def engine(address: PostgresAddress, *, pool_size: int = 5) -> Engine:
    """Return an engine whose URL holds neither role nor password, so that no log of it can show them.

    A connection that nobody used for a second is tried before it is given out. Trying each one each time (`pool_pre_ping`) took half of
    the time of a small unit of work.
    """
    made = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(address),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        hide_parameters=True,
    )
    listen(made, "checkin", _remember_use)
    listen(made, "checkout", _try_when_idle)
    return made


def _remember_use(_: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _try_when_idle(connection: psycopg.Connection[Any], record: ConnectionPoolEntry, _: object) -> None:
    if time.monotonic() - record.info.get("used", time.monotonic()) < _IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool then makes a new one


def driver_of(connection: Connection) -> psycopg.Connection[tuple[Any, ...]]:
    """Return psycopg's own connection under SQLAlchemy's, in the same transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise Misconfigured("the store is not entered through psycopg")
    return driver


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the driver's errors inside the block into one of the six; `what` says in words what was being done."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, psycopg.Error) else None
        raise _translation(what, cause, str(error.orig)) from error
    except psycopg.Error as error:
        raise _translation(what, error, str(error)) from error


def _not_connected(address: PostgresAddress, error: psycopg.OperationalError) -> PolycephError:
    text = str(error).strip()
    refusals = ("password authentication failed", "permission denied for database", "does not exist", "no pg_hba.conf entry")
    if any(part in text for part in refusals):
        return Misconfigured(f"{address.shown()} does not let us in: {text}")
    return Unavailable(f"{address.shown()} does not answer: {text}", hint="is the server running? polyceph status says so")


def _translation(what: str, cause: psycopg.Error | None, text: str) -> PolycephError:
    first = text.strip().splitlines()[0] if text.strip() else "no message"
    if isinstance(cause, driver.SerializationFailure | driver.DeadlockDetected | driver.LockNotAvailable | driver.UniqueViolation):
        return Conflict(f"{what}: somebody else changed it at the same moment ({first})", hint="try again")
    if isinstance(cause, driver.ForeignKeyViolation):
        return NotFound(f"{what}: it refers to something the store does not know ({first})", hint="apply the declarations first")
    if isinstance(cause, driver.InsufficientPrivilege):
        return Denied(f"{what}: PostgreSQL refuses ({first})")
    if isinstance(cause, driver.IntegrityError | driver.DataError):
        return Invalid(f"{what}: PostgreSQL does not accept the values ({first})")
    if cause is not None and cause.sqlstate == NO_EVENT:
        return Misconfigured(f"{what}: {first}", hint="record an event in the same unit of work")
    if cause is not None and cause.sqlstate == SEALED:
        return Denied(f"{what}: {first}")
    return Unavailable(f"{what}: {first}")

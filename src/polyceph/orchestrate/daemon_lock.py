"""The lock by which one daemon works on an instance, on whichever machine: a session's advisory lock in Dagster's own database.

Two daemons would execute the same run twice. PostgreSQL frees the lock when the session ends; whoever held it may not know yet, so
that (1) the holder asks the server all the time whether it still has it and ends at once when it cannot be sure, and (2) the next one
waits, after taking it, longer than this takes, unless the one before has let go of it in good order.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from polyceph.logs import log
from polyceph.settings import PostgresAddress

KEY = 6_302_419_552_077_116_841
"""Of the advisory lock: any number that nobody else uses in this database."""
ASKED_EVERY_S = 1.0
SURE_FOR_S = 6.0
"""Without an answer for so long, the holder ends its process."""
GRACE_S = 9.0
"""What a new holder waits: longer than `SURE_FOR_S` and a look at the clock."""
LOST = 75
"""The exit code of a process that lost the lock (`EX_TEMPFAIL`): its supervisor starts it again."""
_WATCHED_EVERY_S = 0.25
_TABLE = """
CREATE TABLE IF NOT EXISTS polyceph_daemon (
    single boolean PRIMARY KEY DEFAULT true CHECK (single), holder text NOT NULL, taken timestamptz NOT NULL, released timestamptz
)
"""
_TAKEN = """
INSERT INTO polyceph_daemon (holder, taken) VALUES (%s, now())
ON CONFLICT (single) DO UPDATE SET holder = excluded.holder, taken = excluded.taken, released = NULL
"""


def _now() -> float:
    """Return seconds on a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _end() -> None:
    os._exit(LOST)  # no thread may do anything more: another daemon may work already


@dataclass(eq=False)
class DaemonLock:
    """Held from `take` to `release`, or to the end of the process. `on_loss` ends the process; it does not return."""

    address: PostgresAddress
    on_loss: Callable[[], None] = _end
    _session: psycopg.Connection | None = None
    _sure: float = 0.0
    _released: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> None:
        """Wait until the lock is this process's and the one before has surely ended; say in the log whom it waits for.

        Raises:
            psycopg.OperationalError: the database does not answer, or was lost while waiting.
        """
        self._session = session = _connected(self.address)
        if not _tried(session):
            log.warning("another daemon works on this instance (%s); this one waits until it ends", _holder(session))
            session.execute("SELECT pg_advisory_lock(%s)", [KEY])
        self._sure = _now()
        for work, name in ((self._ask, "daemon lock"), (self._watch, "daemon lock watch")):
            threading.Thread(target=work, name=name, daemon=True).start()
        with self._asking:
            session.execute(_TABLE)
            before = session.execute("SELECT holder FROM polyceph_daemon WHERE released IS NULL").fetchone()
        if before is not None:
            log.warning("the daemon before (%s) did not let go of its lock: waiting %.0f s until it has surely ended", before[0], GRACE_S)
            time.sleep(GRACE_S)
        with self._asking:
            session.execute(_TAKEN, [f"process {os.getpid()} of {socket.gethostname()}"])

    def release(self) -> None:
        """Let go of the lock; call it only when nothing works any more."""
        with self._asking:
            self._released.set()
            if self._session is not None:
                self._session.execute("UPDATE polyceph_daemon SET released = now()")
                self._session.close()

    def _ask(self) -> None:
        """Ask the server again and again over the session that holds the lock; its silence is for `_watch` to notice."""
        while not self._released.wait(ASKED_EVERY_S):
            asked = _now()
            try:
                with self._asking:
                    if self._released.is_set():
                        return
                    self._session.execute("SELECT 1")  # type: ignore[union-attr]
            except psycopg.Error as error:
                log.error("the session that holds the daemon's lock is lost (%s): this daemon ends", type(error).__name__)
                self.on_loss()
                return
            self._sure = asked

    def _watch(self) -> None:
        while not self._released.wait(_WATCHED_EVERY_S):
            if _now() - self._sure > SURE_FOR_S:
                log.error("the database has not confirmed the daemon's lock for %.0f s: this daemon ends", SURE_FOR_S)
                self.on_loss()
                return


def _connected(address: PostgresAddress) -> psycopg.Connection:
    # Keepalives notice within half a minute that a server is gone while this process only waits.
    alive: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    options = "-c idle_session_timeout=0 -c statement_timeout=0 -c lock_timeout=0"
    return psycopg.connect(
        **address.arguments(), **alive, autocommit=True, connect_timeout=10, options=options, application_name="polyceph daemon"
    )


def _tried(session: psycopg.Connection) -> bool:
    row = session.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone()
    return row is not None and bool(row[0])


def _holder(session: psycopg.Connection) -> str:
    """Return who wrote last that it holds the lock."""
    there = session.execute("SELECT to_regclass('polyceph_daemon') IS NOT NULL").fetchone()
    row = session.execute("SELECT holder FROM polyceph_daemon").fetchone() if there and there[0] else None
    return str(row[0]) if row else "it has not said who it is"

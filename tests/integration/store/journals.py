"""A sealed journal in a store of its own, and what somebody who owns the database could do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Federation
from polyceph.settings import PostgresAddress, Settings
from polyceph.store.connection import connect
from polyceph.store.journal import PostgresJournal
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont")


def opened(store: Engine, folder: Path, federation: Federation) -> PlatformJournal:
    """Return a journal whose key and places are in `folder`."""
    made = PlatformJournal(Settings(federation=folder, home=folder / "state"), federation, store, PostgresJournal(store))
    made.open(ANNE)
    return made


def event(number: int, **changes: object) -> Event:
    values = {
        "actor": ANNE,
        "door": "test",
        "action": "dataset.read",
        "subject_kind": "dataset",
        "subject_id": f"education.gold.d{number % 7}",
    }
    return Event(**{**values, "domain": "education", "after": {"rows": number}, **changes})  # type: ignore[arg-type]


def record(store: Engine, count: int, *, first: int = 0, make: Callable[[int], Event] = event) -> None:
    """Record events, a hundred in a unit of work."""
    for start in range(first, first + count, 100):
        with PostgresUnitOfWork(store) as work:
            for number in range(start, min(start + 100, first + count)):
                work.record(make(number))
            work.commit()


@contextmanager
def mighty(superuser: PostgresAddress, database: str) -> Iterator[psycopg.Connection]:
    """Enter a store as who owns the server, with every trigger switched off: what nothing inside the database can prevent."""
    with connect(superuser.at(database), autocommit=True) as connection:
        question = "SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        triggers = connection.execute(question).fetchall()
        for table, name in triggers:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}".encode())
        yield connection
        for table, name in triggers:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}".encode())

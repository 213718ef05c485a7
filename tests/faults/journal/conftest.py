"""Sealed journals of any length in stores of their own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.settings import Databases, PostgresAddress, Settings
from polyceph.store.connection import engine
from polyceph.store.journal import PostgresJournal
from polyceph.store.migrate import migrate
from polyceph.store.server import provision
from polyceph.store.unit_of_work import PostgresUnitOfWork

ANNE = Actor(ActorKind.PERSON, "anne.dupont", "school board")


@pytest.fixture(scope="module")
def make_sealed(postgres: PostgresAddress, role_secrets: Path) -> Iterator[Callable[..., PlatformJournal]]:
    """Return a function that makes a journal of so many events in all, under so many heads, kept in a folder."""
    pools = []

    def make(folder: Path, count: int, *, heads: int, make: Callable[[int], Event] = _event) -> PlatformJournal:
        mark = secrets.token_hex(5)
        names = Databases(f"store_{mark}", f"dagster_{mark}", f"lake_{mark}", f"output_{mark}")
        addresses = provision(postgres, role_secrets, databases=names)
        migrate(addresses.owner)
        store = engine(addresses.app)
        pools.append(store)
        federation = Federation(f"demo_{mark}", {}, ("en",), {}, {}, {}, {}, Place("federation.yaml"))
        journal = PlatformJournal(Settings(federation=folder, home=folder / "state"), federation, store, PostgresJournal(store))
        journal.open(ANNE)
        for start in range(1, count, -(-count // heads)):
            with PostgresUnitOfWork(store) as work:
                for number in range(start, min(start + -(-count // heads), count)):
                    work.record(make(number))
                work.commit()
            journal.seal(at_once=True)
        return journal

    yield make
    for pool in pools:
        pool.dispose()


def _event(number: int) -> Event:
    return Event(
        ANNE, "dagster", "dataset.read", "dataset", f"education.gold.d{number % 7}", domain="education", subject_version="1.0.0",
        policy="purpose", reason="purpose is declared", purpose="statistics", agreement="a-17", before={"rows": number},
        after={"columns": ["id", "name"], "rows": number, "whole": number % 2 == 0}, correlation={"run": f"r{number}"},
    )  # fmt: skip

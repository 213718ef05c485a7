"""Emergency access in the store: rows that come, are ended once, and stay."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.emergency import Emergency
from polyceph.store.tables import emergency


def open_emergency(connection: Connection, one: Emergency) -> int | None:
    """Keep emergency access and return its number; None when the person has some in this domain that has not ended."""
    values = {"domain": one.domain, "person": one.person, "reason": one.reason, "opened_by": one.opened_by}
    statement = insert(emergency).values(**values, opened_at=one.opened_at, until=one.until).on_conflict_do_nothing()
    return connection.execute(statement.returning(emergency.c.number)).scalar()


def end_emergency(connection: Connection, number: int, at: datetime, closed_by: str | None) -> bool:
    """Keep that emergency access ended; return False when it has ended already."""
    statement = update(emergency).where(emergency.c.number == number, emergency.c.ended_at.is_(None))
    done = connection.execute(statement.values(ended_at=at, closed_by=closed_by).returning(emergency.c.number))
    return done.first() is not None


def emergencies_statement(*, is_open: bool) -> Select[tuple[object, ...]]:
    """Return the SELECT of emergency access, all of it or what is not ended."""
    found = select(emergency).order_by(emergency.c.number)
    return found.where(emergency.c.ended_at.is_(None)) if is_open else found


def emergency_of(row: Row[Any]) -> Emergency:
    """Return the emergency access of a row."""
    return Emergency(row.number, row.domain, row.person, row.reason, row.opened_by, row.opened_at, row.until, row.ended_at, row.closed_by)

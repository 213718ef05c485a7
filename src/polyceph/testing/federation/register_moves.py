"""A day of work in the register: pupils move to another school. For tests and walks that need something to change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from polyceph.errors import NotFound
from polyceph.settings import PostgresAddress


def move_pupils(address: PostgresAddress, *, pupils: int = 100) -> datetime:
    """Let some pupils move to another school, and return the new `updated_at`: what an incremental load finds.

    Raises:
        NotFound: the register at `address` has no pupils.
    """
    with psycopg.connect(address.url()) as connection:
        moment = _latest(connection) + timedelta(days=1)
        connection.execute(
            "update pupils set updated_at = %s, school_id = 1 + school_id %% (select count(*) from schools)::int "
            "where pupil_id in (select pupil_id from pupils order by pupil_id limit %s)",
            (moment, pupils),
        )
    return moment


def _latest(connection: psycopg.Connection) -> datetime:
    row = connection.execute("select max(updated_at) from pupils").fetchone()
    if row is None or row[0] is None:
        raise NotFound("the register has no pupils", hint="generate the federation's systems and fill its databases first")
    return datetime.fromtimestamp(row[0].timestamp(), UTC)

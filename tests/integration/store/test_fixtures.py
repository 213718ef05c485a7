"""The fixtures that every other test builds on."""

from __future__ import annotations

import psycopg

from polyceph.settings import PostgresAddress


def test_each_test_gets_an_empty_database(database: PostgresAddress) -> None:
    with psycopg.connect(database.url()) as connection:
        row = connection.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'").fetchone()
    assert row == (0,)

"""The journal keeps everything, and no change of state goes without it: tried from inside the database, by whoever can reach it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from polyceph.settings import PostgresAddress
from polyceph.store.connection import NO_EVENT, SEALED, connect

BODY = (
    """{"action":"domain.added","actor":{"id":"anne.dupont","kind":"person"},"decision":{"allowed":true},"door":"cli","""
    """"subject":{"id":"education","kind":"domain"}}"""
)
EVENT = f"INSERT INTO polyceph.event (body) VALUES ('{BODY}')"
DOMAIN = "INSERT INTO polyceph.domain (name, title, owner, steward, contact) VALUES ('education', '{}', 'a', 'b', 'c')"
CHANGES = ("UPDATE polyceph.event SET body = '{}'", "DELETE FROM polyceph.event", "TRUNCATE polyceph.event")


def run(connection: psycopg.Connection, *statements: str) -> None:
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(b"SELECT count(*) FROM polyceph." + table.encode()).fetchone()
    assert row
    return int(row[0])


def test_the_application_adds_events_and_reads_them(app: psycopg.Connection) -> None:
    run(app, EVENT)
    row = app.execute(
        "SELECT seq, body #>> '{actor,id}', at <= clock_timestamp(), xid < pg_snapshot_xmin(pg_current_snapshot()) FROM polyceph.event"
    ).fetchone()
    assert row == (1, "anne.dupont", True, True)


@pytest.mark.parametrize("statement", CHANGES)
def test_the_application_cannot_change_the_journal(app: psycopg.Connection, statement: str) -> None:
    run(app, EVENT)
    with pytest.raises(errors.InsufficientPrivilege):
        run(app, statement)
    assert count(app, "event") == 1


@pytest.mark.parametrize("column", ["seq", "at", "xid"])
def test_the_application_cannot_choose_number_time_or_transaction_of_an_event(app: psycopg.Connection, column: str) -> None:
    value = {"seq": "7", "at": "'2020-01-01'", "xid": "'7'"}[column]
    with pytest.raises((errors.InsufficientPrivilege, errors.GeneratedAlways)):
        run(app, EVENT.replace("(body", f"({column}, body").replace("('{", f"({value}, '{{"))


@pytest.mark.parametrize("statement", [*CHANGES, "TRUNCATE polyceph.event CASCADE", "UPDATE polyceph.event SET body = '{}' WHERE false"])
@pytest.mark.parametrize("who", ["owner", "superuser", "superuser replicating"])
def test_nobody_changes_the_journal(
    app: psycopg.Connection, store_owner: PostgresAddress, postgres: PostgresAddress, who: str, statement: str
) -> None:
    run(app, EVENT)
    address = store_owner if who == "owner" else postgres.at(store_owner.database)
    with connect(address, autocommit=True) as connection:
        if who == "superuser replicating":
            connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.Error) as caught:
            run(connection, statement)
        assert caught.value.sqlstate == SEALED
        assert count(connection, "event") == 1


def test_the_application_cannot_switch_a_trigger_off(app: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        run(app, "ALTER TABLE polyceph.domain DISABLE TRIGGER ALL")
    with pytest.raises(errors.InsufficientPrivilege):
        run(app, "SET session_replication_role = replica")


def test_a_change_with_an_event_of_its_transaction_goes_whatever_their_order(app: psycopg.Connection) -> None:
    run(app, DOMAIN, EVENT)
    run(app, EVENT, "UPDATE polyceph.domain SET owner = 'z'")
    assert count(app, "domain") == 1


@pytest.mark.parametrize("who", ["app", "owner", "superuser"])
def test_a_change_without_an_event_is_refused_at_commit(
    store_app: PostgresAddress, store_owner: PostgresAddress, postgres: PostgresAddress, who: str
) -> None:
    address = {"app": store_app, "owner": store_owner}.get(who, postgres.at(store_owner.database))
    with connect(address, autocommit=True) as connection:
        run(connection, EVENT)
        with pytest.raises(psycopg.Error, match="table domain was changed and no event says so") as caught:
            run(connection, DOMAIN)
        assert caught.value.sqlstate == NO_EVENT
        assert count(connection, "domain") == 0


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO polyceph.declaration (digest, commit, content) VALUES ('d', 'c', '{}')",
        "INSERT INTO polyceph.dataset (domain, zone, name, owner, steward) VALUES ('education', 'raw', 'x', 'a', 'b')",
        "UPDATE polyceph.domain SET owner = 'z'",
        (
            "INSERT INTO polyceph.run_request (request, domain, actor_kind, actor_id, datasets, status) "
            "VALUES ('r', 'education', 'x', 'a', '[]', 'REQUESTED')"
        ),
        "INSERT INTO polyceph.snapshot (domain, snapshot, at, extra, changes) VALUES ('education', 1, now(), '{}', '')",
    ],
)
def test_every_table_of_state_asks_for_an_event(app: psycopg.Connection, change: str) -> None:
    run(app, EVENT, DOMAIN)
    with pytest.raises(psycopg.Error, match="no event says so"):
        run(app, change)
    run(app, change, EVENT)


def test_an_event_taken_back_does_not_excuse_a_change(app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match="no event says so"):
        run(app, DOMAIN, "SAVEPOINT s", EVENT, "ROLLBACK TO SAVEPOINT s")
    assert count(app, "domain") == 0


def test_an_event_of_another_transaction_does_not_excuse_a_change(app: psycopg.Connection, store_app: PostgresAddress) -> None:
    with connect(store_app) as other:
        other.execute(EVENT.encode())
        with pytest.raises(psycopg.Error, match="no event says so"):
            run(app, DOMAIN)
        other.commit()


@pytest.mark.parametrize("table", ["declaration", "domain", "dataset", "run_request", "snapshot"])
def test_no_table_of_state_is_emptied_or_loses_rows(app: psycopg.Connection, store_owner: PostgresAddress, table: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        run(app, f"DELETE FROM polyceph.{table}")
    with connect(store_owner, autocommit=True) as owner, pytest.raises(psycopg.Error, match="keeps every row"):
        run(owner, EVENT, f"TRUNCATE polyceph.{table} CASCADE")


@pytest.mark.parametrize("table", ["declaration", "snapshot"])
def test_what_was_in_force_cannot_be_rewritten_by_the_application(app: psycopg.Connection, table: str) -> None:
    column = "digest" if table == "declaration" else "message"
    with pytest.raises(errors.InsufficientPrivilege):
        run(app, EVENT, f"UPDATE polyceph.{table} SET {column} = 'x'")


@pytest.mark.parametrize("action", ["created", "Run.requested", "run.", "run requested", ""])
def test_an_action_that_is_not_noun_and_verb_is_refused(app: psycopg.Connection, action: str) -> None:
    with pytest.raises(errors.CheckViolation):
        run(app, EVENT.replace("domain.added", action))

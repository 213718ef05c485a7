"""Migrations make what `tables` says, wherever they start from."""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import exc, text

from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.errors import Denied, Misconfigured
from polyceph.settings import PostgresAddress
from polyceph.store import migrate as migrations
from polyceph.store.canonical import canonical
from polyceph.store.connection import connect, engine
from polyceph.store.migrate import migrate, newest_revision
from polyceph.store.queries import PostgresQueries
from polyceph.store.server import StoreAddresses
from polyceph.store.tables import SCHEMA, metadata


def test_the_migrated_database_is_what_the_tables_say(provisioned: StoreAddresses) -> None:
    migrate(provisioned.owner)

    options = {"version_table_schema": SCHEMA, "include_schemas": True, "compare_type": True, "compare_server_default": True}
    pool = engine(provisioned.owner)
    with pool.connect() as connection, warnings.catch_warnings():
        # SQLAlchemy has no word for xid8.
        warnings.filterwarnings("ignore", message="Did not recognize type 'xid8'", category=exc.SAWarning)
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    pool.dispose()
    assert differences == []


def test_the_transaction_number_is_of_64_bits(provisioned: StoreAddresses) -> None:
    migrate(provisioned.owner)
    question = "SELECT data_type FROM information_schema.columns WHERE table_name = 'event' AND column_name = 'xid'"
    with connect(provisioned.owner) as connection:
        assert connection.execute(question).fetchone() == ("xid8",)


def test_migrating_again_changes_nothing(provisioned: StoreAddresses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert migrate(provisioned.owner) == newest_revision()
    assert migrate(provisioned.owner) == newest_revision()
    assert list(tmp_path.iterdir()) == []


def test_migrating_at_the_same_moment_works(provisioned: StoreAddresses) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: migrate(provisioned.owner), range(3))) == {newest_revision()}


def test_a_store_of_a_newer_release_is_refused(provisioned: StoreAddresses) -> None:
    migrate(provisioned.owner)
    pool = engine(provisioned.owner)
    with pool.begin() as connection:
        connection.execute(text("UPDATE polyceph.alembic_version SET version_num = '9999'"))
    pool.dispose()
    with pytest.raises(Misconfigured, match="newer release"):
        migrate(provisioned.owner)


def test_only_the_owner_migrates(provisioned: StoreAddresses) -> None:
    with pytest.raises(Denied):
        migrate(provisioned.app)


def test_a_server_without_roles_is_named(bare_server: PostgresAddress) -> None:
    with pytest.raises(Misconfigured, match="provision the server before"):
        migrate(bare_server)


def test_events_in_columns_become_the_same_events_in_json(provisioned: StoreAddresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "newest_revision", lambda: "0001")
    upgraded = migrations.command.upgrade
    monkeypatch.setattr(migrations.command, "upgrade", lambda config, _: upgraded(config, "0001"))
    migrate(provisioned.owner)
    with connect(provisioned.app, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO polyceph.event (actor_kind, actor_id, on_behalf_of, door, action, subject_kind, subject_id, domain, allowed,
                   policy, reason, before, after, correlation)
               VALUES ('person', 'anne.dupont', 'the board', 'cli', 'run.finished', 'run', 'q1', 'education', false, 'purpose', 'é "none"',
                   '{"b": 1, "a": [true, null]}', '{"seconds": 1.50}', '{"run": "r1"}'),
                      ('service', 'polyceph', NULL, 'lake', 'snapshot.committed', 'lake', 'education@1', NULL, true, NULL, NULL,
                   NULL, NULL, '{}')"""
        )
        old = connection.execute("SELECT seq, at, xid::text FROM polyceph.event ORDER BY seq").fetchall()
    monkeypatch.undo()

    migrate(provisioned.owner)

    pool = engine(provisioned.app)
    first, second = PostgresQueries(pool).events(EventFilter())
    pool.dispose()
    assert first.event == Event(
        Actor(ActorKind.PERSON, "anne.dupont", "the board"), "cli", "run.finished", "run", "q1", domain="education", allowed=False,
        policy="purpose", reason='é "none"', before={"b": 1, "a": [True, None]}, after={"seconds": 1.5}, correlation={"run": "r1"},
    )  # fmt: skip
    assert (second.event.actor.id, second.event.correlation, second.event.after) == ("polyceph", {}, None)
    with connect(provisioned.app) as connection:
        assert connection.execute("SELECT seq, at, xid::text FROM polyceph.event ORDER BY seq").fetchall() == old
        (body,) = connection.execute("SELECT body::text FROM polyceph.event ORDER BY seq LIMIT 1").fetchone() or ("",)
        assert body == canonical("it", json.loads(body)), "what was written anew is canonical"
        number = connection.execute("""INSERT INTO polyceph.event (body) VALUES ('{"action":"run.finished"}') RETURNING seq""").fetchone()
    assert number == (old[-1][0] + 1,)

"""Brings the store's database to the shape this release needs. Databases and roles are made before, in `server`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from polyceph.errors import Misconfigured
from polyceph.settings import PostgresAddress
from polyceph.store.connection import engine, translated
from polyceph.store.tables import SCHEMA

_LOCK = 7_030_001
"""Number of the advisory lock under which one process migrates."""


def migrate(owner: PostgresAddress) -> str:
    """Bring the store's database to the newest revision, in one transaction, and return that revision.

    Args:
        owner: the store's database entered as its owner.

    Raises:
        Misconfigured: a newer release has already migrated it, or the application's role is missing.
    """
    pool = engine(owner, pool_size=1)
    try:
        with translated(f"migrating {owner.shown()}"), pool.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
            return _upgrade(connection, owner)
    finally:
        pool.dispose()


def _upgrade(connection: Connection, owner: PostgresAddress) -> str:
    roles = connection.execute(text("SELECT count(*) FROM pg_roles WHERE rolname = 'polyceph_app'")).scalar_one()
    if not roles:
        raise Misconfigured(f"{owner.shown()} has no role polyceph_app", hint="provision the server before migrating it")
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Misconfigured(
            f"{owner.shown()} was migrated by a newer release: {error}", hint="install that release, or restore a backup made before it"
        ) from error
    return newest_revision()


def newest_revision() -> str:
    """Return the revision this release needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    # A percent sign would start an interpolation in the configuration.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

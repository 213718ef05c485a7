"""The platform's PostgreSQL server, embedded or managed: databases, roles and who may enter what. Tables are in `migrations`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Identifier, Literal
from pydantic import SecretStr

from polyceph.errors import Invalid, Misconfigured, NotFound, Unavailable
from polyceph.settings import Databases, PostgresAddress, Settings
from polyceph.store.connection import address_of, connect, translated
from polyceph.store.embedded import EmbeddedPostgres
from polyceph.store.secrets import known_passwords, role_passwords

OWNER, APP, DAGSTER = "polyceph_owner", "polyceph_app", "polyceph_dagster"

_LOCK = 7_030_002
"""Number of the advisory lock under which one process provisions."""
_OLDEST_MAJOR = 15
_NAME_BYTES = 63
_RESERVED = ("public", "information_schema")
_SESSIONS = {OWNER: 10, APP: 40, DAGSTER: 100}
_DOMAIN_SESSIONS = 50
"""Sessions one role may have, so that a domain's runaway code cannot take all 200 of the server."""


@dataclass(frozen=True)
class StoreAddresses:
    """The ways into a provisioned server, each as the role that is meant for it."""

    owner: PostgresAddress
    """The store's database as its owner: for migrations alone."""
    app: PostgresAddress
    """The store's database as the application."""
    dagster: PostgresAddress
    """Dagster's own storage. Code servers need it as well: it holds nothing that must be proof."""
    databases: Databases
    domains: Mapping[str, SecretStr]
    """Passwords of the domains' roles by domain."""

    def lake(self, domain: str) -> PostgresAddress:
        """Return the lakes' database as the domain; its schema there is made with the lake."""
        return self._as_domain(domain, self.databases.lake)

    def output(self, domain: str) -> PostgresAddress:
        """Return the outputs' database as the domain; its tables belong in the schema of the domain's name."""
        return self._as_domain(domain, self.databases.output)

    def _as_domain(self, domain: str, database: str) -> PostgresAddress:
        if domain not in self.domains:
            raise NotFound(
                f"domain {domain} has no role on this server", hint=f"provisioned are: {', '.join(sorted(self.domains)) or 'none'}"
            )
        return self.app.at(database).as_role(domain_role(domain), self.domains[domain])


@dataclass(frozen=True)
class Server:
    """A server that answers: its administrator's address, and the embedded server when it is one."""

    admin: PostgresAddress
    embedded: EmbeddedPostgres | None

    def stop(self) -> None:
        """Stop an embedded server that this process started; one that ran before or a managed one is not ours to stop."""
        if self.embedded is not None:
            self.embedded.release()


def running_server(settings: Settings) -> Server:
    """Return the server of the settings, started when it is embedded (`<state>/postgres`), checked when it is managed.

    An embedded server that this starts ends with this process, also when the process is killed.

    Raises:
        Misconfigured: the DSN is wrong or its server too old.
        Unavailable: the server does not answer or start.
    """
    if settings.store.dsn is not None:
        return _managed_server(settings.store.dsn)
    embedded = EmbeddedPostgres(settings.state() / "postgres", stop_with_parent=True)
    return Server(embedded.start(), embedded)


def joined_server(settings: Settings) -> Server:
    """Return the server of the settings when it runs already; nothing is started.

    Raises:
        Misconfigured: as in `running_server`.
        Unavailable: it does not run or answer.
    """
    if settings.store.dsn is not None:
        return _managed_server(settings.store.dsn)
    return Server(EmbeddedPostgres(settings.state() / "postgres").address(), None)


def _managed_server(dsn: SecretStr) -> Server:
    admin = address_of(dsn)
    with connect(admin) as connection:
        major = connection.info.server_version // 10000
    if major < _OLDEST_MAJOR:
        raise Misconfigured(f"{admin.shown()} is PostgreSQL {major}; polyceph needs {_OLDEST_MAJOR} or newer")
    return Server(admin, None)


def domain_role(domain: str) -> str:
    """Return the name of a domain's role.

    Raises:
        Invalid: the domain's name cannot name a role and a schema.
    """
    role = f"domain_{domain}"
    if len(role.encode()) > _NAME_BYTES:
        raise Invalid(f"the name of domain {domain} is too long: {_NAME_BYTES - len('domain_')} letters at most")
    if domain in _RESERVED or domain.startswith("pg_"):
        raise Invalid(f"{domain} cannot name a domain: PostgreSQL keeps {', '.join(_RESERVED)} and names that begin with pg_ for itself")
    return role


def provision(admin: PostgresAddress, secrets: Path, *, domains: Iterable[str] = (), databases: Databases | None = None) -> StoreAddresses:
    """Make what is missing of databases, roles and rights, and return the ways in. Doing it again changes nothing.

    A role's password always becomes the one in `<secrets>/roles.json`; the server only sees its SCRAM verifier.

    Args:
        admin: a superuser, or a role with CREATEDB and CREATEROLE.
        secrets: the folder of secrets, mode 0700.
        domains: names of the domains; each gets a role that may enter the lakes' and the outputs' database, and a schema for its outputs.
        databases: other names of the databases, for tests.

    Raises:
        Invalid: a domain's name cannot name a role.
        Denied: the administrator lacks a right.
    """
    names = databases or Databases()
    roles = {name: domain_role(name) for name in sorted(set(domains))}
    passwords = role_passwords(secrets, [OWNER, APP, DAGSTER, *roles.values()])
    with translated(f"provisioning {admin.shown()}"), connect(admin, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        for role, password in passwords.items():
            _make_role(connection, role, password)
        _make_databases(connection, names, tuple(roles.values()))
        _make_output_schemas(admin.at(names.output), roles)
    return _addresses(admin, passwords, roles, names)


def known_addresses(
    admin: PostgresAddress, secrets: Path, *, domains: Iterable[str] = (), databases: Databases | None = None
) -> StoreAddresses:
    """Return the ways into a server that is provisioned; nothing is made or changed. Arguments are those of `provision`.

    A domain that is not provisioned yet is not among them.

    Raises:
        Unavailable: the server was never provisioned from this state folder.
    """
    passwords = known_passwords(secrets)
    if missing := [role for role in (OWNER, APP, DAGSTER) if role not in passwords]:
        raise Unavailable(f"the passwords of {', '.join(missing)} are not in {secrets}", hint="start the federation with polyceph up")
    roles = {name: role for name in sorted(set(domains)) if (role := domain_role(name)) in passwords}
    return _addresses(admin, passwords, roles, databases or Databases())


def _addresses(admin: PostgresAddress, passwords: Mapping[str, SecretStr], roles: Mapping[str, str], names: Databases) -> StoreAddresses:
    app = admin.at(names.store).as_role(APP, passwords[APP])
    return StoreAddresses(
        owner=app.as_role(OWNER, passwords[OWNER]),
        app=app,
        dagster=admin.at(names.dagster).as_role(DAGSTER, passwords[DAGSTER]),
        databases=names,
        domains={name: passwords[role] for name, role in roles.items()},
    )


def _make_role(connection: psycopg.Connection[Any], role: str, password: SecretStr) -> None:
    exists = _one(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", role)
    if not exists:
        connection.execute(sql.SQL("CREATE ROLE {}").format(Identifier(role)))
    verifier = connection.pgconn.encrypt_password(password.get_secret_value().encode(), role.encode(), b"scram-sha-256").decode()
    limit = _SESSIONS.get(role, _DOMAIN_SESSIONS)
    statement = sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}")
    connection.execute(statement.format(Identifier(role), Literal(limit), Literal(verifier)))
    if not _one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        # Since PostgreSQL 16 the maker of a role may administer it and yet not act for it before granting it to himself.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(Identifier(role)))


def _make_databases(connection: psycopg.Connection[Any], names: Databases, domain_roles: tuple[str, ...]) -> None:
    entrances = (
        (names.store, OWNER, "CONNECT", (APP,)),
        (names.dagster, DAGSTER, "CONNECT", ()),
        (names.lake, None, "CONNECT", domain_roles),
        (names.output, None, "CONNECT, TEMPORARY", domain_roles),
    )
    for name, owner, rights, guests in entrances:
        if not _one(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", name):
            made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(Identifier(name))
            connection.execute(made + sql.SQL(" OWNER {}").format(Identifier(owner)) if owner else made)
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(name)))
        for role in guests:
            statement = sql.SQL("GRANT {} ON DATABASE {} TO {}")
            connection.execute(statement.format(sql.SQL(rights), Identifier(name), Identifier(role)))


def _make_output_schemas(admin: PostgresAddress, roles: Mapping[str, str]) -> None:
    with connect(admin) as connection:
        for domain, role in roles.items():
            statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
            connection.execute(statement.format(Identifier(domain), Identifier(role)))


def _one(connection: psycopg.Connection[Any], question: str, *values: object) -> Any:
    row = connection.execute(question.encode(), values).fetchone()
    return row[0] if row else None

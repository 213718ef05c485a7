"""What the store is asked about sessions, the local account and service identities. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine, or_, select

from polyceph.core.model.service_identity import KnownService, SecretKind, ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import LocalAccount, Session
from polyceph.store import identity_rows as rows
from polyceph.store.connection import translated
from polyceph.store.tables import local_account, service_identity, service_secret, session


class PostgresIdentityQueries:
    """`core.identity_ports.IdentityQueries` on PostgreSQL; each call is one transaction and sees one moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def session(self, key: bytes) -> Session | None:
        """Return a session by the hash of its cookie, ended or not."""
        with self._reading("a session") as connection:
            row = connection.execute(select(session).where(session.c.key == key)).first()
        return rows.session(row) if row else None

    def session_named(self, public: str) -> Session | None:
        """Return a session by its public id."""
        with self._reading("a session") as connection:
            row = connection.execute(select(session).where(session.c.id == public)).first()
        return rows.session(row) if row else None

    def open_sessions(
        self, *, actor: str | None = None, provider: str | None = None, subject: str | None = None, provider_session: str | None = None
    ) -> tuple[Session, ...]:
        """Return sessions that nobody has ended, newest first; each argument narrows."""
        columns = (
            (session.c.actor, actor),
            (session.c.provider, provider),
            (session.c.subject, subject),
            (session.c.provider_session, provider_session),
        )
        conditions = [column == value for column, value in columns if value is not None]
        statement = select(session).where(session.c.ended_at.is_(None), *conditions).order_by(session.c.opened_at.desc(), session.c.id)
        with self._reading("sessions") as connection:
            return tuple(map(rows.session, connection.execute(statement)))

    def over_sessions(self, now: datetime, limit: int) -> tuple[Session, ...]:
        """Return sessions that nobody has ended and whose time is over."""
        is_over = or_(session.c.ends_at <= now, session.c.touched_at + session.c.idle <= now)
        statement = select(session).where(session.c.ended_at.is_(None), is_over).order_by(session.c.touched_at).limit(limit)
        with self._reading("sessions that are over") as connection:
            return tuple(map(rows.session, connection.execute(statement)))

    def account(self, name: str) -> LocalAccount | None:
        """Return the local account, None before it is made."""
        with self._reading("the local account") as connection:
            row = connection.execute(select(local_account).where(local_account.c.name == name)).first()
        return rows.account(row) if row else None

    def services(self, owner: str | None = None) -> tuple[KnownService, ...]:
        """Return service identities by name, ended ones too; of one owner or all."""
        statement = select(service_identity).order_by(service_identity.c.name)
        if owner is not None:
            statement = statement.where(service_identity.c.owner == owner)
        with self._reading("service identities") as connection:
            found = [rows.service(row) for row in connection.execute(statement)]
            return tuple(KnownService(one, _secrets(connection, one.name)) for one in found)

    def service(self, name: str) -> KnownService | None:
        """Return one service identity."""
        with self._reading(f"service identity {name}") as connection:
            row = connection.execute(select(service_identity).where(service_identity.c.name == name)).first()
            return KnownService(rows.service(row), _secrets(connection, name)) if row else None

    def service_of_client(self, provider: str, client: str) -> ServiceIdentity | None:
        """Return the service identity, not ended, that a client of a provider stands for."""
        columns = service_identity.c
        statement = select(service_identity).where(columns.provider == provider, columns.client == client, columns.ended_at.is_(None))
        with self._reading("a service identity") as connection:
            row = connection.execute(statement).first()
        return rows.service(row) if row else None

    def service_of_secret(self, hash_: bytes) -> tuple[ServiceIdentity, ServiceSecret] | None:
        """Return a service identity and the secret it came with, whatever their state."""
        columns = [column for column in service_secret.c if column.name != "identity"]
        renamed = [column.label(f"secret_{column.name}") for column in columns]
        statement = select(service_identity, *renamed).join(service_secret, service_secret.c.identity == service_identity.c.name)
        with self._reading("a secret") as connection:
            row = connection.execute(statement.where(service_secret.c.hash == hash_)).first()
        if row is None:
            return None
        values = {name.removeprefix("secret_"): value for name, value in row._asdict().items() if name.startswith("secret_")}
        return rows.service(row), ServiceSecret(**{**values, "identity": row.name, "kind": SecretKind(values["kind"])})

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with translated(f"reading {what}"), self._engine.begin() as connection:
            yield connection


def _secrets(connection: Connection, name: str) -> tuple[ServiceSecret, ...]:
    statement = select(service_secret).where(service_secret.c.identity == name, service_secret.c.kind == SecretKind.LASTING.value)
    return tuple(map(rows.secret, connection.execute(statement.order_by(service_secret.c.made_at.desc()))))

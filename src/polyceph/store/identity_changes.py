"""Changes of sessions, the local account and service identities inside a unit of work."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.sentence import said
from polyceph.core.model.service_identity import SecretKind, ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import LocalAccount, Session
from polyceph.errors import Conflict
from polyceph.store import identity_rows as rows
from polyceph.store.connection import translated
from polyceph.store.tables import local_account, service_identity, service_secret, session

_ACCOUNT = 7_030_011
"""Number of the advisory lock under which one process at a time tries a password or changes the local account."""


class _Transaction(Protocol):
    """What these changes use of the unit of work that they are part of."""

    def _open(self) -> Connection: ...

    def _noted(self, table: str, changed: bool) -> bool: ...


class RecordsIdentity:
    """The part of a unit of work that changes who may come in (`core.identity_ports.IdentityChanges`)."""

    def open_session(self: _Transaction, session_: Session) -> None:
        """Keep a session that begins."""
        with translated("opening a session"):
            self._open().execute(insert(session).values(rows.session_values(session_)))
        self._noted("session", changed=True)

    def end_sessions(self: _Transaction, ids: tuple[str, ...], at: datetime, reason: str) -> tuple[str, ...]:
        """End sessions that are open and forget their tokens; return the ids of those that were open."""
        statement = update(session).where(session.c.id.in_(ids), session.c.ended_at.is_(None))
        statement = statement.values(ended_at=at, end_reason=reason, id_token=None)
        with translated("ending sessions"):
            ended = tuple(row.id for row in self._open().execute(statement.returning(session.c.id)))
        self._noted("session", bool(ended))
        return ended

    def forget_sessions(self: _Transaction, before: datetime) -> int:
        """Remove sessions that ended before a moment; return how many there were."""
        with translated("removing sessions"):
            found = self._open().execute(delete(session).where(session.c.ended_at < before)).rowcount
        self._noted("session", bool(found))
        return found

    def forget_tokens(self: _Transaction, before: datetime) -> int:
        """Remove short access tokens that expired before a moment; return how many there were."""
        over = (service_secret.c.kind == SecretKind.ACCESS.value, service_secret.c.expires_at < before)
        with translated("removing tokens"):
            found = self._open().execute(delete(service_secret).where(*over)).rowcount
        self._noted("service_secret", bool(found))
        return found

    def lock_account(self: _Transaction, name: str) -> LocalAccount | None:
        """Return the local account, held until this unit of work ends, so that no two attempts count as one."""
        with translated("reading the local account"):
            connection = self._open()
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ACCOUNT})
            row = connection.execute(select(local_account).where(local_account.c.name == name)).first()
        return rows.account(row) if row else None

    def keep_account(self: _Transaction, account: LocalAccount) -> None:
        """Keep the local account as it is now, in place of what was known of it."""
        values = vars(account)
        changed = {name: value for name, value in values.items() if name not in ("name", "made_at")}
        statement = insert(local_account).values(values).on_conflict_do_update(index_elements=["name"], set_=changed)
        with translated("changing the local account"):
            self._open().execute(statement)
        self._noted("local_account", changed=True)

    def add_service(self: _Transaction, identity: ServiceIdentity) -> None:
        """Keep a service identity; raise `Conflict` when there is one of this name."""
        statement = insert(service_identity).values(rows.service_values(identity)).on_conflict_do_nothing(index_elements=["name"])
        with translated(f"creating service identity {identity.name}"):
            done = self._open().execute(statement.returning(service_identity.c.name)).first()
        if not self._noted("service_identity", done is not None):
            message = said("there is a service identity {name} already", name=identity.name)
            raise Conflict(message, hint=said("take another name; names are never used twice"))

    def end_service(self: _Transaction, name: str, at: datetime, reason: str) -> bool:
        """End a service identity and all its secrets; return False when it had ended."""
        statement = update(service_identity).where(service_identity.c.name == name, service_identity.c.ended_at.is_(None))
        secrets = update(service_secret).where(service_secret.c.identity == name, service_secret.c.ended_at.is_(None))
        with translated(f"ending service identity {name}"):
            connection = self._open()
            done = connection.execute(statement.values(ended_at=at, end_reason=reason).returning(service_identity.c.name)).first()
            connection.execute(secrets.values(ended_at=at))
        return self._noted("service_identity", done is not None)

    def add_secret(self: _Transaction, secret: ServiceSecret) -> None:
        """Keep the hash of a secret."""
        with translated(f"keeping a secret of {secret.identity}"):
            self._open().execute(insert(service_secret).values(rows.secret_values(secret)))
        self._noted("service_secret", changed=True)

    def shorten_secrets(self: _Transaction, name: str, until: datetime) -> int:
        """Let the lasting secrets of a service identity end at a moment at the latest; return how many that concerns."""
        statement = update(service_secret).where(service_secret.c.identity == name, service_secret.c.kind == SecretKind.LASTING.value)
        statement = statement.where(service_secret.c.ended_at.is_(None), service_secret.c.expires_at > until)
        with translated(f"rotating the secret of {name}"):
            found = self._open().execute(statement.values(expires_at=func.least(service_secret.c.expires_at, until))).rowcount
        self._noted("service_secret", bool(found))
        return found

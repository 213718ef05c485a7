"""What comes and goes with every sign-in and request and is no change that an event explains: pending sign-ins, seen tokens, last uses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, delete, update
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.sign_in import PendingSignIn
from polyceph.store import identity_rows as rows
from polyceph.store.connection import translated
from polyceph.store.tables import pending_sign_in, seen_token, service_identity, service_secret, session


class IdentityTraffic:
    """Short-lived facts of sign-in on PostgreSQL, shared by all replicas; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, pending: PendingSignIn, now: datetime) -> None:
        """Keep a sign-in under way, and forget those that never came back."""
        with translated("beginning a sign-in"), self._engine.begin() as connection:
            connection.execute(delete(pending_sign_in).where(pending_sign_in.c.expires_at < now))
            connection.execute(insert(pending_sign_in).values(vars(pending)))

    def take(self, state: bytes) -> PendingSignIn | None:
        """Return a sign-in under way and forget it: of two answers that bear one state only the first finds it."""
        statement = delete(pending_sign_in).where(pending_sign_in.c.state == state).returning(pending_sign_in)
        with translated("finishing a sign-in"), self._engine.begin() as connection:
            row = connection.execute(statement).first()
        return rows.pending(row) if row else None

    def is_first(self, token: bytes, now: datetime, until: datetime) -> bool:
        """Tell whether a token, by its hash, is seen for the first time; it is remembered `until` it cannot be valid any more."""
        statement = insert(seen_token).values(id=token, expires_at=until).on_conflict_do_nothing().returning(seen_token.c.id)
        with translated("remembering a token"), self._engine.begin() as connection:
            connection.execute(delete(seen_token).where(seen_token.c.expires_at < now))
            return connection.execute(statement).first() is not None

    def touch_session(self, key: bytes, now: datetime) -> None:
        """Keep that a session was used now."""
        statement = update(session).where(session.c.key == key, session.c.ended_at.is_(None), session.c.touched_at < now)
        with translated("using a session"), self._engine.begin() as connection:
            connection.execute(statement.values(touched_at=now))

    def touch_service(self, name: str, hash_: bytes | None, now: datetime) -> None:
        """Keep that a service identity was used now, with which secret if it came with one of ours."""
        with translated("using a service identity"), self._engine.begin() as connection:
            connection.execute(update(service_identity).where(service_identity.c.name == name).values(last_used_at=now))
            if hash_ is not None:
                connection.execute(update(service_secret).where(service_secret.c.hash == hash_).values(last_used_at=now))

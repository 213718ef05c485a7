"""What sign-in and service identities need of the world: changes in a unit of work, and questions to the store. Part of `ports`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from polyceph.core.model.service_identity import KnownService, ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import LocalAccount, Session


class IdentityChanges(Protocol):
    """Changes of sessions, the local account and service identities."""

    def open_session(self, session: Session) -> None:
        """Keep a session that begins."""
        ...

    def end_sessions(self, ids: tuple[str, ...], at: datetime, reason: str) -> tuple[str, ...]:
        """End sessions that are open; return the ids of those that were."""
        ...

    def forget_sessions(self, before: datetime) -> int:
        """Remove sessions that ended before a moment; return how many there were."""
        ...

    def forget_tokens(self, before: datetime) -> int:
        """Remove short access tokens that expired before a moment; return how many there were."""
        ...

    def keep_account(self, account: LocalAccount) -> None:
        """Keep the local account as it is now, in place of what was known of it."""
        ...

    def lock_account(self, name: str) -> LocalAccount | None:
        """Return the local account, held until this unit of work ends, so that no two attempts count as one."""
        ...

    def add_service(self, identity: ServiceIdentity) -> None:
        """Keep a service identity; raise `Conflict` when there is one of this name."""
        ...

    def end_service(self, name: str, at: datetime, reason: str) -> bool:
        """End a service identity and all its secrets; return False when it had ended."""
        ...

    def add_secret(self, secret: ServiceSecret) -> None:
        """Keep the hash of a secret."""
        ...

    def shorten_secrets(self, name: str, until: datetime) -> int:
        """Let the lasting secrets that a service identity has now end at a moment at the latest; return how many that concerns."""
        ...


class IdentityQueries(Protocol):
    """What the store knows of sessions, the local account and service identities."""

    def session(self, key: bytes) -> Session | None:
        """Return a session by the hash of its cookie, ended or not."""
        ...

    def open_sessions(
        self, *, actor: str | None = None, provider: str | None = None, subject: str | None = None, provider_session: str | None = None
    ) -> tuple[Session, ...]:
        """Return sessions that nobody has ended, newest first; each argument narrows."""
        ...

    def over_sessions(self, now: datetime, limit: int) -> tuple[Session, ...]:
        """Return sessions that nobody has ended and whose time is over."""
        ...

    def session_named(self, public: str) -> Session | None:
        """Return a session by its public id."""
        ...

    def account(self, name: str) -> LocalAccount | None:
        """Return the local account, None before it is made."""
        ...

    def services(self, owner: str | None = None) -> tuple[KnownService, ...]:
        """Return service identities by name, ended ones too; of one owner or all."""
        ...

    def service(self, name: str) -> KnownService | None:
        """Return one service identity."""
        ...

    def service_of_client(self, provider: str, client: str) -> ServiceIdentity | None:
        """Return the service identity, not ended, that a client of a provider stands for."""
        ...

    def service_of_secret(self, hash_: bytes) -> tuple[ServiceIdentity, ServiceSecret] | None:
        """Return a service identity and the secret it came with, whatever their state."""
        ...

"""How people sign in: providers that are declared, how long sessions last, what a provider says of somebody, a sign-in under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LOCAL = "local"
"""Name of the account that is no provider's: the one an embedded platform makes at its first start."""


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider; `client_secret_env` names the variable that holds the secret."""

    name: str
    issuer: str
    client_id: str
    client_secret_env: str
    title: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    person_claim: str = "email"
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    audience: str | None = None
    """What access tokens of services are made for; None accepts no such token of this provider."""
    hosts: tuple[str, ...] = ()
    """Hosts besides the issuer's that the platform may ask: some providers keep keys or tokens elsewhere."""


@dataclass(frozen=True)
class SignIn:
    """What federation.yaml says of sign-in. Without providers an embedded platform has its local account."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    idle_minutes: int = 60
    absolute_hours: int = 10


@dataclass(frozen=True)
class Claims:
    """What a provider says, checked, of somebody who signed in there. `subject` is its own id of her, `session` of her session."""

    provider: str
    subject: str
    name: str = ""
    person_value: str | None = None
    """Value of the claim that tells which person she is; None when it is missing or not verified."""
    groups: frozenset[str] = frozenset()
    language: str | None = None
    session: str | None = None
    id_token: str | None = None


@dataclass(frozen=True)
class PendingSignIn:
    """A sign-in that was sent to a provider and has not come back. `state` and `browser` are hashes, 32 bytes each."""

    state: bytes
    browser: bytes
    provider: str
    nonce: str
    verifier: str
    target: str
    """Where she wanted to go: a path of ours."""
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Session:
    """Somebody's session. `key` is the hash of what her cookie holds, `id` its public name; times are UTC."""

    key: bytes
    id: str
    provider: str
    subject: str
    actor: str
    """What the journal calls her: a person's id, or a name made of the provider and a hash of the subject."""
    opened_at: datetime
    touched_at: datetime
    ends_at: datetime
    idle: timedelta
    person: str | None = None
    name: str = ""
    groups: frozenset[str] = frozenset()
    language: str | None = None
    provider_session: str | None = None
    id_token: str | None = None
    agent: str = ""
    """The browser, as it calls itself, so that somebody can tell her sessions apart."""
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True)
class LocalAccount:
    """The account of an embedded platform; without a password it waits for its one-time link. `person` is whom it acts as, if anybody."""

    name: str
    made_at: datetime
    password: str | None = None
    link: bytes | None = None
    link_expires_at: datetime | None = None
    failures: int = 0
    blocked_until: datetime | None = None
    person: str | None = None

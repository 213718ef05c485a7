"""Service identities: CI, a BI tool, a script. Named, owned by a person, scoped, expiring; their secrets are kept as hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from polyceph.core.model.access import Action, Role


@dataclass(frozen=True)
class ServiceIdentity:
    """What may act without a person at the keyboard, and for whom it answers.

    `provider` and `client` name the client of a declared provider whose access tokens it may come with, instead of a secret of ours.
    """

    name: str
    owner: str
    roles: Mapping[str, frozenset[Role]]
    scopes: frozenset[Action]
    made_at: datetime
    made_by: str
    expires_at: datetime
    provider: str | None = None
    client: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    last_used_at: datetime | None = None


class SecretKind(StrEnum):
    """What a secret is: one that was handed out to be kept, or a short access token made from it."""

    LASTING = "lasting"
    ACCESS = "access"


@dataclass(frozen=True)
class ServiceSecret:
    """One secret of a service identity, by its hash; `label` is what may be shown of it."""

    hash: bytes
    identity: str
    kind: SecretKind
    label: str
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class KnownService:
    """A service identity with its lasting secrets, newest first."""

    identity: ServiceIdentity
    secrets: tuple[ServiceSecret, ...] = field(default=())

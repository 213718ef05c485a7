"""Who may ask for what: roles, actions, the principal who asks and the question. What may be answered is in `policies.authorisation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from polyceph.core.model.classification import Classification
from polyceph.core.model.event import Actor, ActorKind


class Role(StrEnum):
    """What somebody is to a domain, or to the federation as a whole."""

    VISITOR = "visitor"
    CONSUMER = "consumer"
    ANALYST = "analyst"
    STEWARD = "steward"
    OWNER = "owner"
    ENGINEER = "engineer"
    PLATFORM_ENGINEER = "platform engineer"
    DPO = "dpo"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What may be allowed, as `noun.verb`."""

    PLATFORM_VIEW = "platform.view"
    PLATFORM_ADMINISTER = "platform.administer"
    DOMAIN_VIEW = "domain.view"
    DOMAIN_PEOPLE = "domain.people"
    DATASET_FIND = "dataset.find"
    DATASET_DESCRIBE = "dataset.describe"
    DATASET_READ = "dataset.read"
    DATASET_REPORT = "dataset.report"
    DATASET_WIPE = "dataset.wipe"
    PERSONAL_DATA_VIEW = "personal_data.view"
    DRIFT_DECIDE = "drift.decide"
    RUN_VIEW = "run.view"
    RUN_LOGS = "run.logs"
    RUN_LAUNCH = "run.launch"
    RUN_STOP = "run.stop"
    RUN_DELETE = "run.delete"
    SCHEDULE_CHANGE = "schedule.change"
    PARTITION_CHANGE = "partition.change"
    LOCATION_RELOAD = "location.reload"
    JOURNAL_READ = "journal.read"
    SESSION_END = "session.end"
    IDENTITY_CREATE = "identity.create"
    IDENTITY_REVOKE = "identity.revoke"
    EMERGENCY_OPEN = "emergency.open"
    EMERGENCY_CLOSE = "emergency.close"


class Standing(StrEnum):
    """Whether who asks is known, and still."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    EXPIRED = "expired"
    LEFT = "left"


FEDERATION = "*"
"""The key under which roles for the federation as a whole stand. No domain can have this name."""

ROLES_OF_A_DOMAIN = frozenset({Role.VISITOR, Role.CONSUMER, Role.ANALYST, Role.STEWARD, Role.ENGINEER})
"""Roles that a domain gives to its own people. Its owner is named by `owner` and `interim_owner`."""
ROLES_OF_THE_FEDERATION = frozenset(Role) - {Role.STEWARD, Role.OWNER, Role.ENGINEER}
"""Roles that may be held for the federation as a whole: what answers for or works on data is held in one domain."""


@dataclass(frozen=True)
class RoleGrant:
    """A role as declared: who holds it, in which domain, None for the federation as a whole. `groups` are those of the sign-in."""

    role: Role
    domain: str | None
    people: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Principal:
    """Who asks, as the door knows her: `roles` are held by domain, or under `FEDERATION`.

    `scopes` limits a service identity to some actions; None limits nothing. `emergencies` holds, by domain, the first moment
    at which her break-glass access lasts no more. `person` is the id in federation.yaml, None for somebody who is signed in and
    not declared there.
    """

    actor: Actor
    standing: Standing
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    person: str | None = None
    name: str = ""
    scopes: frozenset[Action] | None = None
    emergencies: Mapping[str, datetime] = field(default_factory=dict)
    session: str | None = None
    """Which session she acts in, as its public id (never the secret of the cookie)."""
    language: str | None = None


NOBODY = Principal(Actor(ActorKind.PERSON, "nobody"), Standing.UNKNOWN)
"""Whoever is not signed in."""


@dataclass(frozen=True)
class Question:
    """May she do this? `domain` is the one it concerns, None for the federation; `now` is given, never taken.

    A dataset whose `classification` is None was not classified: its own domain knows of it, its rows count as secret.
    """

    action: Action
    now: datetime
    domain: str | None = None
    dataset: str | None = None
    classification: Classification | None = None
    requested_by: str | None = None
    """Who asked for what is to be decided now: nobody decides what she asked for."""
    has_grant: bool = False
    """Whether a grant lets her read the dataset."""
    grant_until: datetime | None = None
    """First moment at which that grant is in force no more; None when it has no end."""
    dataset_owner: str | None = None
    """Who the dataset's contract says answers for it; with its steward below, she may do with it what the domain's may."""
    dataset_steward: str | None = None

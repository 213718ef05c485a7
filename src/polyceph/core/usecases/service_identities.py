"""Service identities: created, their secrets rotated, revoked, refused; short tokens made from a secret (RFC 6749, 4.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.person import Person
from polyceph.core.model.sentence import listed, said
from polyceph.core.model.service_identity import KnownService, SecretKind, ServiceIdentity, ServiceSecret
from polyceph.core.policies.service_identities import identity_is_sound
from polyceph.core.ports import UnitOfWork
from polyceph.errors import Conflict, Denied, Invalid

ACCESS_LASTS = timedelta(minutes=10)
TOKENS_KEPT = timedelta(days=1)
"""How long an expired access token is known still, so that one who brings it is told that it has expired."""
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True)
class Fresh:
    """A secret that chance just made: its hash, and what may be shown of it."""

    hash: bytes
    label: str


@dataclass(frozen=True)
class Rotation:
    """Another secret for a service identity: how long the former ones count on, and when the new one ends at the latest."""

    fresh: Fresh
    overlap: timedelta
    expires_at: datetime


@dataclass(frozen=True)
class Asking:
    """Who asks for a change of service identities, through which door, and what the rights say of it."""

    actor: Actor
    door: str
    now: datetime
    verdict: Decision


@dataclass(frozen=True)
class Known:
    """What a new service identity is held against: the people and domains that are declared."""

    people: Mapping[str, Person]
    domains: Collection[str]


def create(uow: UnitOfWork, identity: ServiceIdentity, fresh: Fresh | None, asking: Asking, known: Known) -> None:
    """Create a service identity, with a first secret unless it comes with tokens of a provider.

    Raises:
        Denied: who asks may not; recorded.
        Invalid: it has no living owner, no role or scope, lasts too long, or would have what only people may.
        Conflict: there is or was one of this name.
    """
    _refuse_asking(uow, identity.name, asking)
    sound = identity_is_sound(identity, known.people, known.domains, asking.now)
    if not sound.allowed:
        raise Invalid(sound.reason, hint=sound.hint or said("good values: {values}", values=listed(sound.good)))
    with uow:
        uow.add_service(identity)
        if fresh is not None:
            uow.add_secret(_lasting(identity, fresh, asking.now))
        uow.record(_event("identity.created", identity.name, asking, after=_told(identity)))
        uow.commit()


def rotate(uow: UnitOfWork, known: KnownService, change: Rotation, asking: Asking) -> None:
    """Give a service identity another secret; the former ones count for a while longer, so that nothing stops meanwhile.

    Raises:
        Denied: who asks may not; recorded.
        Conflict: it has ended, or comes with tokens of a provider.
        Invalid: the overlap is too long.
    """
    identity = known.identity
    _refuse_asking(uow, identity.name, asking)
    if identity.ended_at is not None or asking.now >= identity.expires_at:
        raise Conflict(said("{name} has ended", name=identity.name), hint=said("create another identity"))
    if identity.provider is not None:
        message = said("{name} comes with tokens of {provider}", name=identity.name, provider=identity.provider)
        raise Conflict(message, hint=said("rotate its secret there"))
    if not timedelta() <= change.overlap <= LONGEST_OVERLAP:
        message = said("the former secret cannot count for {days} days more", days=change.overlap.days)
        raise Invalid(message, hint=said("0 to {days} days", days=LONGEST_OVERLAP.days))
    with uow:
        former = uow.shorten_secrets(identity.name, asking.now + change.overlap)
        ends = min(change.expires_at, identity.expires_at)
        uow.add_secret(ServiceSecret(change.fresh.hash, identity.name, SecretKind.LASTING, change.fresh.label, asking.now, ends))
        after = {"former": former, "former_until": (asking.now + change.overlap).isoformat(), "secret": change.fresh.label}
        uow.record(_event("identity.rotated", identity.name, asking, after=after))
        uow.commit()


def revoke(uow: UnitOfWork, name: str, asking: Asking, *, reason: str) -> bool:
    """End a service identity and everything it came with, at once; return False when it had ended. Raise `Denied` to who may not."""
    _refuse_asking(uow, name, asking)
    with uow:
        done = uow.end_service(name, asking.now, reason)
        if done:
            uow.record(_event("identity.revoked", name, asking, reason=reason))
        uow.commit()
    return done


def issue_token(uow: UnitOfWork, identity: ServiceIdentity, secret: ServiceSecret, fresh: Fresh, *, now: datetime) -> ServiceSecret:
    """Make a short access token for a service identity that came with its secret."""
    ends = min(now + ACCESS_LASTS, secret.expires_at, identity.expires_at)
    made = ServiceSecret(fresh.hash, identity.name, SecretKind.ACCESS, fresh.label, now, ends)
    with uow:
        uow.add_secret(made)
        removed = uow.forget_tokens(now - TOKENS_KEPT)
        after = {"until": ends.isoformat(), "for": secret.label, **({"removed": removed} if removed else {})}
        uow.record(Event(Actor(ActorKind.SERVICE, identity.name), "web", "token.issued", "identity", identity.name, after=after))
        uow.commit()
    return made


def refuse_identity(uow: UnitOfWork, name: str, why: Decision, *, door: str, times: int = 1) -> None:
    """Record that what came as a service identity was refused; `times` when several alike are told as one."""
    actor = Actor(ActorKind.SERVICE, name)
    after = {"times": times} if times > 1 else None
    with uow:
        uow.record(
            Event(actor, door, "identity.refused", "identity", name, allowed=False, policy=why.policy, reason=why.reason, after=after)
        )
        uow.commit()


def _refuse_asking(uow: UnitOfWork, name: str, asking: Asking) -> None:
    if asking.verdict.allowed:
        return
    with uow:
        uow.record(
            Event(
                asking.actor,
                asking.door,
                "identity.refused",
                "identity",
                name,
                allowed=False,
                policy=asking.verdict.policy,
                reason=asking.verdict.reason,
            )
        )
        uow.commit()
    raise Denied(asking.verdict.reason, hint=asking.verdict.hint)


def _lasting(identity: ServiceIdentity, fresh: Fresh, now: datetime) -> ServiceSecret:
    return ServiceSecret(fresh.hash, identity.name, SecretKind.LASTING, fresh.label, now, identity.expires_at)


def _told(identity: ServiceIdentity) -> dict[str, object]:
    roles = {domain: sorted(role.value for role in held) for domain, held in sorted(identity.roles.items())}
    scopes = sorted(scope.value for scope in identity.scopes)
    told: dict[str, object] = {"owner": identity.owner, "roles": roles, "scopes": scopes, "until": identity.expires_at.isoformat()}
    return {**told, "provider": identity.provider} if identity.provider else told


def _event(action: str, name: str, asking: Asking, *, after: Mapping[str, object] | None = None, reason: str | None = None) -> Event:
    return Event(asking.actor, asking.door, action, "identity", name, after=after, reason=reason)

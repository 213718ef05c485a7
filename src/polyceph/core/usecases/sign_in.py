"""Signing in: a session begins, or somebody is refused. Ending sessions is in `sessions`, the local account in `accounts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.person import Person
from polyceph.core.model.sign_in import Claims, Session, SignIn
from polyceph.core.policies.sessions import actor_name, may_sign_in
from polyceph.core.ports import UnitOfWork
from polyceph.errors import Denied

DOOR = "web"
NOBODY = Actor(ActorKind.PERSON, "nobody")


@dataclass(frozen=True)
class Opening:
    """A session that is to begin: what chance, the clock and the declarations give it. `replaces` are sessions this browser had before."""

    key: bytes
    id: str
    now: datetime
    today: date
    agent: str = ""
    replaces: tuple[str, ...] = ()
    has_roles: bool = False


def open_session(uow: UnitOfWork, claims: Claims, person: Person | None, limits: SignIn, opening: Opening) -> Session:
    """Begin a session of somebody whose claims were checked, under an id of its own; raise `Denied`, recorded, when she may not.

    Whatever session the browser had before ends: an id that somebody planted there is worth nothing (session fixation).
    """
    verdict = may_sign_in(person, has_roles=opening.has_roles, today=opening.today)
    name = actor_name(claims, person)
    if not verdict.allowed:
        refuse_sign_in(uow, claims.provider, verdict, actor=Actor(ActorKind.PERSON, name))
        raise Denied(verdict.reason, hint=verdict.hint)
    session = _session(claims, person, limits, opening)
    actor = Actor(ActorKind.PERSON, name)
    with uow:
        for one in uow.end_sessions(opening.replaces, opening.now, "signed in anew"):
            uow.record(Event(actor, DOOR, "session.ended", "session", one, reason="signed in anew"))
        uow.open_session(session)
        after = {"provider": claims.provider, "groups": len(claims.groups), "until": session.ends_at.isoformat()}
        uow.record(Event(actor, DOOR, "session.opened", "session", session.id, after=after))
        uow.commit()
    return session


def _session(claims: Claims, person: Person | None, limits: SignIn, opening: Opening) -> Session:
    return Session(
        key=opening.key,
        id=opening.id,
        provider=claims.provider,
        subject=claims.subject,
        actor=actor_name(claims, person),
        opened_at=opening.now,
        touched_at=opening.now,
        ends_at=opening.now + timedelta(hours=limits.absolute_hours),
        idle=timedelta(minutes=limits.idle_minutes),
        person=person.id if person else None,
        name=person.name if person else claims.name,
        groups=claims.groups,
        language=claims.language,
        provider_session=claims.session,
        id_token=claims.id_token,
        agent=opening.agent[:200],
    )


def refuse_sign_in(
    uow: UnitOfWork, provider: str, why: Decision, *, actor: Actor = NOBODY, told: Mapping[str, object] | None = None
) -> None:
    """Record that a sign-in, or what came in its name, was refused."""
    with uow:
        uow.record(
            Event(actor, DOOR, "session.refused", "session", provider, allowed=False, policy=why.policy, reason=why.reason, after=told)
        )
        uow.commit()

"""Ending sessions: by who has them, by a platform engineer, by the provider, by time, because a person left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from polyceph.core.model.access import Principal
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.sign_in import Session
from polyceph.core.ports import UnitOfWork
from polyceph.errors import Denied

_PLATFORM = Actor(ActorKind.SERVICE, "platform")


def end_own(uow: UnitOfWork, session: Session, *, now: datetime) -> bool:
    """End a session because who has it signs out; return False when it had ended."""
    return end(uow, [session], "signed out", actor=Actor(ActorKind.PERSON, session.actor), now=now) == 1


def end_of_another(uow: UnitOfWork, session: Session, verdict: Decision, *, who: Principal, now: datetime) -> bool:
    """End somebody's session: one's own, or another's when `verdict` on `session.end` allows it; a refusal is recorded and raised."""
    is_own = session.actor == who.actor.id
    if not is_own and not verdict.allowed:
        with uow:
            uow.record(_event(session.id, who.actor, verdict.reason, refused_by=verdict.policy))
            uow.commit()
        raise Denied(verdict.reason, hint=verdict.hint)
    return end(uow, [session], "signed out elsewhere" if is_own else "ended by a platform engineer", actor=who.actor, now=now) == 1


def end_at_provider(uow: UnitOfWork, provider: str, sessions: Sequence[Session], *, now: datetime) -> int:
    """End sessions because their provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0)."""
    return end(uow, sessions, "signed out at the provider", actor=Actor(ActorKind.SERVICE, provider), now=now)


def end_by_itself(uow: UnitOfWork, session: Session, reason: str, *, now: datetime) -> bool:
    """End a session that counts no more: idle, too old, its person has left or lost every role."""
    return end(uow, [session], reason, actor=_PLATFORM, now=now) == 1


def end(uow: UnitOfWork, sessions: Sequence[Session], reason: str, *, actor: Actor, now: datetime) -> int:
    """End sessions with their events; return how many were open still."""
    with uow:
        ended = uow.end_sessions(tuple(one.id for one in sessions), now, reason)
        for one in ended:
            uow.record(_event(one, actor, reason))
        uow.commit()
    return len(ended)


def _event(session: str, actor: Actor, reason: str, *, refused_by: str | None = None) -> Event:
    action = "session.refused" if refused_by else "session.ended"
    return Event(actor, "web", action, "session", session, allowed=refused_by is None, policy=refused_by, reason=reason)

"""Ending sessions: by who has them, by a platform engineer, by the provider, by time, because a person left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from polyceph.core.identity_ports import IdentityQueries
from polyceph.core.model.access import Principal
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.sign_in import Session
from polyceph.core.policies.sessions import end_reason
from polyceph.core.ports import UnitOfWork
from polyceph.errors import Denied

KEPT = timedelta(days=90)
"""How long an ended session is kept: long enough to look into what happened; the journal keeps that it was."""
_AT_ONCE = 100
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


def tidy(uow: UnitOfWork, queries: IdentityQueries, *, now: datetime) -> int:
    """End sessions whose time is over though nobody came back to notice, and remove those that ended long ago; return how many ended.

    A browser that is closed says nothing: without this its session would stand among the open ones, and its person's data for ever.
    """
    over = queries.over_sessions(now, _AT_ONCE)
    with uow:
        ended = {reason: uow.end_sessions(ids, now, reason) for reason, ids in _by_reason(over, now).items()}
        for reason, ids in ended.items():
            for one in ids:
                uow.record(_event(one, _PLATFORM, reason))
        removed = uow.forget_sessions(now - KEPT)
        if removed:
            uow.record(Event(_PLATFORM, "web", "session.forgotten", "session", "ended", after={"number": removed}))
        uow.commit()
    return sum(map(len, ended.values()))


def _by_reason(over: Sequence[Session], now: datetime) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one in over:
        found.setdefault(end_reason(one, now) or "over", []).append(one.id)
    return {reason: tuple(ids) for reason, ids in found.items()}


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

"""Emergency access: opened loudly by somebody who may, closed by whoever answers for the domain, expired by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from polyceph.core.model.access import Action, Principal, Question
from polyceph.core.model.decision import Decision
from polyceph.core.model.emergency import Emergency, EmergencyState, Opening
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Federation
from polyceph.core.model.sentence import said
from polyceph.core.policies.authorisation import Decide
from polyceph.core.policies.emergencies import opening_is_fit, to_be_told
from polyceph.core.ports import Queries, UnitOfWork
from polyceph.errors import Conflict, Denied, Invalid, NotFound

_PLATFORM = Actor(ActorKind.SERVICE, "platform")
_REFUSED = "emergency.refused"


@dataclass(frozen=True)
class Circumstances:
    """In which it happens: what is declared, how is decided, when (also as the federation's day), and through which door."""

    federation: Federation
    decide: Decide
    now: datetime
    today: date
    door: str


def open_emergency(uow: UnitOfWork, queries: Queries, asked: Opening, *, who: Principal, around: Circumstances) -> Emergency:
    """Let a person look into a domain for some hours; the event names everybody who must hear of it.

    Raises:
        Denied: who asks may not open it; that is recorded.
        Invalid: the domain, the person, the hours or the reason will not do.
        Conflict: she has emergency access to this domain already.
    """
    opened_by = _name(who)
    verdict = around.decide(who, Question(Action.EMERGENCY_OPEN, around.now, asked.domain))
    if not verdict.allowed:
        _refuse(uow, verdict, (asked.domain, {"person": asked.person, "hours": asked.hours}), who=who, around=around)
    fit = opening_is_fit(asked, around.federation, opened_by=opened_by, today=around.today)
    if not fit.allowed:
        raise Invalid(said("emergency access is not opened: {reason}", reason=fit.reason), hint=fit.hint)
    expire_emergencies(uow, queries, now=around.now)  # what is over and not yet recorded stands in nobody's way
    reason, until = asked.reason.strip(), around.now + timedelta(hours=asked.hours)
    with uow:
        number = uow.open_emergency(Emergency(0, asked.domain, asked.person, reason, opened_by, around.now, until))
        if number is None:
            message = said("{person} has emergency access to {domain} already", person=asked.person, domain=asked.domain)
            raise Conflict(message, hint=said("polyceph emergency list"))
        found = Emergency(number, asked.domain, asked.person, reason, opened_by, around.now, until)
        told = to_be_told(around.federation, asked.domain, besides=asked.person)
        after = {"person": found.person, "until": _text(until), "opened_by": opened_by, "alone": found.is_alone, "to_tell": list(told)}
        uow.record(_event("emergency.opened", found, (who.actor, around.door), after, reason=reason))
        uow.commit()
    return found


def close_emergency(uow: UnitOfWork, queries: Queries, number: int, *, who: Principal, around: Circumstances) -> Emergency:
    """End emergency access before its time. Whoever has it may always give it up.

    Raises:
        NotFound: there is none of this number.
        Conflict: it has ended already.
        Denied: who asks may not close it; that is recorded.
    """
    known = next((one for one in queries.emergencies() if one.number == number), None)
    if known is None:
        raise NotFound(said("there is no emergency {number}", number=number), hint=said("polyceph emergency list --all shows all of them"))
    state = known.state(around.now)
    if state is not EmergencyState.OPEN:
        closed = said("emergency {number} is closed already", number=number)
        expired = said("emergency {number} is expired already", number=number)
        raise Conflict(closed if state is EmergencyState.CLOSED else expired, hint=said("polyceph emergency list"))
    verdict = around.decide(who, Question(Action.EMERGENCY_CLOSE, around.now, known.domain))
    if not verdict.allowed and _name(who) != known.person:
        _refuse(uow, verdict, (known.domain, {"number": number}), who=who, around=around)
    with uow:
        if not uow.end_emergency(number, around.now, closed_by=_name(who)):
            raise Conflict(said("emergency {number} has ended already", number=number), hint=said("polyceph emergency list"))
        after = {"person": known.person, "until": _text(known.until), "closed_by": _name(who)}
        uow.record(_event("emergency.closed", known, (who.actor, around.door), after))
        uow.commit()
    return next(one for one in queries.emergencies() if one.number == number)


def expire_emergencies(uow: UnitOfWork, queries: Queries, *, now: datetime) -> int:
    """Record the end of emergency access whose time is over; return how many. It allows nothing from that moment on, recorded or not."""
    over = [one for one in queries.emergencies() if one.ended_at is None and one.until <= now]
    found = 0
    for one in over:
        with uow:
            if uow.end_emergency(one.number, one.until, closed_by=None):
                found += 1
                uow.record(_event("emergency.expired", one, (_PLATFORM, "platform"), {"person": one.person, "until": _text(one.until)}))
            uow.commit()
    return found


def _refuse(uow: UnitOfWork, verdict: Decision, what: tuple[str, Mapping[str, object]], *, who: Principal, around: Circumstances) -> None:
    domain, after = what
    known = domain if domain in around.federation.domains else None
    with uow:
        event = Event(who.actor, around.door, _REFUSED, "domain", domain, domain=known, allowed=False, after=after)
        uow.record(replace(event, policy=verdict.policy, reason=verdict.reason))
        uow.commit()
    raise Denied(verdict.reason, hint=verdict.hint)


def _event(action: str, one: Emergency, by: tuple[Actor, str], after: Mapping[str, object], *, reason: str | None = None) -> Event:
    """Return an event; `by` is who acts, and through which door."""
    actor, door = by
    said = {"number": one.number, **after}
    return Event(actor, door, action, "domain", one.domain, domain=one.domain, policy="emergency", reason=reason, after=said)


def _name(who: Principal) -> str:
    return who.person or who.actor.on_behalf_of or who.actor.id


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")

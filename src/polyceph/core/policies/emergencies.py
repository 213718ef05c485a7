"""When emergency access may be opened: for somebody who is there, with a reason, for hours and not for days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from polyceph.core.model.access import FEDERATION, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.emergency import Emergency, EmergencyState, Opening
from polyceph.core.model.federation import Federation
from polyceph.core.model.sentence import said, together
from polyceph.core.policies.nearest import did_you_mean

MOST_HOURS = 24
"""How long it lasts at most when one person opens it for another."""
MOST_HOURS_ALONE = 4
"""How long it lasts at most when somebody opens it for herself: nobody else has looked."""
LEAST_REASON = 15
"""Letters a reason has at least: who reads the journal in a year must understand it."""


def opening_is_fit(asked: Opening, federation: Federation, *, opened_by: str, today: date) -> Decision:
    """Refuse emergency access into an unknown domain, for somebody who is not there, for too long, or without a reason."""
    if asked.domain not in federation.domains:
        known = tuple(sorted(federation.domains))
        hint = did_you_mean(asked.domain, known) or said("name a domain")
        return _no(said("domain {name!r} is unknown", name=asked.domain), hint, known[:12])
    person = federation.people.get(asked.person)
    if person is None:
        hint = did_you_mean(asked.person, federation.people) or said("add the person to federation.yaml under people")
        return _no(said("{name!r} is no person of the federation, and emergency access is a person's", name=asked.person), hint)
    if not person.is_living(today):
        return _no(said("{person} left on {day}", person=asked.person, day=person.left), said("open it for somebody who is there"))
    if len(asked.reason.strip()) < LEAST_REASON:
        hint = said("say what broke and what has to be looked at, in a sentence")
        return _no(said("{reason!r} says too little", reason=asked.reason.strip()), hint)
    is_alone = opened_by == asked.person
    most = MOST_HOURS_ALONE if is_alone else MOST_HOURS
    if not 1 <= asked.hours <= most:
        otherwise, again = said("or let somebody else who may open it do so"), said("open it again when it has ended and is still needed")
        hint = together((said("ask for at most {hours} hours", hours=most), otherwise if is_alone else again))
        return _no(said("{hours} hours are not 1 to {most}", hours=asked.hours, most=most), hint)
    return Decision(True, "emergency", f"{asked.person} may look into {asked.domain} for {asked.hours} hours")


def to_be_told(federation: Federation, domain: str, *, besides: str) -> tuple[str, ...]:
    """Return who must hear of emergency access into a domain: who answers for it, and who supervises; without the one who gets it."""
    one = federation.domains[domain]
    supervises = {
        person
        for grant in federation.roles
        if grant.role in (Role.DPO, Role.AUDITOR) and grant.domain in (None, domain)
        for person in grant.people
    }
    return tuple(sorted({one.owner, one.steward, *([one.interim_owner] if one.interim_owner else []), *supervises} - {besides}))


def lasting(emergencies: Iterable[Emergency], person: str | None, now: datetime) -> Mapping[str, datetime]:
    """Return, by domain, until when a person has emergency access at a moment; what has ended is left out."""
    found: dict[str, datetime] = {}
    for one in emergencies:
        if person is not None and one.person == person and one.state(now) is EmergencyState.OPEN and one.domain != FEDERATION:
            found[one.domain] = max(one.until, found.get(one.domain, one.until))
    return found


def _no(reason: str, hint: str, good: tuple[str, ...] = ()) -> Decision:
    return Decision(False, "emergency", reason, good, hint)

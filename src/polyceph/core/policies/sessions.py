"""Decides about sessions: which person somebody is who signed in, whether a session still counts, where it may lead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import date, datetime
from urllib.parse import unquote

from polyceph.core.model.decision import Decision
from polyceph.core.model.person import Person
from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import Claims, Provider, Session

IDLE, ABSOLUTE, LEFT = "idle", "absolute", "left"
"""Why a session ends by itself: nobody used it, it lasted long enough, its person has left."""
_LONGEST_TARGET = 2000
_PLAIN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def person_of(claims: Claims, provider: Provider, people: Iterable[Person]) -> Person | None:
    """Return the declared person whose address or id the provider's claim holds; None when nobody is, or more than one."""
    value = (claims.person_value or "").strip().lower()
    if not value:
        return None
    by_id = [] if provider.person_claim == "email" else [one for one in people if one.id == value]
    found = by_id or [one for one in people if one.email.lower() == value]
    return found[0] if len(found) == 1 else None


def actor_name(claims: Claims, person: Person | None) -> str:
    """Return what the journal calls somebody: her id, or the provider's name with a hash of its id for her, never an address."""
    if person is not None:
        return person.id
    return f"{claims.provider}:{hashlib.sha256(claims.subject.encode()).hexdigest()[:16]}"


def may_sign_in(person: Person | None, *, has_roles: bool, today: date) -> Decision:
    """Refuse who has left, and who neither is declared nor has a group that gives her a role."""
    if person is not None and not person.is_living(today):
        return Decision(False, "left", said("{person} has left", person=person.id), hint=said("ask the platform engineer if that is wrong"))
    if person is None and not has_roles:
        hint = said("ask the platform engineer to declare you in federation.yaml, or to give one of your groups a role there")
        reason = said("the federation does not know this person, and none of her groups has a role")
        return Decision(False, "unknown person", reason, hint=hint)
    return Decision(True, "known person", "the person is known")


def end_reason(session: Session, now: datetime) -> str | None:
    """Return why a session counts no more at a moment, None while it counts."""
    if session.ended_at is not None:
        return session.end_reason or "ended"
    if now >= session.ends_at:
        return ABSOLUTE
    return IDLE if now >= session.touched_at + session.idle else None


def safe_target(text: str | None) -> str:
    r"""Return where to go after signing in: a path of this site as it was asked for, else the first page.

    Anything that a browser could take for another site is no path: `//host`, `/\host`, a scheme, a line end, also when encoded.
    """
    if not text or len(text) > _LONGEST_TARGET:
        return "/"
    path = text.partition("?")[0]
    for form in (text, *(one.replace(" ", "_") for one in (unquote(path), unquote(unquote(path))))):
        if not _PLAIN_PATH.fullmatch(form):
            return "/"
    return "/" if unquote(path).startswith(("/sign-in", "/sign-out")) else text

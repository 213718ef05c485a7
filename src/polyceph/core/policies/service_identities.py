"""Which service identities may exist, and whether one still counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from polyceph.core.model.access import FEDERATION, Action, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.person import Person
from polyceph.core.model.sentence import said
from polyceph.core.model.service_identity import ServiceIdentity, ServiceSecret
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.rights import BY_PEOPLE_ALONE

LONGEST = timedelta(days=366)
_POLICY = "service identity"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
_LONGEST_NAME = 63
_OF_PEOPLE = frozenset({Role.OWNER, Role.PLATFORM_ENGINEER, Role.DPO})
"""Roles that decide about others: a program cannot answer for that."""
GOOD_ROLES = tuple(role for role in Role if role not in _OF_PEOPLE)
GOOD_SCOPES = tuple(action.value for action in Action if action not in BY_PEOPLE_ALONE)


def identity_is_sound(identity: ServiceIdentity, people: Mapping[str, Person], domains: Collection[str], now: datetime) -> Decision:
    """Refuse a service identity without a living owner, role, scope or near end, or with what only a person may have."""
    if not _NAME.fullmatch(identity.name) or len(identity.name) > _LONGEST_NAME:
        hint = said("small letters and digits, parts joined by - . or _, for example education-ci")
        return Decision(False, _POLICY, said("{name!r} cannot name a service identity", name=identity.name), hint=hint)
    owner = people.get(identity.owner)
    if owner is None:
        hint = did_you_mean(identity.owner, people) or said("declare the person in federation.yaml under people")
        return Decision(False, _POLICY, said("nobody has the id {person!r}", person=identity.owner), hint=hint)
    if not owner.is_living(now.date()):
        return Decision(False, _POLICY, said("{person} has left", person=identity.owner), hint=said("name somebody who answers for it"))
    if wrong := sorted(identity.roles.keys() - set(domains) - {FEDERATION}):
        reason = said("there is no domain {name!r}", name=wrong[0])
        return Decision(False, _POLICY, reason, tuple(sorted(domains)), did_you_mean(wrong[0], domains))
    return _grants_are_sound(identity, now)


def _grants_are_sound(identity: ServiceIdentity, now: datetime) -> Decision:
    held = frozenset().union(*identity.roles.values())
    if not held:
        return Decision(False, _POLICY, said("{name} has no role", name=identity.name), GOOD_ROLES, said("give it the least that it needs"))
    if wrong := sorted(held & _OF_PEOPLE):
        reason = said("a service identity cannot be {role}: that role decides, and decisions are people's", role=wrong[0])
        return Decision(False, _POLICY, reason, GOOD_ROLES)
    if not identity.scopes:
        return Decision(
            False, _POLICY, said("{name} has no scope", name=identity.name), GOOD_SCOPES, said("name each action that it needs")
        )
    if wrong_scopes := sorted(identity.scopes & BY_PEOPLE_ALONE):
        return Decision(False, _POLICY, said("a service identity cannot do {action}", action=wrong_scopes[0]), GOOD_SCOPES)
    if not now < identity.expires_at <= now + LONGEST:
        reason = said("{name} must end within {days} days", name=identity.name, days=LONGEST.days)
        return Decision(False, _POLICY, reason, hint=said("rotate its secret when it is due"))
    return Decision(True, _POLICY, f"{identity.name} is sound")


def secret_counts(identity: ServiceIdentity, secret: ServiceSecret | None, owner: Person | None, *, now: datetime, today: date) -> Decision:
    """Refuse what was revoked, has expired, or belongs to somebody who has left or is declared no more."""
    name = identity.name
    if identity.ended_at is not None:
        reason = said("{name} was ended: {reason}", name=name, reason=identity.end_reason)
        return Decision(False, "revoked", reason, hint=said("ask its owner for another identity"))
    if secret is not None and secret.ended_at is not None:
        return Decision(False, "revoked", said("this secret of {name} was ended", name=name), hint=said("use the newest secret"))
    if now >= identity.expires_at or (secret is not None and now >= secret.expires_at):
        hint = said("polyceph identity rotate {name}", name=name)
        return Decision(False, "expired", said("{name} or its secret has expired", name=name), hint=hint)
    if owner is None or not owner.is_living(today):
        hint = said("somebody else must create an identity of her own for it")
        return Decision(False, "left", said("the owner of {name} has left", name=name), hint=hint)
    return Decision(True, _POLICY, f"{name} counts")

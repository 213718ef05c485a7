"""Who holds which role: what declarations say of people and groups, the people who answer for domains included."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from polyceph.core.model.access import ROLES_OF_A_DOMAIN, ROLES_OF_THE_FEDERATION, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.federation import Federation
from polyceph.core.policies.nearest import did_you_mean

_KEEPS_APART = (
    (Role.AUDITOR, frozenset({Role.PLATFORM_ENGINEER, Role.ENGINEER, Role.OWNER, Role.STEWARD}), "looks at what she does herself"),
    (Role.DPO, frozenset({Role.PLATFORM_ENGINEER, Role.ENGINEER, Role.OWNER}), "supervises what she decides herself (GDPR art. 38(6))"),
)


def roles_of(federation: Federation, *, person: str | None, groups: Collection[str], today: date) -> Mapping[str, frozenset[Role]]:
    """Return the roles of somebody by domain, and under `FEDERATION`.

    `person` is her id in federation.yaml, None when she is signed in and not declared: then her groups alone count. Somebody who has
    left, or who is declared no more, has none, whatever groups the directory still gives her.
    """
    known = federation.people.get(person) if person is not None else None
    if person is not None and (known is None or not known.is_living(today)):
        return {}
    holders = federation.holders
    found: dict[str, set[Role]] = {}
    for held in (holders.people.get(person, ()) if person is not None else (), *(holders.groups.get(group, ()) for group in groups)):
        for where, role in held:
            found.setdefault(where, set()).add(role)
    return {where: frozenset(roles) for where, roles in found.items()}


def role_is_held_where(role: Role, domain: str | None) -> Decision:
    """Refuse a role where it cannot be held: an owner beside the one who answers, an engineer of everything, an administrator of a part."""
    if role is Role.OWNER:
        hint = "name her as owner or interim_owner in the domain.yaml"
        return Decision(False, "roles", "the role owner is not given: one person answers for a domain", hint=hint)
    if domain is None and role not in ROLES_OF_THE_FEDERATION:
        good = tuple(sorted(one.value for one in ROLES_OF_THE_FEDERATION))
        return Decision(False, "roles", f"the role {role} is held in a domain", good, "add domain: with the name of one")
    if domain is not None and role is Role.PLATFORM_ENGINEER:
        good = tuple(sorted(one.value for one in ROLES_OF_A_DOMAIN))
        return Decision(False, "roles", f"the role {role} is held for the federation as a whole", good, "leave domain: out")
    return Decision(True, "roles", f"the role {role} may be held here")


def domain_may_give(role: Role) -> Decision:
    """Refuse a role that a domain cannot give by itself: oversight and administration come from the federation."""
    if role is Role.OWNER or role in ROLES_OF_A_DOMAIN:
        return role_is_held_where(role, "")
    good = tuple(sorted(one.value for one in ROLES_OF_A_DOMAIN))
    return Decision(False, "roles", f"the role {role} is not a domain's to give", good, "declare it in federation.yaml, under roles")


def person_may_hold(person: str, known: Collection[str]) -> Decision:
    """Refuse a person whom the federation does not know."""
    if person in known:
        return Decision(True, "roles", f"{person} is a person of the federation")
    hint = did_you_mean(person, known) or "add the person to federation.yaml under people, or give the role to a group"
    return Decision(False, "roles", f"{person!r} is no person of the federation", tuple(sorted(known))[:12], hint)


def duties_are_separate(person: str, roles: Mapping[str, frozenset[Role]]) -> Decision:
    """Refuse, as a warning, that one person oversees what she does herself: an auditor who also administers, a DPO who also decides."""
    held = frozenset(role for each in roles.values() for role in each)
    for role, others, because in _KEEPS_APART:
        both = sorted(other.value for other in others & held) if role in held else []
        if both:
            reason = f"{person} is {role} and {' and '.join(both)} too: she {because}"
            return Decision(False, "separation of duties", reason, hint="give one of them to somebody else")
    return Decision(True, "separation of duties", f"{person} oversees nothing of her own")

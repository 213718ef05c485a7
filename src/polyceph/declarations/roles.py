"""Reads `roles` of federation.yaml and domain.yaml: which role, where, and who holds it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from polyceph.core.model.access import Role, RoleGrant
from polyceph.core.model.decision import Decision
from polyceph.core.model.person import Person
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.roles import domain_may_give, person_may_hold, role_is_held_where
from polyceph.declarations.findings import Findings
from polyceph.declarations.positions import Document

_ROLES = frozenset(role.value for role in Role)


def read_roles(
    document: Document,
    people: Mapping[str, Person] | None,
    *,
    findings: Findings,
    domain: str | None = None,
    domains: Collection[str] = (),
    today: date,
) -> tuple[RoleGrant, ...]:
    """Return the roles that a document gives; what is wrong goes to the findings.

    `domain` is the one whose domain.yaml it is; None for federation.yaml, which gives roles in any of `domains` and of the federation.
    `people` are those that may hold one, None when they could not be read: then nobody is held against them.
    """
    declared = document.get("roles")
    found = []
    for number, entry in enumerate(declared if isinstance(declared, list) else ()):
        if not isinstance(entry, dict) or entry.get("role") not in _ROLES:
            continue  # its shape is refused already
        role, where = Role(entry["role"]), entry.get("domain") if domain is None else domain
        place = document.place("roles", number, "role")
        findings.refuse(domain_may_give(role) if domain else role_is_held_where(role, where), place, value=role.value)
        if domain is None and isinstance(where, str):
            _check_domain(document, number, where, findings=findings, domains=domains)
        holders = {key: _texts(entry.get(key)) for key in ("people", "groups")}
        _check_people(document, number, people, findings=findings, today=today)
        if not entry.get("people") and not entry.get("groups"):
            findings.error(f"nobody is {role} here", place, hint="name people, groups or both")
        found.append(RoleGrant(role, where if isinstance(where, str) else None, holders["people"], holders["groups"]))
    return tuple(found)


def _check_domain(document: Document, number: int, domain: str, *, findings: Findings, domains: Collection[str]) -> None:
    if domain not in domains:
        known = tuple(sorted(domains))
        hint = did_you_mean(domain, known) or "make it with polyceph domain new, or leave domain: out for the federation as a whole"
        decision = Decision(False, "roles", f"domain {domain!r} is unknown", known[:12], hint)
        findings.refuse(decision, document.place("roles", number, "domain"), value=domain)


def _check_people(document: Document, number: int, people: Mapping[str, Person] | None, *, findings: Findings, today: date) -> None:
    named = document.get("roles", number, "people")
    for at, person in enumerate(named if isinstance(named, list) else ()):
        if isinstance(person, str) and people is not None:
            place = document.place("roles", number, "people", at)
            findings.refuse(person_may_hold(person, people), place, value=person)
            if person in people and not people[person].is_living(today):
                reason = f"{person} left on {people[person].left} and holds no role"
                findings.warn(Decision(False, "roles", reason, hint="take her out of the list"), place)


def _texts(value: object) -> frozenset[str]:
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()

"""Who is given which role, turned round: by person and by group, so that one person's roles are found without reading all declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polyceph.core.model.access import FEDERATION, Role, RoleGrant
from polyceph.core.model.domain import Domain

Held = tuple[tuple[str, Role], ...]
"""Where a role is held (a domain or `FEDERATION`), and which."""


@dataclass(frozen=True)
class Holders:
    """Roles as declared, by the id of a person and by the name of a group. Whether a person is still there is not asked here."""

    people: Mapping[str, Held]
    groups: Mapping[str, Held]


def holders_of(roles: Iterable[RoleGrant], domains: Iterable[Domain]) -> Holders:
    """Return who holds what: owners, interim owners and stewards of the domains, and whoever is given a role."""
    people: dict[str, list[tuple[str, Role]]] = {}
    groups: dict[str, list[tuple[str, Role]]] = {}
    grants = list(roles)
    for domain in domains:
        answering = ((domain.owner, Role.OWNER), (domain.interim_owner, Role.OWNER), (domain.steward, Role.STEWARD))
        for person, role in answering:
            if person is not None:
                people.setdefault(person, []).append((domain.name, role))
        grants.extend(domain.roles)
    for grant in grants:
        held = (FEDERATION if grant.domain is None else grant.domain, grant.role)
        for person in grant.people:
            people.setdefault(person, []).append(held)
        for group in grant.groups:
            groups.setdefault(group, []).append(held)
    return Holders({name: tuple(held) for name, held in people.items()}, {name: tuple(held) for name, held in groups.items()})

"""Who holds which role, by declarations and groups, and where a role cannot be held."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from polyceph.core.model.access import FEDERATION, Role, RoleGrant
from polyceph.core.model.access_words import ACTIONS, ROLES
from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.policies.rights import ACTIONS as KNOWN
from polyceph.core.policies.roles import domain_may_give, duties_are_separate, role_is_held_where, roles_of

TODAY, LEFT = date(2026, 11, 29), date(2026, 11, 29)
PLACE = Place("federation.yaml")
PEOPLE = {name: Person(name, name.title(), f"{name}@example.org") for name in ("anne", "eva", "luc", "marc")}


def domain(name: str, *roles: RoleGrant, interim: str | None = None) -> Domain:
    return Domain(name, {}, "anne", "marc", interim, "stewards", f"domains/{name}", PLACE, roles=roles)


def federation(*roles: RoleGrant, domains: tuple[Domain, ...] = (domain("education"),), people: dict[str, Person] = PEOPLE) -> Federation:
    return Federation("demo", {}, ("en",), {}, {}, people, {one.name: one for one in domains}, PLACE, roles=roles)


def held(found: Federation, person: str | None, *groups: str) -> dict[str, frozenset[Role]]:
    return dict(roles_of(found, person=person, groups=groups, today=TODAY))


def test_owner_interim_owner_and_steward_hold_their_roles_in_their_domain() -> None:
    found = federation(domains=(domain("education", interim="eva"), domain("culture")))
    assert held(found, "anne") == {name: frozenset({Role.OWNER}) for name in ("education", "culture")}
    assert held(found, "eva") == {"education": frozenset({Role.OWNER})}
    assert held(found, "marc") == {name: frozenset({Role.STEWARD}) for name in ("education", "culture")}
    assert held(found, "luc") == {}


def test_roles_of_federation_domain_person_and_group_add_up() -> None:
    own = domain("education", RoleGrant(Role.ANALYST, "education", groups=frozenset({"pupils"})))
    found = federation(
        RoleGrant(Role.DPO, None, people=frozenset({"luc"})),
        RoleGrant(Role.ENGINEER, "education", people=frozenset({"luc"})),
        RoleGrant(Role.VISITOR, None, groups=frozenset({"all"})),
        domains=(own,),
    )
    both = frozenset({Role.ENGINEER, Role.ANALYST})
    assert held(found, "luc", "pupils", "all") == {"education": both, FEDERATION: frozenset({Role.DPO, Role.VISITOR})}
    assert held(found, None, "pupils") == {"education": frozenset({Role.ANALYST})}
    assert held(found, None) == held(found, None, "others") == {}


def test_whoever_has_left_or_is_declared_no_more_holds_nothing_whatever_her_groups() -> None:
    gone = {**PEOPLE, "anne": replace(PEOPLE["anne"], left=LEFT)}
    found = federation(RoleGrant(Role.VISITOR, None, groups=frozenset({"all"})), people=gone)
    assert held(found, "anne", "all") == {}
    assert held(found, "nobody", "all") == {}
    assert held(found, "eva", "all") == {FEDERATION: frozenset({Role.VISITOR})}


def test_an_owner_who_leaves_tomorrow_still_answers_today() -> None:
    leaving = {**PEOPLE, "anne": replace(PEOPLE["anne"], left=date(2026, 11, 30))}
    assert held(federation(people=leaving), "anne") == {"education": frozenset({Role.OWNER})}


@pytest.mark.parametrize(
    ("role", "where", "words"),
    [
        (Role.OWNER, "education", "one person answers"),
        (Role.OWNER, None, "one person answers"),
        (Role.STEWARD, None, "is held in a domain"),
        (Role.ENGINEER, None, "is held in a domain"),
        (Role.PLATFORM_ENGINEER, "education", "as a whole"),
    ],
)
def test_a_role_is_refused_where_it_cannot_be_held(role: Role, where: str | None, words: str) -> None:
    decision = role_is_held_where(role, where)
    assert not decision.allowed
    assert words in decision.reason
    assert decision.hint


def test_a_domain_gives_neither_oversight_nor_administration() -> None:
    given = {role for role in Role if domain_may_give(role).allowed}
    assert given == {Role.VISITOR, Role.CONSUMER, Role.ANALYST, Role.STEWARD, Role.ENGINEER}


def test_whoever_oversees_what_she_does_is_warned_of() -> None:
    assert duties_are_separate("luc", {"education": frozenset({Role.ENGINEER}), FEDERATION: frozenset({Role.VISITOR})}).allowed
    for one, other in ((Role.AUDITOR, Role.PLATFORM_ENGINEER), (Role.AUDITOR, Role.OWNER), (Role.DPO, Role.PLATFORM_ENGINEER)):
        decision = duties_are_separate("luc", {"education": frozenset({other}), FEDERATION: frozenset({one})})
        assert not decision.allowed
        assert "luc" in decision.reason


def test_every_role_and_every_action_has_its_sentence() -> None:
    assert set(ROLES) == set(Role)
    assert set(ACTIONS) == KNOWN

"""Who answers for a dataset: a living data owner (or the interim owner in her place) and a living data steward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from polyceph.core.model.decision import Decision
from polyceph.core.model.person import Person
from polyceph.core.policies.nearest import did_you_mean


@dataclass(frozen=True)
class AccountabilityFacts:
    """Who is declared for `role` of `subject`, who may stand in, who is in the house on `today`."""

    subject: str
    role: str
    declared: str | None
    people: Mapping[str, Person]
    today: date
    stand_in: str | None = None


@dataclass(frozen=True)
class Accountable:
    """The person in force, None when refused; `stands_in` tells that it is not the declared one."""

    decision: Decision
    person: str | None
    stands_in: bool = False


def somebody_answers(facts: AccountabilityFacts) -> Accountable:
    """Refuse a role that nobody holds, that an unknown person holds, or that is orphaned by a departure."""
    if facts.declared is None:
        return Accountable(_nobody(facts), None)
    person = facts.people.get(facts.declared)
    if person is None:
        return Accountable(_unknown(facts, facts.declared), None)
    if person.is_living(facts.today):
        return Accountable(Decision(True, "accountability", f"{person.id} is the {facts.role} of {facts.subject}"), person.id)
    return _left(facts, person)


def _nobody(facts: AccountabilityFacts) -> Decision:
    return Decision(
        False, "accountability", f"{facts.subject} has no {facts.role}", hint=f"name a person of federation.yaml as {facts.role}"
    )


def _unknown(facts: AccountabilityFacts, declared: str) -> Decision:
    known = tuple(sorted(facts.people))
    reason = f"{facts.role} {declared!r} of {facts.subject} is no person of the federation"
    hint = did_you_mean(declared, known) or "add the person to federation.yaml under people"
    return Decision(False, "accountability", reason, good=known[:12], hint=hint)


def _left(facts: AccountabilityFacts, person: Person) -> Accountable:
    gone = f"{facts.role} {person.id} of {facts.subject} left on {person.left}"
    other = facts.people.get(facts.stand_in) if facts.stand_in else None
    if other is not None and other.is_living(facts.today):
        return Accountable(Decision(True, "accountability", f"{gone}; interim owner {other.id} stands in"), other.id, stands_in=True)
    hint = f"name a new {facts.role}"
    if facts.role == "owner":
        hint += ", or a living interim_owner in the domain.yaml"
    return Accountable(Decision(False, "accountability", gone, hint=hint), None)

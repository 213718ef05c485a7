"""The sentence of a refusal for want of a role: what is missing, who can give it, how to ask."""

from __future__ import annotations

from polyceph.core.model.access import FEDERATION, ROLES_OF_A_DOMAIN, Action, Principal, Question, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import ActorKind
from polyceph.core.model.sentence import Sentence, both, either, said, together
from polyceph.core.policies.rights import IN_EMERGENCY, OF_A_DATASET, Right


def missing_role(who: Principal, question: Question, right: Right) -> Decision:
    """Return the refusal of a question that no role, grant or emergency access of hers allows; `right` is what would."""
    wanted = right.own if question.domain is not None else frozenset()
    good = tuple(sorted(wanted | right.federation))
    if not good:
        return _without_a_role(question, right)
    reason = said("{needed}, and {held}", needed=_needed(question, good), held=_held(who, question.domain))
    ended = _ended(who, question)
    return Decision(False, "role", together((reason, ended)) if ended else reason, good, _how_to_ask(who, question, right))


def _without_a_role(question: Question, right: Right) -> Decision:
    action, domain = question.action, question.domain
    if right.own or right.other or right.federation:
        return Decision(False, "role", said("{action} is refused: it is done in one domain", action=action), hint=said("name the domain"))
    what = action if domain is None else said("{action} in {domain}", action=action, domain=domain)
    return Decision(False, "role", said("{what} is refused: nobody may do it: runs are evidence and stay", what=what))


def _needed(question: Question, good: tuple[Role, ...]) -> Sentence:
    if question.domain is None:
        return said("{action} needs the role {roles}", action=question.action, roles=either(good))
    return said("{action} in {domain} needs the role {roles}", action=question.action, domain=question.domain, roles=either(good))


def _held(who: Principal, domain: str | None) -> Sentence:
    name = who.actor.id
    own = sorted(who.roles.get(domain, frozenset())) if domain is not None else []
    everywhere = sorted(who.roles.get(FEDERATION, frozenset()))
    if own and everywhere:
        return said("{who} is {own} there and {whole} of the federation", who=name, own=both(own), whole=both(everywhere))
    if own:
        return said("{who} is {roles} there", who=name, roles=both(own))
    if everywhere:
        return said("{who} is {roles} of the federation", who=name, roles=both(everywhere))
    here, nowhere = said("{who} holds no role there", who=name), said("{who} holds no role in the federation", who=name)
    return here if domain else nowhere


def _ended(who: Principal, question: Question) -> Sentence | None:
    """Tell of emergency access or of a grant that would have allowed it and is over."""
    until = who.emergencies.get(question.domain) if question.domain is not None and question.action in IN_EMERGENCY else None
    if until is not None:
        return said("the emergency access ended at {moment} UTC", moment=f"{until:%Y-%m-%d %H:%M}")
    if question.has_grant and question.grant_until is not None and question.action is Action.DATASET_READ:
        return said("the grant ended at {moment} UTC", moment=f"{question.grant_until:%Y-%m-%d %H:%M}")
    return None


def _how_to_ask(who: Principal, question: Question, right: Right) -> Sentence:
    steps = [_whom_to_ask(who, question, right)]
    if question.action is Action.DATASET_READ:
        steps.append(said("or for a grant to read this dataset"))
    is_engineer = Role.PLATFORM_ENGINEER in who.roles.get(FEDERATION, frozenset())
    if question.domain is not None and question.action in IN_EMERGENCY and is_engineer:
        steps.append(said("in an emergency, polyceph emergency open {domain}", domain=question.domain))
    return together(steps)


def _whom_to_ask(who: Principal, question: Question, right: Right) -> Sentence:
    domain = question.domain
    if question.dataset_owner is not None and Role.OWNER in right.own and question.action in OF_A_DATASET:
        return said("ask {person}, who answers for it", person=question.dataset_owner)
    if who.actor.kind is not ActorKind.PERSON:
        return said("ask the person it belongs to: a service identity does no more than what its roles allow")
    if domain is not None and right.own & ROLES_OF_A_DOMAIN:
        return said("ask the data owner of {domain} for it: roles in domains/{domain}/domain.yaml", domain=domain)
    if domain is not None and Role.OWNER in right.own:
        return said("ask the data owner of {domain} to do it: owner or interim_owner in domains/{domain}/domain.yaml", domain=domain)
    return said("ask a platform engineer for it: roles in federation.yaml")

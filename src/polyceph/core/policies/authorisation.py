"""The one function that decides what a principal may do. The table it reads is in `rights`; what it does not allow is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import ActorKind
from polyceph.core.model.sentence import said
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.refusing import missing_role
from polyceph.core.policies.rights import ACTIONS, BY_GRANT, BY_PEOPLE_ALONE, DATASET_RIGHTS, IN_EMERGENCY, OF_A_DATASET, Right, right_of

Decide = Callable[[Principal, Question], Decision]
"""What every door is given to ask."""
_NONE: frozenset[Role] = frozenset()


def decide(who: Principal, question: Question) -> Decision:
    """Return whether `who` may do what is asked, and why; a refusal says what is missing, who can give it and how to ask.

    Pure: the same question has the same answer. The reason of a refusal is the same for a dataset that she may not find and for one
    that does not exist.
    """
    refused = _standing(who) or _sense(question) or _limits(who, question)
    if refused is not None:
        return refused
    action = question.action
    right = right_of(action, question.classification)
    role = _held(who, question.domain, right) or _answers(who, question, right)
    if role is not None:
        return Decision(True, "role", f"{role} may do {action}")
    if action in BY_GRANT and grant_is_in_force(question):
        return Decision(True, "grant", f"a grant in force allows {action} of this dataset")
    until = who.emergencies.get(question.domain) if question.domain is not None and action in IN_EMERGENCY else None
    if until is not None and question.now < until and who.actor.kind is ActorKind.PERSON:
        return Decision(True, "emergency", f"emergency access to {question.domain} until {until:%Y-%m-%d %H:%M} UTC allows {action}")
    return missing_role(who, *_told(who, question, right))


def grant_is_in_force(question: Question) -> bool:
    """Tell whether a grant to read this one dataset stands and has not ended."""
    is_about_one = question.domain is not None and question.dataset is not None
    return question.has_grant and is_about_one and (question.grant_until is None or question.now < question.grant_until)


def _standing(who: Principal) -> Decision | None:
    if who.standing is Standing.ACTIVE:
        return None
    name, is_person = who.actor.id, who.actor.kind is ActorKind.PERSON
    if who.standing is Standing.EXPIRED:
        session, identity = said("the session of {who} has expired", who=name), said("the service identity of {who} has expired", who=name)
        hint = said("sign in again") if is_person else said("ask the person it belongs to for a new token")
        return Decision(False, "standing", session if is_person else identity, hint=hint)
    if who.standing is Standing.LEFT:
        hint = said("whoever stays and needs it asks the data owner of the domain in her own name")
        return Decision(False, "standing", said("{who} has left, and every right with her", who=name), hint=hint)
    return Decision(False, "standing", said("whoever asks is not signed in"), hint=said("sign in, then ask again"))


def _sense(question: Question) -> Decision | None:
    """Refuse what is no question: an action or a domain that cannot be."""
    if question.action not in ACTIONS:
        known = sorted(action.value for action in ACTIONS)
        hint = did_you_mean(str(question.action), known) or said("the table of rights lists the actions: polyceph rights show")
        reason = said("action {action!r} is unknown, and what is unknown is refused", action=str(question.action))
        return Decision(False, "action", reason, hint=hint)
    if question.domain in ("", FEDERATION):
        hint = said("name one domain, or none for the federation as a whole")
        return Decision(False, "domain", said("{name!r} is no domain", name=question.domain), hint=hint)
    if question.dataset is not None and question.dataset.partition(".")[0] != question.domain:
        where = said("domain {name}", name=question.domain) if question.domain else said("the federation as a whole")
        reason = said("a dataset of another domain is asked about in {where}", where=where)
        return Decision(False, "domain", reason, hint=said("ask in the dataset's own domain"))
    return None


def _limits(who: Principal, question: Question) -> Decision | None:
    """Refuse what no role can give to this actor: outside its scopes, for people alone, or her own request."""
    action, actor = question.action, who.actor
    if who.scopes is not None and action not in who.scopes:
        held = tuple(sorted(scope.value for scope in who.scopes))
        hint = said("ask the person it belongs to for a token with that scope")
        return Decision(False, "scope", said("{who} has no scope {action}", who=actor.id, action=action), held, hint)
    if action in BY_PEOPLE_ALONE and actor.kind is not ActorKind.PERSON:
        hint = said("somebody who has the role signs in and does it herself")
        reason = said("{action} is for a person to answer for, and {who} is none", action=action, who=actor.id)
        return Decision(False, "person", reason, hint=hint)
    if question.requested_by is not None and question.requested_by in (who.person, actor.id, actor.on_behalf_of):
        hint = said("ask somebody else with the same role: the interim owner, or another person named under roles")
        reason = said("{who} asked for this, and nobody decides what she asked for", who=question.requested_by)
        return Decision(False, "separation of duties", reason, hint=hint)
    return None


def _held(who: Principal, domain: str | None, right: Right) -> str | None:
    """Return, in words, a role of hers that has the right; None when none has."""
    roles = who.roles
    own = roles.get(domain, _NONE) if domain is not None else _NONE
    if not right.own.isdisjoint(own):
        return f"{_first(right.own & own)} of {domain}"
    federation = roles.get(FEDERATION, _NONE)
    if not right.federation.isdisjoint(federation):
        return f"{_first(right.federation & federation)} of the federation"
    if right.other:
        for elsewhere, held in roles.items():
            if elsewhere not in (domain, FEDERATION) and not right.other.isdisjoint(held):
                return f"{_first(right.other & held)} of {elsewhere}"
    return None


def _first(roles: Iterable[Role]) -> str:
    return min(role.value for role in roles)


def _answers(who: Principal, question: Question, right: Right) -> str | None:
    """Return, in words, what she is to this one dataset when that has the right: its contract's own owner or steward."""
    if question.dataset is None or who.person is None or who.actor.kind is not ActorKind.PERSON or question.action not in OF_A_DATASET:
        return None
    for person, role in ((question.dataset_owner, Role.OWNER), (question.dataset_steward, Role.STEWARD)):
        if person == who.person and role in right.own:
            return f"{role} of {question.dataset}"
    return None


def _told(who: Principal, question: Question, right: Right) -> tuple[Question, Right]:
    """Return the question and the right that a refusal may speak of: about a dataset that she may not find, always the same."""
    by_class = DATASET_RIGHTS.get(question.action)
    finds = right_of(Action.DATASET_FIND, question.classification)
    if by_class is None or _held(who, question.domain, finds) is not None or _answers(who, question, finds) is not None:
        return question, right
    return replace(question, dataset_owner=None, dataset_steward=None), by_class[Classification.SECRET]

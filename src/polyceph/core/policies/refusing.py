"""The sentence of a refusal for want of a role: what is missing, who can give it, how to ask."""

from __future__ import annotations

from polyceph.core.model.access import FEDERATION, ROLES_OF_A_DOMAIN, Action, Principal, Question, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import ActorKind
from polyceph.core.policies.rights import IN_EMERGENCY, OF_A_DATASET, Right

_NOBODY_MAY = "nobody may do it: runs are evidence and stay"


def missing_role(who: Principal, question: Question, right: Right) -> Decision:
    """Return the refusal of a question that no role, grant or emergency access of hers allows; `right` is what would."""
    wanted = right.own if question.domain is not None else frozenset()
    good = tuple(sorted({role.value for role in wanted | right.federation}))
    where = f" in {question.domain}" if question.domain is not None else ""
    if not good:
        if _is_nobodys(right):
            return Decision(False, "role", f"{question.action}{where} is refused: {_NOBODY_MAY}")
        return Decision(False, "role", f"{question.action} is refused: it is done in one domain", hint="name the domain")
    reason = f"{question.action}{where} needs the role {_either(good)}, and {who.actor.id} {_holds(who, question.domain)}"
    ended = _ended(who, question)
    return Decision(False, "role", f"{reason}{ended}", good, _how_to_ask(who, question, right))


def _is_nobodys(right: Right) -> bool:
    return not (right.own or right.other or right.federation)


def _holds(who: Principal, domain: str | None) -> str:
    roles = who.roles
    own = sorted(role.value for role in roles.get(domain, frozenset())) if domain is not None else []
    everywhere = sorted(role.value for role in roles.get(FEDERATION, frozenset()))
    parts = [f"{_both(own)} there"] if own else []
    parts += [f"{_both(everywhere)} of the federation"] if everywhere else []
    return f"is {' and '.join(parts)}" if parts else f"holds no role {'there' if domain else 'in the federation'}"


def _ended(who: Principal, question: Question) -> str:
    """Tell of emergency access or of a grant that would have allowed it and is over."""
    until = who.emergencies.get(question.domain) if question.domain is not None and question.action in IN_EMERGENCY else None
    if until is not None:
        return f"; the emergency access ended at {until:%Y-%m-%d %H:%M} UTC"
    if question.has_grant and question.grant_until is not None and question.action is Action.DATASET_READ:
        return f"; the grant ended at {question.grant_until:%Y-%m-%d %H:%M} UTC"
    return ""


def _how_to_ask(who: Principal, question: Question, right: Right) -> str:
    domain, kind = question.domain, who.actor.kind
    steps = []
    if kind is not ActorKind.PERSON:
        steps.append("ask the person it belongs to: a service identity does no more than what its roles allow")
    elif domain is not None and right.own & ROLES_OF_A_DOMAIN:
        steps.append(f"ask the data owner of {domain} for it: roles in domains/{domain}/domain.yaml")
    elif domain is not None and Role.OWNER in right.own:
        steps.append(f"ask the data owner of {domain} to do it: owner or interim_owner in domains/{domain}/domain.yaml")
    else:
        steps.append("ask a platform engineer for it: roles in federation.yaml")
    if question.dataset_owner is not None and Role.OWNER in right.own and question.action in OF_A_DATASET:
        steps = [f"ask {question.dataset_owner}, who answers for it"]
    if question.action is Action.DATASET_READ:
        steps.append("or for a grant to read this dataset")
    if domain is not None and question.action in IN_EMERGENCY and Role.PLATFORM_ENGINEER in who.roles.get(FEDERATION, frozenset()):
        steps.append(f"in an emergency, polyceph emergency open {domain}")
    return "; ".join(steps)


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _both(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

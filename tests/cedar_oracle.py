"""The table of rights asked a second time, of Cedar: principals and questions as its entities and requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cedarpy

from polyceph.core.model.access import FEDERATION, Principal, Question, Role

POLICIES = (Path(__file__).parent / "unit" / "policies" / "rights.cedar").read_text(encoding="utf-8")
_IN_DOMAINS = tuple(role for role in Role if role is not Role.PLATFORM_ENGINEER)
_IN_FEDERATION = (Role.VISITOR, Role.CONSUMER, Role.ANALYST, Role.PLATFORM_ENGINEER, Role.DPO, Role.AUDITOR)
_MEMBERS = (Role.CONSUMER, Role.ANALYST, Role.STEWARD, Role.OWNER, Role.ENGINEER, Role.DPO, Role.AUDITOR)
_READERS = (Role.ANALYST, Role.STEWARD, Role.OWNER, Role.ENGINEER)
Json = dict[str, Any]


def _uid(kind: str, name: str) -> Json:
    return {"type": kind, "id": name}


def kind_of(who: Principal) -> str:
    return who.actor.kind.value.capitalize()


def entity_of(who: Principal, name: str) -> Json:
    """Return a principal: her roles are her parents."""
    places = [("federation" if where == FEDERATION else where, held) for where, held in who.roles.items()]
    parents = [_uid("Role", f"{place}/{role}") for place, held in places for role in held]
    names = [one for one in (who.person, who.actor.id, who.actor.on_behalf_of) if one is not None]
    attributes: Json = {"standing": who.standing.value, "names": names}
    if who.person is not None:
        attributes["person"] = who.person
    if who.scopes is not None:
        attributes["scopes"] = [{"__entity": _uid("Action", scope.value)} for scope in who.scopes]
    return {"uid": _uid(kind_of(who), name), "attrs": attributes, "parents": parents}


def place_entities(domains: Iterable[str]) -> list[Json]:
    """Return the domains with their roles, and what these roles are elsewhere."""
    found = [_role(f"somewhere/{role}", ["anybody", *_somewhere(role)]) for role in _IN_DOMAINS]
    found += [_role(f"federation/{role}", ["anybody"]) for role in _IN_FEDERATION]
    for domain in domains:
        found += [_role(f"{domain}/{role}", [f"somewhere/{role}"]) for role in _IN_DOMAINS]
        roles = {role.value: {"__entity": _uid("Role", f"{domain}/{role}")} for role in _IN_DOMAINS}
        found.append({"uid": _uid("Domain", domain), "attrs": roles, "parents": []})
    return found


def _somewhere(role: Role) -> list[str]:
    return [*(["somewhere/member"] if role in _MEMBERS else []), *(["somewhere/reader"] if role in _READERS else [])]


def _role(name: str, parents: Sequence[str]) -> Json:
    return {"uid": _uid("Role", name), "attrs": {}, "parents": [_uid("Role", parent) for parent in parents]}


def request_of(who: Principal, question: Question, name: str) -> Json:
    """Return a question; moments are seconds."""
    domain = question.domain
    context: Json = {
        "classification": question.classification.value if question.classification else "none given",
        "granted": question.has_grant,
        "names_a_dataset": question.dataset is not None,
        "now": int(question.now.timestamp()),
    }
    until = who.emergencies.get(domain) if domain is not None else None
    optional = {"grant_until": question.grant_until, "emergency_until": until}
    context |= {key: int(moment.timestamp()) for key, moment in optional.items() if moment is not None}
    texts = {"requested_by": question.requested_by, "dataset_owner": question.dataset_owner, "dataset_steward": question.dataset_steward}
    context |= {key: text for key, text in texts.items() if text is not None}
    return {
        "principal": _uid(kind_of(who), name),
        "action": _uid("Action", question.action.value),
        "resource": _uid("Federation", "all") if domain is None else _uid("Domain", domain),
        "context": context,
    }


class Oracle:
    """Cedar with the policies parsed once, and the places of these domains."""

    def __init__(self, domains: Iterable[str]) -> None:
        self.policies = cedarpy.PolicySet.from_str(POLICIES)
        self._places = place_entities(domains)

    def allows(self, questions: Sequence[tuple[Principal, Question]]) -> list[bool]:
        """Return what Cedar says of each question; each principal is an entity of her own."""
        entities = [*self._places, *(entity_of(who, f"p{number}") for number, (who, _) in enumerate(questions))]
        requests = [request_of(who, question, f"p{number}") for number, (who, question) in enumerate(questions)]
        results = cedarpy.is_authorized_batch(requests, self.policies, entities)
        broken = [result.diagnostics.errors for result in results if result.diagnostics.errors]
        if broken:
            raise AssertionError(f"Cedar could not evaluate {len(broken)} questions: {broken[0]}")
        return [result.allowed for result in results]

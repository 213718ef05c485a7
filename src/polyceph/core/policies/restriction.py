"""A federation's own policies beside the table of rights: they are asked about what it allows, and can only refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from polyceph.core.model.access import Principal, Question
from polyceph.core.model.decision import Decision
from polyceph.core.model.sentence import said
from polyceph.core.policies.authorisation import Decide, decide


def restricted(policies: Mapping[str, Decide]) -> Decide:
    """Return `decide` with further policies by name, which can only refuse: each is asked about what the table allows.

    The first that refuses is named in the decision. One that breaks, or says neither yes nor no, refuses.
    """
    if not policies:
        return decide
    known = tuple(policies.items())

    def decide_restricted(who: Principal, question: Question) -> Decision:
        decision = decide(who, question)
        if not decision.allowed:
            return decision
        for name, policy in known:
            refused = _refusal_of(name, policy, who=who, question=question)
            if refused is not None:
                return refused
        return decision

    return decide_restricted


def _refusal_of(name: str, policy: Decide, *, who: Principal, question: Question) -> Decision | None:
    try:
        verdict = policy(who, question)
    except Exception as error:  # noqa: BLE001  (code of others: whatever it raises, nothing may be allowed by it)
        verdict, broke = None, type(error).__name__
    else:
        broke = f"it returned {type(verdict).__name__}"
    if not isinstance(verdict, Decision):
        hint = said("tell whoever keeps the policy {name}; until it is mended, {action} stays refused", name=name, action=question.action)
        reason = said("the policy {name} cannot decide about {action} ({broke})", name=name, action=question.action, broke=broke)
        return Decision(False, name, reason, hint=hint)
    return None if verdict.allowed is True else replace(verdict, allowed=False, policy=name)

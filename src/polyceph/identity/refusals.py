"""How this package refuses: which rule was broken stands in the error's problem, for the journal; the message is for people."""

from __future__ import annotations

from polyceph.core.model.sentence import said
from polyceph.errors import Denied, Problem


def refused(provider: str, rule: str, reason: str) -> Denied:
    """Return the error of a provider's answer that must not count. The reason names claims and never repeats a token."""
    hint = said("sign in again; if it goes on, tell the platform engineer, who finds the rule in the journal")
    return Denied(said("the answer of {provider} is refused", provider=provider), problems=(Problem(reason, rule=rule),), hint=hint)

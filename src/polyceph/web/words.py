"""The glossary's closed lists (zones, classifications, roles, states) as people read them; English here, translated where shown."""

from __future__ import annotations

from collections.abc import Mapping

from polyceph.web.languages import N_, Language

WORDS: Mapping[str, str] = {
    # zones
    "raw": N_("raw"),
    "bronze": N_("bronze"),
    "silver": N_("silver"),
    "gold": N_("gold"),
    "output": N_("output"),
    # classifications
    "public": N_("public"),
    "internal": N_("internal"),
    "confidential": N_("confidential"),
    "secret": N_("secret"),
    # personal data
    "none": N_("none"),
    "personal": N_("personal data"),
    "special category": N_("special category of personal data"),
    # roles
    "visitor": N_("visitor"),
    "consumer": N_("consumer"),
    "analyst": N_("analyst"),
    "steward": N_("data steward"),
    "owner": N_("data owner"),
    "engineer": N_("engineer"),
    "platform engineer": N_("platform engineer"),
    "dpo": N_("data protection officer"),
    "auditor": N_("auditor"),
    # runs
    "REQUESTED": N_("under way"),
    "SUCCESS": N_("succeeded"),
    "FAILURE": N_("failed"),
    "CANCELED": N_("cancelled"),
    # drift
    "waiting": N_("waiting"),
    "accepted": N_("accepted"),
    "mapped": N_("mapped"),
    "refused": N_("refused"),
    # actors
    "person": N_("person"),
    "service": N_("service"),
    "schedule": N_("schedule"),
}


def word(language: Language, value: object) -> str:
    """Return a word of a closed list in a language; a word that is not in one stays as it is."""
    return language.say(WORDS[str(value)]) if str(value) in WORDS else str(value)

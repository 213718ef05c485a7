"""Phonex: a key that French names share when they sound alike, by Frédéric Brouard (sqlpro.developpez.com/cours/soundex).

One table of rules makes the Python function and the DuckDB macro, so a name has the same key in both. Keys are compared, never shown.
"""

from __future__ import annotations

import re
import unicodedata

_VOWEL = "[aeiou1234]"
_NO_VOWEL = "([^aeiou1234]|$)"

_RULES: tuple[tuple[str, str], ...] = (
    # What is no letter counts as nothing, an accented e is a sound of its own.
    ("[éèêë]", "E"),
    ("œ", "e"),
    ("ç", "s"),
    ("[àâä]", "a"),
    ("[îï]", "i"),
    ("[ôö]", "o"),
    ("[ùûü]", "u"),
    ("[^a-zE]", ""),
    ("y", "i"),
    # A silent h.
    ("([^csp]|^)h+", r"\1"),
    ("ph", "f"),
    ("g(an|am|ain|aim)", r"k\1"),
    # ain, ein before a vowel are "è" and n, else one nasal sound.
    ("[ae]i[nm]([aeiou])", r"yn\1"),
    ("eau", "o"),
    ("oua", "2"),
    ("[ae]i[nm]", "4"),
    ("E|ai|ei", "y"),
    ("er", "yr"),
    ("ess", "yss"),
    ("ez", "yz"),
    ("et", "yt"),
    # Nasal vowels; twice, for a rule that looks at the next letter takes it away from the next one.
    (f"[ae][nm]{_NO_VOWEL}", r"1\1"),
    (f"[ae][nm]{_NO_VOWEL}", r"1\1"),
    (f"in{_NO_VOWEL}", r"4\1"),
    (f"in{_NO_VOWEL}", r"4\1"),
    ("on", "1"),
    (f"({_VOWEL})s({_VOWEL})", r"\1z\2"),
    (f"({_VOWEL})s({_VOWEL})", r"\1z\2"),
    ("oe|eu", "e"),
    ("au", "o"),
    ("o[iy]", "2"),
    ("ou", "3"),
    ("sch|ch|sh", "5"),
    ("ss|sc", "s"),
    ("c([ei])", r"s\1"),
    ("gu|qu|[cq]", "k"),
    ("g([aoy])", r"k\1"),
    ("a", "o"),
    ("[dp]", "t"),
    ("j", "g"),
    ("[bv]", "f"),
    ("m", "n"),
    *((f"{sign}{{2,}}", sign) for sign in "123456efghiklnorstuwxyz"),
    ("[tx]$", ""),
)
"""Regular expressions and what they become, in order; Python's `re` and DuckDB's RE2 read them alike."""
_COMPILED = tuple((re.compile(pattern), becomes) for pattern, becomes in _RULES)


def phonex(name: str) -> str:
    """Return the key of a name: `Dupont`, `Dupond` and `du Pont` have the same one; empty when nothing in it can be heard."""
    key = unicodedata.normalize("NFC", name).lower()
    for pattern, becomes in _COMPILED:
        key = pattern.sub(becomes, key)
    return key.upper()


def phonex_macro() -> str:
    """Return the DuckDB statement that makes `phonex(name)` for a connection."""
    key = "lower(nfc_normalize(name))"
    for pattern, becomes in _RULES:
        key = f"regexp_replace({key}, '{pattern}', '{becomes}', 'g')"
    return f"CREATE OR REPLACE TEMP MACRO phonex(name) AS upper({key})"

"""Finds the known value nearest to a wrong one, for the hint of a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from polyceph.core.model.sentence import Sentence, said


def nearest(value: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known value most like `value` (case aside), None when nothing is like it; `cutoff` is difflib's ratio, 0 to 1."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(value.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(value: str, known: Iterable[str]) -> Sentence | None:
    """Return "did you mean …?" with the nearest known value, None when nothing is near."""
    found = nearest(value, known)
    return said("did you mean {name}?", name=found) if found else None

"""Canonical JSON (RFC 8785) of events: the one text whose bytes are hashed, whoever writes it and wherever it is read."""

from __future__ import annotations

from collections.abc import Mapping

import rfc8785

from polyceph.errors import Invalid

_GOOD = "give text, numbers, true, false, null, lists and mappings with text as keys; whole numbers up to 2^53"


def canonical(what: str, value: Mapping[str, object]) -> str:
    """Return the canonical JSON of a mapping.

    Args:
        what: what it is, for the error.
        value: anything JSON can say. A NaN, a date or a set is refused rather than turned into text.

    Raises:
        Invalid: it is not JSON, or holds what PostgreSQL cannot keep in JSON (U+0000).
    """
    try:
        text = rfc8785.dumps(dict(value)).decode("utf-8")  # type: ignore[arg-type]  # what it does not take it refuses
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise Invalid(f"{what} is not JSON: {error}", hint=_GOOD) from error
    if "\\u0000" in text:
        raise Invalid(f"{what} holds the character U+0000", hint="leave it out: PostgreSQL cannot search in it")
    return text

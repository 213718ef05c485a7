"""Sentences of refusals and errors: English text that remembers its pattern, so that a page can say it in the language of who reads.

Everywhere else (journal, logs, JSON, commands) a sentence is the plain English text that it is. How pages say it is in `web.sentences`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from string import Formatter
from typing import Self


class Sentence(str):
    """English text, with the pattern that translators see and what stands in its places.

    A value may be a sentence itself, a word of a closed list (a `StrEnum`), or data that reads the same in every language.
    """

    __slots__ = ("pattern", "values")
    pattern: str
    values: Mapping[str, object]

    def __new__(cls, pattern: str, values: Mapping[str, object]) -> Self:
        """Make the English text; raise `KeyError` when a place has no value."""
        made = super().__new__(cls, pattern.format_map(values))
        made.pattern, made.values = pattern, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, object]]:  # type: ignore[override]
        """Return what a copy is made of."""
        return self.pattern, self.values


def said(pattern: str, /, **values: object) -> Sentence:
    """Return a sentence; `pattern` is a literal, for `docs/translations.py` finds it in the code, with `{name}` where a value stands."""
    return Sentence(pattern, values)


def places(pattern: str) -> frozenset[str]:
    """Return the names of the places of a pattern; raise `ValueError` when it cannot be read."""
    return frozenset(name for _, name, _, _ in Formatter().parse(pattern) if name is not None)


def listed(words: Sequence[str]) -> str:
    """Return words with commas between them."""
    return reduce(lambda before, word: said("{before}, {word}", before=before, word=word), words) if words else ""


def either(words: Sequence[str]) -> str:
    """Return words of which one is enough: a, b or c."""
    return words[0] if len(words) == 1 else said("{several} or {last}", several=listed(words[:-1]), last=words[-1])


def both(words: Sequence[str]) -> str:
    """Return words that hold together: a, b and c."""
    return words[0] if len(words) == 1 else said("{several} and {last}", several=listed(words[:-1]), last=words[-1])


def together(sentences: Sequence[Sentence]) -> Sentence:
    """Return sentences one after the other, as one."""
    return reduce(lambda first, then: said("{first}; {then}", first=first, then=then), sentences)

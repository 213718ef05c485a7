"""Sentences of refusals and errors in the language of a page; whatever else is English says so in its markup."""

from __future__ import annotations

from enum import StrEnum

from markupsafe import Markup

from polyceph.core.model.sentence import Sentence
from polyceph.web.languages import DEFAULT, Language
from polyceph.web.words import word


def told(language: Language, text: str) -> str:
    """Return a sentence in a language, with its nested sentences and words of closed lists; any other text as it is."""
    if not isinstance(text, Sentence) or language.code == DEFAULT:
        return str(text)
    return language.say(text.pattern).format_map({name: _value(language, value) for name, value in text.values.items()})


def told_in_markup(language: Language, text: str) -> Markup:
    """Return the text as a page shows it: marked as English when the page is not and the text is no sentence of ours."""
    is_foreign = language.code != DEFAULT and not isinstance(text, Sentence)
    marked = Markup('<span lang="en">{}</span>') if is_foreign else Markup("{}")
    return marked.format(told(language, text))


def _value(language: Language, value: object) -> object:
    if isinstance(value, Sentence):
        return told(language, value)
    return word(language, value) if isinstance(value, StrEnum) else value

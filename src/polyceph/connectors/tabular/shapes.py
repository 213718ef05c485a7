"""What a message may say of a value: the value itself, or only its shape where its column is closed. Messages reach every domain."""

from __future__ import annotations

from collections.abc import Iterable

from polyceph.sdk import Column

_CLOSED = ("confidential", "secret")


def is_closed(column: Column) -> bool:
    """Tell whether values of the column stay out of messages: it is about a person, or confidential or secret (GDPR art. 5(1)(f))."""
    return column.personal_data != "none" or column.classification in _CLOSED


def is_any_closed(columns: Iterable[Column]) -> bool:
    """Tell whether one of the columns is closed, so that text whose column is not known stays out of messages."""
    return any(map(is_closed, columns))


def told(text: str, column: Column) -> str:
    """Return a value as a message names it: quoted, or by its shape when the column is closed."""
    return f"a value of {shape(text)}" if is_closed(column) else repr(text)


def given(text: str, column: Column) -> str | None:
    """Return the value for `Problem.value`, None when the column is closed."""
    return None if is_closed(column) else text


def shape(text: str) -> str:
    """Return length and kinds of characters in words: `9 characters: letters and digits`."""
    kinds = {"letters": str.isalpha, "digits": str.isdigit, "spaces": str.isspace}
    found = [name for name, is_one in kinds.items() if any(map(is_one, text))]
    if any(not any(is_one(sign) for is_one in kinds.values()) for sign in text):
        found.append("signs")
    number = "1 character" if len(text) == 1 else f"{len(text)} characters"
    return f"{number}: {' and '.join([', '.join(found[:-1])] * bool(found[:-1]) + found[-1:])}" if found else number

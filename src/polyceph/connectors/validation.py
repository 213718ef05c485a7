"""Checking a connector's options against their model, and finding what was probably meant. Nothing about one connector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError

from polyceph.sdk import Invalid, Options, Problem

Model = TypeVar("Model", bound=Options)


def validated(model: type[Model], given: Options | Mapping[str, object], subject: str) -> Model:
    """Return `given` as the option model; raise `Invalid` with one problem for each wrong key or value."""
    if isinstance(given, model):
        return given
    try:
        return model.model_validate(given.model_dump() if isinstance(given, Options) else dict(given))
    except ValidationError as error:
        problems = [_problem(model, part["loc"], part["msg"], part["type"]) for part in error.errors()]
        raise Invalid(f"{subject}: {len(problems)} wrong", problems=problems) from error


def _problem(model: type[Options], location: tuple[int | str, ...], message: str, kind: str) -> Problem:
    name = ".".join(str(part) for part in location)
    if kind != "extra_forbidden":
        return Problem(f"{name}: {message}" if name else message.removeprefix("Value error, "))
    known = tuple(model.model_fields)
    return Problem(f"option {name!r} is unknown", value=name, allowed=known, hint=meant(name, known))


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean …?" with the nearest known names, None when nothing is near."""
    folded = {str(k).casefold(): str(k) for k in known}
    near = get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(folded[n] for n in near)}?" if near else None


def nearest(name: str, known: Iterable[str], count: int = 12) -> tuple[str, ...]:
    """Return at most `count` of the known names, the nearest first."""
    names = list(known)
    near = get_close_matches(name, names, n=count, cutoff=0.0)
    return tuple(near)

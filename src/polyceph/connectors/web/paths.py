"""Where something stands in a JSON document: `data.items`, `$.data.items`, `$['a.b'][0]`, `groups[*].rows`. Part of JSONPath (RFC 9535)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

from polyceph.sdk import Invalid

_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]'"$\s][^.\[\]]*)|\[(?P<index>-?\d+)\]|\[(?P<every>\*)\]|\[(?P<mark>['"])(?P<quoted>.+?)(?P=mark)\]"""
)
_SHOWN = 12


class _Every:
    """All members of a list."""


EVERY = _Every()
Step = str | int | _Every


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; raise `ValueError` when it cannot be read."""
    rest = path.strip().removeprefix("$")
    found: list[Step] = []
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None:
            raise ValueError(f"path {path!r} cannot be read from {rest[at : at + 12]!r} on; write data.items, items[0].rows or ['a.b']")
        if match["every"]:
            found.append(EVERY)
        else:
            found.append(int(match["index"]) if match["index"] else match["quoted"] or match["name"])
        at = match.end()
    return tuple(found)


def _checked(path: str) -> str:
    steps(path)
    return path


JsonPath = Annotated[str, AfterValidator(_checked)]
"""A path in options: refused with its declaration when it cannot be read."""


def value_at(document: Any, path: str) -> Any:
    """Return what stands at a path that names one place, None when there is nothing."""
    found = document
    for step in steps(path):
        if isinstance(step, str) and isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(step, int) and isinstance(found, list) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return None
    return found


def rows_at(document: Any, path: str | None, where: str) -> list[Any]:
    """Return the rows at a path of a document, the document itself without a path; `[*]` joins the rows of several lists.

    Raises:
        Invalid: the path leads nowhere, or to something that is no list; the message names the keys that are there.
    """
    found = _walk(document, steps(path or ""), path, where)
    if not isinstance(found, list):
        raise Invalid(f"the rows of {where} are no list", hint=f"name the path to them with records; there are: {_there(found)}")
    return found


def _walk(found: Any, rest: tuple[Step, ...], path: str | None, where: str) -> Any:
    for number, step in enumerate(rest):
        if step is EVERY and isinstance(found, list):
            parts = [_walk(one, rest[number + 1 :], path, where) for one in found]
            return [row for part in parts for row in (part if isinstance(part, list) else [part])]
        is_there = step in found if isinstance(found, Mapping) and isinstance(step, str) else False
        if isinstance(found, list) and isinstance(step, int):
            is_there = -len(found) <= step < len(found)
        if not is_there:
            raise Invalid(f"{where} has no {path!r}: there is no {_told(step)!r}", hint=f"there are: {_there(found)}")
        found = found[step]
    return found


def _told(step: Step) -> str:
    return "[*]" if isinstance(step, _Every) else f"[{step}]" if isinstance(step, int) else step


def _there(found: Any) -> str:
    if isinstance(found, Mapping):
        return ", ".join(map(str, list(found)[:_SHOWN])) or "no keys"
    return f"a list of {len(found)}" if isinstance(found, list) else type(found).__name__

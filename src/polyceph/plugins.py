"""Plugins by entry point, name → class. One that cannot load stops the start with its name and the cause."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from polyceph.errors import Misconfigured, NotFound

CONNECTORS = "polyceph.connectors"
VAULTS = "polyceph.vaults"
POLICIES = "polyceph.policies"


def names(group: str) -> tuple[str, ...]:
    """Return the names of all plugins of a group, sorted, without loading them."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """Return the plugin class `name` of `group`.

    Raises:
        NotFound: no such plugin; the message lists those that are there.
        Misconfigured: the plugin is there and its import fails.
    """
    points = {point.name: point for point in entry_points(group=group)}
    if name not in points:
        near = get_close_matches(name, points, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(points))}"
        raise NotFound(f"{group.removeprefix('polyceph.')} has no {name!r}", hint=hint)
    return _load(points[name])


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise Misconfigured(f"plugin {point.name} ({point.value}) cannot load: {type(error).__name__}: {error}") from error

"""The verdict of a policy, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """Whether something is allowed, by which policy, and why; `good` and `hint` tell what would be allowed."""

    allowed: bool
    policy: str
    reason: str
    good: tuple[str, ...] = ()
    """The known good values, where they can be listed."""
    hint: str | None = None
    """What to do about a refusal."""

"""The verdict of a policy, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """Whether something is allowed, by which policy, and why."""

    allowed: bool
    policy: str
    reason: str

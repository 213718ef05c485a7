"""Runs as pages show them, to whoever may see those of a domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from polyceph.core.ports import RunRecord


@dataclass(frozen=True)
class RunLine:
    """One run in a table; `checks` are passed and failed, None while it is under way."""

    at: datetime
    status: str
    actor: str
    seconds: float | None
    checks: tuple[int, int] | None
    error: str | None


def run_lines(records: Iterable[RunRecord]) -> list[RunLine]:
    """Return runs as lines of a table."""
    return [_line(one) for one in records]


def _line(record: RunRecord) -> RunLine:
    actor, outcome = record.request.actor, record.outcome
    who = actor.on_behalf_of or actor.id
    if outcome is None:
        return RunLine(record.requested_at, "REQUESTED", who, None, None, None)
    checks = (outcome.checks_passed, outcome.checks_failed)
    return RunLine(record.requested_at, outcome.status, who, round(outcome.seconds, 1), checks, outcome.error)

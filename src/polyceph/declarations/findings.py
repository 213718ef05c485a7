"""Collects what is wrong and what is doubtful, so that all of it is told at once, in order, each thing once."""

from __future__ import annotations

from polyceph.core.model.decision import Decision
from polyceph.core.model.place import Place
from polyceph.errors import Problem

_LONGEST_VALUE = 80


class Findings:
    """Problems (they refuse) and warnings (they do not)."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._valued: set[tuple[str | None, int | None, int | None]] = set()
        self._said: set[tuple[str | None, int | None, int | None, str]] = set()

    def add(self, problem: Problem) -> None:
        """Add a problem; a second one about the same value, or the same words at the same place, is dropped."""
        where = (problem.file, problem.line, problem.column)
        if (*where, problem.message) in self._said or (problem.value is not None and where in self._valued):
            return
        self._said.add((*where, problem.message))
        if problem.value is not None:
            self._valued.add(where)
        self.problems.append(problem)

    def refuse(self, decision: Decision, place: Place, *, value: str | None = None) -> bool:
        """Add a policy's refusal at a place, unless it allows; return whether it allows. `value` is what is wrong there."""
        if not decision.allowed:
            self.add(_problem(decision, place, value=value))
        return decision.allowed

    def error(self, message: str, place: Place, *, value: str | None = None, hint: str | None = None) -> None:
        """Add a problem in own words."""
        self.add(_problem(Decision(False, "declarations", message, hint=hint), place, value=value))

    def warn(self, decision: Decision, place: Place) -> None:
        """Add a warning with a policy's reason, whatever its verdict."""
        self.warnings.append(_problem(decision, place, value=None))

    def sorted_problems(self) -> tuple[Problem, ...]:
        """Return the problems by file, line and column."""
        return tuple(sorted(self.problems, key=_order))

    def sorted_warnings(self) -> tuple[Problem, ...]:
        """Return the warnings by file, line and column."""
        return tuple(sorted(self.warnings, key=_order))


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file or "", problem.line or 0, problem.column or 0


def _problem(decision: Decision, place: Place, *, value: str | None) -> Problem:
    shown = value if value is None or len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    return Problem(
        decision.reason,
        place.file,
        place.line,
        place.column,
        value=shown,
        allowed=decision.good,
        hint=decision.hint,
        rule=decision.policy,
    )

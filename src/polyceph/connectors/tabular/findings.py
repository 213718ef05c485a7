"""What the reading of one file finds out and what is wrong with it, collected up to a limit. No reading here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyceph.connectors.tabular.form import FormSeen
from polyceph.sdk import Invalid, Note, Problem, Tolerance

SHOWN = 20
"""How many problems are listed unless the dataset says otherwise; the others are counted."""
KEPT = 100_000
"""How many rejected values are kept; who has more has another problem."""


@dataclass(frozen=True)
class Reject:
    """A value that does not fit, as text: the row it stands in, the cell or line as people see it, the column, and the rule."""

    row: int
    place: str
    column: str | None
    value: str | None
    rule: str


@dataclass
class Findings:
    """Notes and problems of one file. `file` is the name that people know."""

    file: str
    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    is_fatal: bool = False
    """Whether something is wrong that is not the fault of single rows."""
    rejects: list[Reject] = field(default_factory=list)
    rejected_rows: set[int] = field(default_factory=set)
    cells: set[tuple[int, str]] = field(default_factory=set)
    """(row, column) of the cells that are rejected, so that they are not called empty too."""
    shown: int = SHOWN
    form: FormSeen = field(default_factory=FormSeen)
    """What the file looked like, as far as it was read."""
    is_sample: bool = False
    """Whether the file is looked into without a contract: its columns are asked for, and its reference system is told, not checked."""

    def note(self, subject: str, text: str, value: str | None = None) -> None:
        """Report something that was found out and acted on."""
        self.notes.append(Note(subject, text, value))

    def wrong(self, message: str, where: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Report something that stops the load; `where` holds a line or a place."""
        self.is_fatal = True
        self.add([Problem(message, file=self.file, **(where or {}), **more)], 1)

    def reject(self, row: int, problem: Problem, *, column: str | None = None, text: str | None = None) -> None:
        """Report a value, or a whole row, that does not fit: the row is set aside, or the file refused, as the load's tolerance says.

        `problem` is what a message may say; `text` is the value itself, for whoever may read the dataset.
        """
        self.add([problem], 1)
        self.rejected_rows.add(row)
        if column is not None:
            self.cells.add((row, column))
        if len(self.rejects) < KEPT:
            place = problem.place or (f"line {problem.line}" if problem.line is not None else f"row {row}")
            self.rejects.append(Reject(row, place, column, text, problem.message))

    def add(self, problems: list[Problem], count: int) -> None:
        """Add `count` problems of which the first are given."""
        self.count += count
        self.problems.extend(problems[: max(0, self.shown - len(self.problems))])

    def check(self) -> None:
        """Raise `Invalid` with what was collected, if anything is wrong that is not the fault of single rows."""
        if self.is_fatal:
            raise self.refusal()

    def settle(self, rows: int, tolerance: Tolerance) -> None:
        """Raise `Invalid` when more of the file's rows are rejected than the load tolerates."""
        self.check()
        if not tolerance.allows(len(self.rejected_rows), rows):
            raise self.refusal()

    def refusal(self) -> Invalid:
        """Return the error for what was collected."""
        more = f" (the first {len(self.problems)} are shown)" if self.count > len(self.problems) else ""
        noun = "problem" if self.count == 1 else "problems"
        return Invalid(f"{self.file} is refused, nothing of it is loaded: {self.count} {noun}{more}", problems=self.problems)

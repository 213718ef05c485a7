"""What the reading of one file finds out and what is wrong with it, collected up to a limit. No reading here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyceph.sdk import Invalid, Note, Problem

SHOWN = 20
"""How many problems are listed unless the dataset says otherwise; the others are counted."""


@dataclass
class Findings:
    """Notes and problems of one file. `file` is the name that people know."""

    file: str
    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    shown: int = SHOWN
    told: set[tuple[int, int]] = field(default_factory=set)
    """(row, index of the contract's column) of the cells that are in the problems already, so that they are not called empty too."""

    def note(self, subject: str, text: str, value: str | None = None) -> None:
        """Report something that was found out and acted on."""
        self.notes.append(Note(subject, text, value))

    def wrong(self, message: str, where: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Report something that stops the load; `where` holds a line or a place."""
        self.add([Problem(message, file=self.file, **(where or {}), **more)], 1)

    def add(self, problems: list[Problem], count: int) -> None:
        """Add `count` problems of which the first are given."""
        self.count += count
        self.problems.extend(problems[: max(0, self.shown - len(self.problems))])

    def check(self) -> None:
        """Raise `Invalid` with what was collected, if anything is wrong."""
        if self.count:
            raise self.refusal()

    def refusal(self) -> Invalid:
        """Return the error for what was collected."""
        more = f" (the first {len(self.problems)} are shown)" if self.count > len(self.problems) else ""
        noun = "problem" if self.count == 1 else "problems"
        return Invalid(f"{self.file} is refused, nothing of it is loaded: {self.count} {noun}{more}", problems=self.problems)

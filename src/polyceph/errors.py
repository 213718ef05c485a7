"""The six errors of polyceph and the problem that explains them; nothing else is raised on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    `line` and `column` count from 1 and mean a text file; `place` names anything else ("sheet Janvier, cell C12").
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    place: str | None = None
    value: str | None = None
    allowed: tuple[str, ...] = ()
    hint: str | None = None
    rule: str | None = None
    """Which rule says so, where it has a name."""

    def where(self) -> str:
        """Return `file:line:column` as far as it is known, or the place, or nothing."""
        parts = [self.file or "", *(str(n) for n in (self.line, self.column) if n is not None)]
        text = ":".join(p for p in parts if p)
        return ", ".join(p for p in (text, self.place) if p)

    def __str__(self) -> str:
        where = self.where()
        good = f"; good values: {', '.join(self.allowed)}" if self.allowed else ""
        hint = f"; {self.hint}" if self.hint else ""
        return (f"{where}: " if where else "") + self.message + good + hint

    def as_dict(self) -> dict[str, object]:
        """Return the fields that are set, for `--json`."""
        pairs = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in pairs.items() if v not in (None, ())}


class PolycephError(Exception):
    """The root of the six; `exit_code` is what a command ends with."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, problems: Iterable[Problem] = (), hint: str | None = None) -> None:
        self.message = message
        self.problems = tuple(problems)
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message, *(f"  {p}" for p in self.problems)]
        return "\n".join(lines + ([f"  {self.hint}"] if self.hint else []))


class Invalid(PolycephError):
    """What was given is wrong: a declaration, a file, an argument."""

    exit_code = 2


class NotFound(PolycephError):
    """The thing named does not exist, or may not be known to exist."""

    exit_code = 3


class Denied(PolycephError):
    """A policy says no; the message names the policy, the reason and how to ask."""

    exit_code = 4


class Conflict(PolycephError):
    """Somebody else changed it, or holds it, right now."""

    exit_code = 5


class Unavailable(PolycephError):
    """A service that is needed does not answer."""

    exit_code = 6


class Misconfigured(PolycephError):
    """The installation or its settings cannot work."""

    exit_code = 7

"""People who answer for data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Person:
    """A person of the federation; `left` is the first day without her, None while she stays."""

    id: str
    name: str
    email: str
    left: date | None = None

    def is_living(self, today: date) -> bool:
        """Tell whether the person is still in the house on `today`."""
        return self.left is None or today < self.left

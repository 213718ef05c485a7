"""Rows that are no data: totals and the place where a table ends, told by their first filled cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_TOTAL = re.compile(r"(?:sub|sous|grand|general|alg\S*|domestic)?[ -]*(?:tota(?:l|al|ux|len)\b|totaal\b|summe\b|gesamt\b)", re.IGNORECASE)
_LETTERS = frozenset("tTsSgGaAdD")


def looks_like_total(cells: Iterable[str]) -> bool:
    """Tell whether the first filled cell says total, sous-total, totaal, Summe and the like."""
    for cell in cells:
        if cell:
            return cell[0] in _LETTERS and _TOTAL.match(cell) is not None
    return False


def stops_here(cells: Sequence[str], stop_at: str) -> bool:
    """Tell whether the first filled cell begins with the declared text, upper and lower case alike."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    return first.casefold().startswith(stop_at.casefold())

"""The systems of culture: libraries and their loans, subsidies, heritage, events, museums, archives. What each holds is in its module."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import (
    culture_agenda,
    culture_grants,
    culture_heritage,
    culture_libraries,
    culture_loans,
)
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from culture_libraries.build(scenario, truth)
    yield from culture_loans.build(scenario, truth)
    yield from culture_grants.build(scenario, truth)
    yield from culture_heritage.build(scenario, truth)
    yield from culture_agenda.build(scenario, truth)

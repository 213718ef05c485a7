"""The systems of sport."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import sport_facilities
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from sport_facilities.build(scenario, truth)

"""The systems of culture."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import culture_libraries, culture_loans
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from culture_libraries.build(scenario, truth)
    yield from culture_loans.build(scenario, truth)

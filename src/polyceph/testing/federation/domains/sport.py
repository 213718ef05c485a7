"""The systems of sport: infrastructure, attendance, clubs, works, licences, camps. What each holds is in its module."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import sport_clubs, sport_facilities, sport_licences, sport_works
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from sport_facilities.build(scenario, truth)
    yield from sport_clubs.build(scenario, truth)
    yield from sport_works.build(scenario, truth)
    yield from sport_licences.build(scenario, truth)

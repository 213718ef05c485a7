"""The systems of sport: infrastructure, attendance, clubs, works, licences, camps. What each holds is in its module."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import planted, sport_clubs, sport_facilities, sport_licences, sport_works
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from sport_facilities.build(scenario, truth)
    yield from sport_clubs.build(scenario, truth)
    yield from sport_works.build(scenario, truth)
    yield from sport_licences.build(scenario, truth)
    _plant_paths(truth)


def _plant_paths(truth: Truth) -> None:
    """Write down where columns come from: two of our own sources, and one of the data office."""
    density = ("sport.gold.club_density", "sport.output.club_density")
    register = ("sport.raw.clubs", "sport.bronze.club_exports", "sport.silver.clubs", "sport.silver.supported_clubs")
    planted.path(truth, *(f"{dataset}.members" for dataset in (*register, *density)))
    attendance = ("sport.raw.attendance", "sport.bronze.attendance", "sport.silver.known_attendance")
    monthly = ("sport.gold.attendance_by_month", "sport.output.attendance_by_month")
    planted.path(truth, *(f"{dataset}.club_visits" for dataset in (*attendance, *monthly)))
    listed = ("data_office.raw.municipalities", "data_office.bronze.listed_municipalities", "data_office.gold.municipalities")
    planted.path(truth, *(f"{dataset}.name_fr" for dataset in listed), *(f"{dataset}.municipality" for dataset in density))

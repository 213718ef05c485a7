"""The systems of culture: libraries and their loans, subsidies, heritage, events, museums, archives. What each holds is in its module."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import (
    culture_agenda,
    culture_grants,
    culture_heritage,
    culture_libraries,
    culture_loans,
    planted,
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
    _plant_paths(truth)


def _plant_paths(truth: Truth) -> None:
    """Write down where columns come from: two of our own sources, and one of the data office."""
    served = ("culture.gold.visits_by_municipality", "culture.output.visits_by_municipality")
    refined = ("culture.raw.visits", "culture.bronze.visits", "culture.silver.trusted_visits", "culture.silver.yearly_visits")
    planted.path(truth, *(f"{dataset}.visits" for dataset in (*refined, *served)))
    planted.path(
        truth,
        *(f"culture.{dataset}.amount_eur" for dataset in ("raw.operating_grants", "bronze.operating_grants", "silver.grants")),
        *(f"culture.{zone}.support_by_municipality.operating_eur" for zone in ("gold", "output")),
    )
    listed = ("data_office.raw.municipalities", "data_office.bronze.listed_municipalities", "data_office.gold.municipalities")
    planted.path(truth, *(f"{dataset}.name_fr" for dataset in listed), *(f"{dataset}.municipality" for dataset in served))

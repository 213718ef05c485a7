"""The systems of higher_education: students, research, grants, institutions, publications, mobility and the budget."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import (
    higher_education_grants,
    higher_education_institutions,
    higher_education_mobility,
    higher_education_publications,
    higher_education_students,
)
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from higher_education_institutions.build(scenario, truth)
    yield from higher_education_students.build(scenario, truth)
    yield from higher_education_grants.build(scenario, truth)
    yield from higher_education_publications.build(scenario, truth)
    yield from higher_education_mobility.build(scenario, truth)
    _lineage(truth)


def _lineage(truth: Truth) -> None:
    """Write down how money and names reach what is served; what comes from the lists is the data office's."""
    money = ("raw.grants", "bronze.grants", "silver.placed_grants", "gold.funding_by_municipality", "output.funding_by_municipality")
    names = ("raw.institutions", "bronze.institutions", "gold.research_by_institution", "output.research_by_institution")
    for column, path in (("amount_eur", money), ("name", names)):
        truth.add("lineage", path=[{"dataset": f"higher_education.{dataset}", "column": column} for dataset in path])

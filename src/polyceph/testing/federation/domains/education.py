"""The systems of education."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import education_register
from polyceph.testing.federation.domains.education_enrolments import enrolments
from polyceph.testing.federation.domains.education_pupils import pupils
from polyceph.testing.federation.domains.education_schools import schools, towns
from polyceph.testing.federation.domains.education_staff import staff
from polyceph.testing.federation.pieces import Piece, database
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    there = towns()
    found = schools(scenario, truth, there)
    enrolled, working = pupils(scenario, truth, found, there), staff(scenario, truth)
    entries = enrolments(scenario, truth, enrolled)
    tables = {"schools": found.table, "pupils": enrolled.table(), "staff": working.table, "enrolments": entries}
    yield from database("postgres", "education_register", education_register.DDL, tables)

"""The systems of education."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation.domains import (
    education_calendar,
    education_pay,
    education_personal,
    education_register,
    education_returns,
    education_services,
    education_sites,
    education_transport,
)
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
    yield from education_pay.build(scenario, truth, found, working)
    yield from education_returns.build(scenario, truth)
    yield from education_transport.build(scenario, truth)
    yield education_calendar.build()
    yield from education_sites.immersion(scenario, truth, found)
    yield from education_sites.sites(scenario, truth, found, there)
    yield from education_services.canteens(scenario, found)
    yield from education_services.inspection(scenario, found)
    education_personal.plant(truth)

"""The systems of youth care, and which of their columns are about a person. What is in each system is in the modules beside."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.testing.federation import pieces
from polyceph.testing.federation.domains import youth_care_cases, youth_care_children
from polyceph.testing.federation.domains.youth_care_daycare import daycare
from polyceph.testing.federation.domains.youth_care_districts import Districts
from polyceph.testing.federation.domains.youth_care_places import placements, services
from polyceph.testing.federation.domains.youth_care_services import foster, hotline, reports
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

PERSONAL = {
    "children": {
        "national_number": "national_number",
        "last_name": "name",
        "first_name": "name",
        "birth_date": "birth_date",
        "street": "address",
        "postcode": "address",
        "guardian_last_name": "name",
        "guardian_first_name": "name",
        "guardian_telephone": "telephone",
        "health_note": "health",
    },
    "cases": {"counsellor": "name", "remark": "free_text"},
    "measures": {"reference": "iban"},
    "placements": {"contact": "name", "telephone": "telephone", "remark": "free_text"},
    "visits": {"inspector": "name"},
    "foster_families": {
        "last_name": "name",
        "first_name": "name",
        "street": "address",
        "postcode": "address",
        "telephone": "telephone",
        "account": "iban",
    },
}
"""Raw dataset → column → what it says of a person."""
UNMARKED = {("cases", "remark"), ("measures", "reference"), ("placements", "remark")}
"""Columns of which no contract says that they are about a person."""
_PATHS = (
    (
        ("youth_care.raw.measures", "kind"),
        ("youth_care.bronze.measures", "kind"),
        ("youth_care.silver.measures_in_districts", "kind"),
        ("youth_care.gold.measures_by_district", "kind"),
        ("youth_care.output.measures_by_district", "kind"),
    ),
    (
        ("youth_care.raw.daycare", "child_days"),
        ("youth_care.bronze.daycare", "child_days"),
        ("youth_care.gold.daycare_by_municipality", "child_days"),
        ("youth_care.output.daycare_by_municipality", "child_days"),
    ),
    (
        ("data_office.raw.municipalities", "name_fr"),
        ("data_office.bronze.listed_municipalities", "name_fr"),
        ("data_office.gold.municipalities", "name_fr"),
        ("youth_care.gold.daycare_by_municipality", "municipality"),
        ("youth_care.output.daycare_by_municipality", "municipality"),
    ),
)


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    districts = Districts()
    there = services(scenario, districts)
    yield from register(scenario, truth, districts)
    yield from placements(scenario, truth, there)
    yield from daycare(scenario, truth, districts)
    yield from hotline(scenario)
    yield from foster(scenario, districts)
    yield from reports(scenario, there)
    _say(truth)


def register(scenario: Scenario, truth: Truth, districts: Districts | None = None) -> list[Piece]:
    """Return the database of children, cases and measures."""
    where = districts or Districts()
    children = youth_care_children.children(scenario, truth, where)
    cases = youth_care_cases.cases(scenario, truth, children)
    measures = youth_care_cases.measures(scenario, truth, cases, services(scenario, where))
    month, ddl = scenario.month, youth_care_children.DDL + youth_care_cases.DDL
    tables = {"children": children.table(month), "cases": cases.table(month), "measures": measures.table(month)}
    return pieces.database("postgres", "youth_care_care", ddl, tables)


def _say(truth: Truth) -> None:
    for dataset, columns in PERSONAL.items():
        for column, category in columns.items():
            fact = {"dataset": f"youth_care.raw.{dataset}", "column": column, "category": category}
            truth.add("personal_data", **fact, marked=(dataset, column) not in UNMARKED)
    for path in _PATHS:
        truth.add("lineage", path=[{"dataset": dataset, "column": column} for dataset, column in path])

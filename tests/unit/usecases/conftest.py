"""A federation of two domains as it is declared, and as it is kept."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain, Source
from polyceph.core.model.federation import Channel, Environment, Federation
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.usecases.declared import content_of

PLACE = Place("domains/education/domain.yaml")
PUPILS, MUSEUMS = DatasetId("education", Zone.GOLD, "pupils"), DatasetId("culture", Zone.SILVER, "museums")


@pytest.fixture
def federation() -> Federation:
    """Education has a dataset with a contract and a source; culture one without a contract, and reads education's."""
    columns = (
        Column("town", "string", physical_type="VARCHAR(40)", required=True),
        Column("diet", "string", classification=Classification.SECRET, personal_data=PersonalData.SPECIAL_CATEGORY),
    )
    contract = Contract(PUPILS, "education-pupils", "1.0.0", "active", "anne", "marc", Classification.CONFIDENTIAL, columns, PLACE, "c1")
    register = Source("register", "postgres", {"host": {"env": "REGISTER_HOST"}, "password_env": "REGISTER_PASSWORD"}, PLACE)
    education = Domain(
        "education", {"en": "Education"}, "anne", "marc", None, "stewards", "domains/education", PLACE,
        sources={"register": register}, contracts={PUPILS: contract}, datasets={PUPILS: Dataset(PUPILS, "anne", "marc", contract)},
    )  # fmt: skip
    culture = Domain(
        "culture", {"en": "Culture"}, "eva", "marc", "anne", "stewards", "domains/culture", PLACE,
        consumes=(PUPILS,), datasets={MUSEUMS: Dataset(MUSEUMS, "eva", "marc", None)},
    )  # fmt: skip
    people = {
        "anne": Person("anne", "Anne Dupont", "anne.dupont@example.org"),
        "eva": Person("eva", "Eva Simon", "eva.simon@example.org", date(2026, 3, 31)),
        "marc": Person("marc", "Marc Leroy", "marc.leroy@example.org"),
    }
    return Federation(
        name="demo",
        title={"en": "Demo"},
        languages=("en",),
        environments={"dev": Environment("dev", ".polyceph/lakes")},
        channels={"stewards": Channel("stewards", "ntfy", "STEWARDS_NTFY")},
        people=people,
        domains={"education": education, "culture": culture},
        place=Place("federation.yaml"),
        digest="d1",
    )


@pytest.fixture
def content(federation: Federation) -> dict[str, Any]:
    """The same as it is kept."""
    return content_of(federation)

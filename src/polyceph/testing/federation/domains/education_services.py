"""Two services that are asked over the network: the canteens' API, and the site where inspectors keep visits and reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from polyceph.testing.federation.domains.education_schools import Schools
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, document, month_in_french, ndjson
from polyceph.testing.federation.scenario import FIRST, Month, Scenario

CANTEENS = 60
INSPECTORS = 8
VISITS = 7
"""Visits of inspectors in a month of school."""
SUBJECTS = ("français", "mathématiques", "langues modernes", "sciences", "éducation physique", "gestion de l'école")
OUTCOMES = {"favorable": 70, "favorable avec recommandations": 22, "à revoir": 8}
SERVICE = {
    "auth": "oauth2",
    "paging": "page",
    "page_size": 100,
    "rate_per_second": 50,
    "fault_every": 25,
    "collections": {
        "canteens": {"rows": "data.items", "key": "canteen_id", "updated": "updated_at"},
        "meals": {"rows": "data.items", "key": "meal_id", "updated": "updated_at"},
    },
}


def canteens(scenario: Scenario, schools: Schools) -> Iterator[Piece]:
    """Yield the API of the canteens: where they are, and the meals that each served in a month."""
    random = scenario.random("education", "canteens")
    chosen = sorted(random.sample(range(len(schools.levels)), CANTEENS))
    rows = [_canteen(random, number, school) for number, school in enumerate(chosen, 1)]
    meals = [meal for month in scenario.months() if month.number not in (7, 8) for meal in _meals(scenario, month, rows)]
    yield Piece("rest/education_canteens/service.json", document(SERVICE))
    yield Piece("rest/education_canteens/canteens.ndjson", ndjson(rows))
    yield Piece("rest/education_canteens/meals.ndjson", ndjson(meals))


def inspection(scenario: Scenario, schools: Schools) -> Iterator[Piece]:
    """Yield the inspectors' site: a list of visits, and a report as text for each visit that must be looked at again."""
    visits = [visit for month in scenario.months() if month.number not in (7, 8) for visit in _visits(scenario, month, schools)]
    yield Piece("graph/education_inspection/lists/visits.ndjson", ndjson(visits))
    for visit in visits:
        if visit["Outcome"] == "à revoir":
            yield _report(visit)


def _canteen(random: Random, number: int, school: int) -> dict[str, object]:
    return {
        "canteen_id": f"CAN{number:03d}",
        "school_id": school + 1,
        "places": 10 * random.randrange(4, 26),
        "own_kitchen": random.random() < 0.35,
        "price_eur": round(random.uniform(3.2, 5.6), 2),
        "updated_at": _moment(FIRST, random),
    }


def _meals(scenario: Scenario, month: Month, rows: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    random = scenario.random("education", "meals", month)
    for row in rows:
        served = int(int(str(row["places"])) * random.uniform(11, 17))
        yield {
            "meal_id": f"{row['canteen_id']}-{month}",
            "canteen_id": row["canteen_id"],
            "month": str(month),
            "served": served,
            "vegetarian": int(served * random.uniform(0.08, 0.3)),
            "free": int(served * random.uniform(0.02, 0.2)),
            "updated_at": _moment(month.plus(1), random),
        }


def _visits(scenario: Scenario, month: Month, schools: Schools) -> Iterator[dict[str, object]]:
    random = scenario.random("education", "inspection", month)
    inspectors = _inspectors(scenario)
    for number in range(1, VISITS + 1):
        school = random.randrange(len(schools.levels))
        yield {
            "id": f"{month}-{number:02d}",
            "Title": f"Visite {month}-{number:02d}",
            "SchoolId": school + 1,
            "VisitedOn": (month.first + timedelta(days=random.randrange(25))).isoformat(),
            "Inspector": random.choice(inspectors),
            "Subject": random.choice(SUBJECTS),
            "Outcome": random.choices(tuple(OUTCOMES), weights=tuple(OUTCOMES.values()))[0],
            "Modified": _moment(month.plus(1), random),
        }


def _inspectors(scenario: Scenario) -> list[str]:
    random = scenario.random("education", "inspectors")
    return [f"{random.choice((*GIRLS, *BOYS))} {random.choice(LAST_NAMES)}" for _ in range(INSPECTORS)]


def _report(visit: dict[str, object]) -> Piece:
    month = Month.parse(str(visit["id"])[:7])
    lines = (
        f"Rapport d'inspection {visit['id']}, {month_in_french(month)}",
        f"École n° {visit['SchoolId']}, visitée le {visit['VisitedOn']} par {visit['Inspector']} ({visit['Subject']}).",
        "Conclusion : à revoir dans les six mois. Un plan d'action est attendu de la direction.",
    )
    path = f"graph/education_inspection/library/Rapports/{month.year}/rapport_{visit['id']}.txt"
    return Piece(path, "\r\n".join(lines).encode(), month.arrival())


def _moment(month: Month, random: Random) -> str:
    moment = datetime(month.year, month.number, 2, 7, tzinfo=UTC) + timedelta(seconds=random.randrange(80_000))
    return moment.isoformat().replace("+00:00", "Z")

"""What culture shows: an agenda of events (open data portal), museums and their visitors (REST), archives (a list of a site)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from polyceph.testing.federation import places
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import email, telephone
from polyceph.testing.federation.domains.culture_grants import operators
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, document, ndjson
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

EVENTS, MUSEUMS, ARCHIVES = "culture.raw.events", "culture.raw.museums", "culture.raw.archives"
_EVENTS_A_MONTH, _MUSEUMS, _HOLDINGS, _NEW_HOLDINGS = 32, 60, 380, 2
_SEASON = (0.8, 0.9, 1.0, 1.1, 1.2, 1.1, 1.3, 1.2, 1.1, 1.1, 1.0, 0.9)
_AUDIENCES = ("tout public", "jeune public", "familles", "adultes", "scolaires")
_MUSEUMS_OF = ("du folklore", "des beaux-arts", "de la mine", "archéologique", "du verre")
_HOLDINGS_OF = ("Papiers", "Fonds", "Correspondance", "Collection", "Registres")
_EVENT_FIELDS = (
    ("event_id", "text", "Identifiant"),
    ("title", "text", "Titre"),
    ("kind", "text", "Genre"),
    ("begins_on", "date", "Date"),
    ("nis_code", "text", "Code INS"),
    ("municipality", "text", "Commune"),
    ("organiser", "text", "Organisateur"),
    ("organiser_number", "text", "Numéro BCE"),
    ("audience", "text", "Public"),
    ("price_eur", "double", "Prix"),
    ("seats", "int", "Places"),
    ("position", "geo_point_2d", "Position"),
    ("updated_at", "datetime", "Modifié le"),
)


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the three services' content."""
    yield from _agenda(scenario)
    yield from _museums(scenario, truth)
    yield _archives(scenario, truth)


def _agenda(scenario: Scenario) -> Iterator[Piece]:
    rows = [row for month in scenario.months() for row in _events(scenario, month)]
    yield Piece("explore/culture_events/agenda.ndjson", ndjson(rows))
    meta = {
        "dataset_id": "agenda",
        "metas": {
            "default": {
                "title": "Agenda culturel",
                "description": "Concerts, spectacles, expositions et ateliers des opérateurs reconnus.",
                "language": "fr",
                "publisher": "Administration générale de la Culture",
                "license": "CC BY 4.0",
                "records_count": len(rows),
            }
        },
        "fields": [{"name": name, "type": kind, "label": label} for name, kind, label in _EVENT_FIELDS],
    }
    yield Piece("explore/culture_events/agenda.meta.json", document(meta))


def _events(scenario: Scenario, month: Month) -> Iterator[dict[str, Any]]:
    """Yield the events of a month, festivals in summer; known a month before they begin."""
    random = scenario.random("culture", "events", month)
    known = operators(scenario)
    for n in range(int(_EVENTS_A_MONTH * _SEASON[month.number - 1]) * scenario.scale):
        one = random.choice(known)
        kind = "festival" if month.number in (7, 8) and random.random() < 0.3 else one.kind
        begins = month.first + timedelta(days=random.randrange(month.last.day))
        price = 0.0 if random.random() < 0.3 else random.randrange(4, 45) * 1.0
        yield {
            "event_id": f"EV{month.year}{month.number:02d}-{n:05d}",
            "title": f"{random.choice(('Soirée', 'Rendez-vous', 'Cycle', 'Grand', 'Petit'))} {kind} {places.of(one.place)}",
            "kind": kind,
            "begins_on": begins,
            "nis_code": one.place.nis_code,
            "municipality": one.place.name_fr,
            "organiser": one.name,
            "organiser_number": one.number,
            "audience": random.choice(_AUDIENCES),
            "price_eur": price,
            "seats": random.randrange(30, 900, 10),
            "position": {"lon": round(random.uniform(3.1, 6.1), 5), "lat": round(random.uniform(49.6, 50.75), 5)},
            "updated_at": _moment(month.plus(-1), random.randrange(28), random.randrange(24)),
        }


def _museums(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the museums, and their visitors by month; the collections are paged."""
    planted.personal(truth, MUSEUMS, {"director": "name", "email": "e-mail", "telephone": "telephone"})
    random, numbers = scenario.random("culture", "museums"), scenario.numbers("culture", "telephones of museums")
    towns = places.draw(random, places.french_speaking(places.municipalities()), _MUSEUMS)
    museums = []
    for n, town in enumerate(towns, 1):
        first, last = random.choice(GIRLS + BOYS), random.choice(LAST_NAMES)
        museums.append(
            {
                "museum_id": f"MUS{n:03d}",
                "name": f"Musée {random.choice(_MUSEUMS_OF)} {places.of(town)}",
                "category": random.choice("ABC"),
                "address": {"nis_code": town.nis_code, "postcode": town.postcodes[0]},
                "director": f"{first} {last}",
                "email": email(first, last),
                "telephone": telephone(numbers),
                "updated_at": _moment(Month(2021, 10), n % 28, 9),
            }
        )
    entries = [row for month in scenario.months() for row in _entries(scenario, month)]
    service = {
        "auth": "oauth2",
        "paging": "page",
        "page_size": 100,
        "rate_per_second": 50,
        "fault_every": 25,
        "collections": {
            "museums": {"rows": "data.items", "key": "museum_id", "updated": "updated_at"},
            "entries": {"rows": "data.items", "key": "entry_id", "updated": "updated_at"},
        },
    }
    yield Piece("rest/culture_museums/service.json", document(service))
    yield Piece("rest/culture_museums/museums.ndjson", ndjson(museums))
    yield Piece("rest/culture_museums/entries.ndjson", ndjson(entries))


def _entries(scenario: Scenario, month: Month) -> Iterator[dict[str, Any]]:
    random = scenario.random("culture", "museum entries", month)
    for n in range(1, _MUSEUMS + 1):
        paid = int(60 + (n * 53 % 700) * _SEASON[month.number - 1] * random.uniform(0.8, 1.2))
        yield {
            "entry_id": f"MUS{n:03d}-{month}",
            "museum_id": f"MUS{n:03d}",
            "month": str(month),
            "paid": paid,
            "free": int(paid * random.uniform(0.2, 0.6)),
            "schools": 0 if month.number in (7, 8) else int(paid * random.uniform(0.1, 0.5)),
            "updated_at": _moment(month.plus(1), random.randrange(6), 10),
        }


def _archives(scenario: Scenario, truth: Truth) -> Piece:
    """Return the list of holdings; some are called after the people they came from, and a remark says whom to ring."""
    planted.personal(truth, ARCHIVES, {"title": "name", "donor": "name", "remark": "free_text"}, unmarked=["title", "remark"])
    months = scenario.month.since(Month(2021, 10)) * _NEW_HOLDINGS
    return Piece("graph/culture_archives/lists/fonds.ndjson", ndjson(_holding(scenario, n) for n in range(1, _HOLDINGS + months + 1)))


def _holding(scenario: Scenario, number: int) -> dict[str, Any]:
    random, numbers = scenario.random("culture", "holding", number), scenario.numbers("culture", "holding", number)
    first, last = random.choice(GIRLS + BOYS), random.choice(LAST_NAMES)
    begins = random.randrange(1790, 1960)
    added = Month(2021, 11).plus(max(0, (number - _HOLDINGS - 1) // _NEW_HOLDINGS))
    ring = f"Don de la famille {last}, joindre {first} {last} au {telephone(numbers)}"
    return {
        "id": str(number),
        "Title": f"{random.choice(_HOLDINGS_OF)} {first} {last}",
        "Cote": f"FA/{number:04d}",
        "Dates": f"{begins}-{begins + random.randrange(5, 80)}",
        "MetresLineaires": round(random.uniform(0.1, 42), 1),
        "Donateur": f"{last} {first}" if random.random() < 0.5 else None,
        "Remarque": ring if random.random() < 0.15 else None,
        "lastModifiedDateTime": _moment(added, number % 28, 8),
    }


def _moment(month: Month, day: int, hour: int) -> datetime:
    return datetime(month.year, month.number, day + 1, hour, tzinfo=UTC)

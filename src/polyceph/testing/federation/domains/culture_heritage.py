"""Protected heritage: the inventory in a bucket, as JSON and as the XML that the older system still writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from polyceph.testing.federation import places
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.periods import yearly
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES, STREETS
from polyceph.testing.federation.pieces import Piece, document
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

HERITAGE = "culture.raw.heritage"
_KINDS = {
    "monument": ("Moulin", "Ferme", "Pont", "Chapelle", "Tour", "Maison"),
    "ensemble": ("Béguinage", "Place et façades", "Cité ouvrière"),
    "landscape": ("Vallée", "Carrière", "Marais"),
    "archaeology": ("Villa romaine", "Tumulus", "Grotte"),
    "movable": ("Retable", "Calice", "Tapisserie"),
    "organ": ("Orgue",),
    "remarkable_tree": ("Tilleul", "Chêne", "Hêtre pourpre"),
}
_FIRST_YEAR, _AT_FIRST, _A_YEAR = 2022, 620, 26
_WRONG_YEAR = 2024


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield what was protected up to 2022, then each year's decisions; the kind of one property is a code that no list has."""
    planted.personal(truth, HERITAGE, {"owner": "name", "street": "address", "postcode": "address"})
    for year, arrived in yearly(scenario, _FIRST_YEAR, (1, 25), {}):
        properties = _protected(scenario, year)
        if year == _WRONG_YEAR:
            _plant(scenario, properties, truth)
        stem = f"s3/culture_heritage/biens_classes_{'1931-2022' if year == _FIRST_YEAR else year}"
        content = {"source": "Inventaire des biens classés", "etabli_le": f"31/12/{year}", "biens": properties}
        yield Piece(f"{stem}.json", document(content), arrived)
        yield Piece(f"{stem}.xml", _xml(properties, year), arrived)


def _protected(scenario: Scenario, year: int) -> list[dict[str, Any]]:
    """Return the properties whose protection was decided in a year, all up to it in the first file."""
    random = scenario.random("culture", "heritage", year)
    count = _AT_FIRST if year == _FIRST_YEAR else _A_YEAR
    first = 1 if year == _FIRST_YEAR else _AT_FIRST + 1 + (year - _FIRST_YEAR - 1) * _A_YEAR
    start, days = (date(1931, 8, 7), 33_000) if year == _FIRST_YEAR else (date(year, 1, 5), 350)
    towns = places.draw(random, places.french_speaking(places.municipalities()), count)
    made = []
    for n, town in enumerate(towns, first):
        kind = random.choices(tuple(_KINDS), weights=(50, 12, 10, 8, 8, 5, 7))[0]
        is_private = random.random() < 0.45
        person = f"{random.choice(GIRLS + BOYS)} {random.choice(LAST_NAMES)}"
        made.append(
            {
                "id": f"BC{n:05d}",
                "denomination": f"{random.choice(_KINDS[kind])} {places.of(town)}",
                "categorie": kind,
                "adresse": {"rue": f"{random.choice(STREETS)} {random.randrange(1, 200)}", "cp": town.postcodes[0], "ins": town.nis_code},
                "position": {"lat": round(random.uniform(49.6, 50.75), 5), "lon": round(random.uniform(3.1, 6.1), 5)},
                "classement": {"date": f"{start + timedelta(days=random.randrange(days)):%d/%m/%Y}", "arrete": f"AR {n}/{year}"},
                "proprietaire": {
                    "type": "privé" if is_private else "public",
                    "nom": person if is_private else f"Commune {places.of(town)}",
                },
            }
        )
    return made


def _plant(scenario: Scenario, properties: Sequence[dict[str, Any]], truth: Truth) -> None:
    """Write one property's kind the way nobody else does."""
    one = scenario.random("culture", "wrong kind").choice([one for one in properties if one["categorie"] == "monument"])
    one["categorie"] = "monumment"
    planted.unknown_code(truth, (HERITAGE, "kind"), {"heritage_id": one["id"]}, code="monumment", meant="monument")


def _xml(properties: Sequence[dict[str, Any]], year: int) -> bytes:
    """Return the same properties as XML: names in attributes, the rest in elements."""
    root = ET.Element("inventaire", {"etabli": f"{year}-12-31", "nombre": str(len(properties))})
    for one in properties:
        node = ET.SubElement(root, "bien", {"id": str(one["id"]), "categorie": str(one["categorie"])})
        for name, value in one.items():
            if isinstance(value, dict):
                inner = ET.SubElement(node, name)
                for key, text in value.items():
                    ET.SubElement(inner, key).text = str(text)
            elif name not in ("id", "categorie"):
                ET.SubElement(node, name).text = str(value)
    ET.indent(root, " ")
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"

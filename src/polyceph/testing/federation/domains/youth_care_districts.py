"""The thirteen districts of youth care, and which municipalities belong to each. Codes of the federation's lists are in `codes`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

from polyceph.testing.federation import places
from polyceph.testing.federation.places import Municipality

DISTRICTS: Mapping[str, tuple[str, ...]] = {
    "arlon": ("81", "85"),
    "bruxelles": ("21",),
    "charleroi": ("52", "56", "58"),
    "dinant": ("91", "93"),
    "huy": ("61", "64"),
    "liege": ("62",),
    "marche": ("83",),
    "mons": ("51", "53", "55"),
    "namur": ("92",),
    "neufchateau": ("82", "84"),
    "nivelles": ("25",),
    "tournai": ("54", "57"),
    "verviers": ("63",),
}
"""Code of a district → the first two digits of the NIS codes in it: its arrondissements."""


class Districts:
    """The municipalities of Wallonia and Brussels by district."""

    def __init__(self) -> None:
        self.places = places.french_speaking(places.municipalities())
        by_arrondissement = {digits: name for name, all_ in DISTRICTS.items() for digits in all_}
        self.of: Mapping[str, str] = {place.nis_code: by_arrondissement[place.nis_code[:2]] for place in self.places}
        """NIS code → district."""

    def draw(self, random: Random, count: int) -> list[Municipality]:
        """Return `count` municipalities, towns and small districts more often than by their size: no district is almost empty."""
        sizes: dict[str, float] = {}
        for place in self.places:
            sizes[self.of[place.nis_code]] = sizes.get(self.of[place.nis_code], 0) + _weight(place)
        weights = [_weight(place) / sizes[self.of[place.nis_code]] ** 0.5 for place in self.places]
        return random.choices(self.places, weights=weights, k=count)


def _weight(place: Municipality) -> float:
    return math.pow(len(place.postcodes), 1.5)


def sample_apart(random: Random, taken: set[int], candidates: Sequence[int], count: int) -> list[int]:
    """Return `count` of the candidates that nothing else has taken, in order, and take them."""
    chosen = sorted(random.sample([one for one in candidates if one not in taken], count))
    taken.update(chosen)
    return chosen

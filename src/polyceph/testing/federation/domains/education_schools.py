"""The schools of the register, and the towns that they and their pupils are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyceph.testing.federation import places
from polyceph.testing.federation.people import STREETS, typed
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

Texts = NDArray[np.str_]
Whole = NDArray[np.int64]

COUNT = 500
NETWORKS = {"wbe": 22, "official": 43, "catholic": 32, "independent": 3}
"""Codes of `data_office.gold.codes`, list `school_network`, with how many schools in a hundred have them."""
LEVELS = {"nursery": 18, "primary": 42, "secondary": 32, "special": 8}
"""The same for `school_level`."""
STAGES = {"M": ("nursery",), "P": ("primary", "special"), "S": ("secondary", "special")}
"""Levels of the schools where pupils of a grade are, by its first letter."""
KINDS = {"nursery": "École maternelle", "primary": "École primaire", "secondary": "Athénée", "special": "École d'enseignement spécialisé"}
SAINTS = ("Joseph", "Michel", "Remacle", "Begge", "Feuillen", "Hadelin", "Lambert", "Martin", "Hubert", "Waudru", "Gertrude", "Berthuin")
INDEPENDENT = ("Freinet", "Decroly", "Montessori", "de la Clairière", "du Grand Chêne")
COLUMNS = ("school_id", "name", "network", "level", "street", "postcode", "nis_code", "opened_on", "updated_at")


@dataclass(frozen=True)
class Towns:
    """Municipalities in columns: where a home or a school can be. `start` and `count` pick the postcodes of each."""

    places: tuple[Municipality, ...]
    nis_codes: Texts
    postcodes: Texts
    start: Whole
    count: Whole

    def addresses(self, numbers: np.random.Generator, towns: Whole) -> tuple[Texts, Texts]:
        """Return a postcode and the NIS code for each place in `towns`, a position in `places`."""
        offset = (numbers.random(len(towns)) * self.count[towns]).astype(np.int64)
        return self.postcodes[self.start[towns] + offset], self.nis_codes[towns]


@dataclass(frozen=True)
class Schools:
    """The table, and by school: its network and level as they should be written, the position of its town, how much it draws."""

    table: pa.Table
    networks: Texts
    levels: Texts
    towns: Whole
    weights: NDArray[np.float64]

    def of_stage(self, stage: str) -> Whole:
        """Return the positions of the schools that have grades beginning with this letter."""
        return np.flatnonzero(np.isin(self.levels, STAGES[stage]))

    def drawn(self, numbers: np.random.Generator, stage: str, count: int) -> Whole:
        """Return positions of `count` schools of a stage, large schools more often."""
        found = self.of_stage(stage)
        chances = self.weights[found] / self.weights[found].sum()
        return numbers.choice(found, count, p=chances)


def towns() -> Towns:
    """Return the municipalities of Wallonia and Brussels."""
    found = places.french_speaking(places.municipalities())
    counts = np.array([len(place.postcodes) for place in found])
    return Towns(
        found,
        np.array([place.nis_code for place in found]),
        np.array([code for place in found for code in place.postcodes]),
        np.cumsum(counts) - counts,
        counts,
    )


def schools(scenario: Scenario, truth: Truth, there: Towns) -> Schools:
    """Return the schools; one network and one level among them are codes that no list has."""
    random = scenario.random("education", "schools")
    position = {place.nis_code: at for at, place in enumerate(there.places)}
    rows = [_school(random, number, place) for number, place in enumerate(places.draw(random, there.places, COUNT), 1)]
    networks, levels = np.array([row[2] for row in rows]), np.array([row[3] for row in rows])
    located = np.array([position[str(row[6])] for row in rows])
    rows = _as_typed(scenario, rows)
    _plant(scenario, truth, rows)
    weights = scenario.numbers("education", "sizes of schools").lognormal(0, 0.6, COUNT)
    return Schools(_table(rows), networks, levels, located, weights)


def _plant(scenario: Scenario, truth: Truth, rows: list[tuple[object, ...]]) -> None:
    """Write a wrong code into two schools: an old name of a network, a level in French."""
    first, second = sorted(scenario.random("education", "schools", "faults").sample(range(COUNT), 2))
    for at, column, code in ((first, "network", "provincial"), (second, "level", "fondamental")):
        place = COLUMNS.index(column)
        row = rows[at]
        fact = {"dataset": "education.raw.schools", "column": column, "key": {"school_id": row[0]}, "code": code}
        truth.add("unknown_code", **fact, list="data_office.gold.codes", meant=str(row[place]).strip().lower())
        rows[at] = (*row[:place], code, *row[place + 1 :])


def _school(random: Random, number: int, place: Municipality) -> tuple[object, ...]:
    network, level = _one(random, NETWORKS), _one(random, LEVELS)
    name = _name(random, network, level, place)
    opened = date(1950, 9, 1) + timedelta(days=random.randrange(26_000))
    street = f"{random.choice(STREETS)} {random.randrange(1, 240)}"
    changed = datetime(2025, 8, 25, 6, 0, tzinfo=UTC) + timedelta(seconds=random.randrange(60 * 86_400))
    return number, name, network, level, street, random.choice(place.postcodes), place.nis_code, opened, changed


def _name(random: Random, network: str, level: str, place: Municipality) -> str:
    town = places.of(place)
    if network == "catholic":
        kind = "Collège" if level == "secondary" else KINDS[level]
        return f"{kind} Saint-{random.choice(SAINTS)} {town}"
    if network == "independent":
        return f"École {random.choice(INDEPENDENT)} {town}"
    whose = "royal" if network == "wbe" else "communal"
    ending = "" if level == "secondary" else "e"
    return f"{KINDS[level]} {whose}{ending} {town}"


def _as_typed(scenario: Scenario, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    numbers = scenario.numbers("education", "schools as typed")
    names, networks = (typed(numbers, pa.array([row[at] for row in rows])).to_pylist() for at in (1, 2))
    return [(row[0], name, network, *row[3:]) for row, name, network in zip(rows, names, networks, strict=True)]


def _one(random: Random, shares: dict[str, int]) -> str:
    return random.choices(tuple(shares), weights=tuple(shares.values()))[0]


def _table(rows: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    types = {"opened_on": pa.date32(), "updated_at": pa.timestamp("s", tz="UTC")}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})

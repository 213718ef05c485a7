"""Thirty people whom several domains know, each domain writing their names in its own way: for erasure and for phonetic matching."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from polyceph.testing.federation.identifiers import national_number
from polyceph.testing.federation.people import SHARED, STREETS
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

_FIRST = (
    ("F", "Amélie", "Amelie", "AMÉLIE"),
    ("M", "Loïc", "Loic", "Loïck"),
    ("F", "Sofia", "Sophia", "Sofya"),
    ("M", "Mohamed", "Mohammed", "Mohamad"),
    ("F", "Chloé", "Chloe", "Cloé"),
    ("M", "Mathéo", "Matteo", "Mathéo"),
    ("F", "Noémie", "Noemie", "Naomie"),
    ("M", "Théo", "Teo", "THÉO"),
    ("F", "Inès", "Ines", "Inès"),
    ("M", "Timéo", "Thymeo", "Timeo"),
)
_LAST = (
    ("Lefèbvre", "Lefebvre", "Lefevre"),
    ("Janssens", "Jansens", "Janssen"),
    ("Van den Berghe", "Vandenberghe", "Van Den Berghe"),
    ("D'Hondt", "Dhondt", "D’Hondt"),
    ("El Amrani", "Elamrani", "El-Amrani"),
    ("Yıldız", "Yildiz", "Yeldiz"),
    ("Étienne", "Etienne", "Estienne"),
    ("Mathieu", "Matthieu", "Mathieux"),
    ("Léonard", "Leonard", "Lénard"),
    ("Zaïdi", "Zaidi", "Saïdi"),
    ("Toussaint", "Tousaint", "Toussain"),
    ("Philippart", "Philipart", "Filippart"),
    ("Desmet", "De Smet", "Desmedt"),
    ("Thiry", "Thierry", "Tiry"),
    ("Henrard", "Hanrard", "Henrar"),
)
COUNT = 30


@dataclass(frozen=True)
class SharedPerson:
    """Somebody whom several domains know. `spellings` are (first name, last name), the right one first."""

    number: int
    sex: str
    birth_date: date
    national_number: str
    street: str
    spellings: tuple[tuple[str, str], ...]

    def seen(self, truth: Truth, place: tuple[str, str], key: dict[str, object], *, variant: int) -> tuple[str, str]:
        """Return first and last name as one place writes them, and write down that she appears there.

        `place` is dataset and column of the last name; `key` picks the row; `variant` 0 is the right spelling, any other number one
        of the others.
        """
        first, last = self.spellings[variant % len(self.spellings)]
        dataset, column = place
        truth.appears(self, {"dataset": dataset, "column": column, "key": key, "first_name": first, "last_name": last})
        return first, last


def shared_people(scenario: Scenario) -> tuple[SharedPerson, ...]:
    """Return the thirty; the same for all months and scales of a seed."""
    random = Scenario(seed=scenario.seed).random("shared people")
    days = (SHARED.last_day - SHARED.first_day).days
    # Fifteen last names, each twice, with ten first names: no two people are written alike.
    pairs = [(_FIRST[number % 10], _LAST[(number + 3 * (number // 15)) % 15]) for number in range(COUNT)]
    births = random.sample(range(days), COUNT)
    return tuple(_one(number, pair, births[number - 1], random.choice(STREETS)) for number, pair in enumerate(pairs, 1))


def _one(number: int, pair: tuple[tuple[str, ...], tuple[str, ...]], day: int, street: str) -> SharedPerson:
    (sex, *first), last = pair
    born = SHARED.first_day + timedelta(days=day)
    serial = SHARED.top if sex == "F" else SHARED.top - 1
    spellings = tuple(zip(first, last, strict=True))
    return SharedPerson(number, sex, born, national_number(born, serial), f"{street} {number}", spellings)

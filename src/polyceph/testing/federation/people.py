"""Invented people: names as in French-speaking Belgium, birth dates, national numbers. Nobody in them is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from polyceph.testing.federation.identifiers import national_number
from polyceph.testing.federation.scenario import Scenario


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


GIRLS = _split(
    "Adèle|Agathe|Alice|Amélie|Anaïs|Aya|Camille|Capucine|Charlotte|Chloé|Clara|Clémence|Élise|Ella|Emma|Eva|Fatima|Hélène|Inès|Jade|"
    "Jeanne|Julia|Juliette|Léa|Léonie|Lina|Louise|Lucie|Manon|Margaux|Mathilde|Mila|Nina|Noémie|Nora|Olivia|Romane|Rose|Salma|Sarah|"
    "Sofia|Victoire|Yasmine|Zoé"
)
BOYS = _split(
    "Achille|Adam|Antoine|Arthur|Augustin|Aurélien|Basile|Benoît|Clément|Cyril|Diego|Élie|Émile|Ethan|Félix|François|Gabriel|Gaspard|"
    "Hugo|Ibrahim|Jules|Léon|Liam|Loïc|Louis|Lucas|Malik|Marius|Martin|Mathéo|Maxime|Mohamed|Naël|Nathan|Noah|Noé|Oscar|Raphaël|Rayan|"
    "Robin|Sacha|Simon|Théo|Thomas|Timéo|Tom|Victor|Youssef"
)
LAST_NAMES = _split(
    "Adam|Antoine|Bastin|Baudouin|Ben Salah|Bertrand|Bodart|Boulanger|Carlier|Charlier|Claes|Claessens|Collard|Collignon|Cornet|Cuvelier|"
    "D'Hondt|De Clercq|De Smet|De Vos|Delcourt|Delvaux|Denis|Deprez|Desmet|Dubois|Dumont|Dupont|Dupuis|El Amrani|Étienne|Evrard|Fontaine|"
    "François|Georges|Gérard|Gilles|Goffin|Grégoire|Guillaume|Hanssens|Henrard|Henry|Hermans|Hubert|Jacobs|Jacquemin|Jacques|Janssens|"
    "Kabongo|Lacroix|Lambert|Laurent|Leclercq|Lefèbvre|Legrand|Lejeune|Lemaire|Léonard|Libert|Louis|Maes|Mahieu|Marchal|Maréchal|Martin|"
    "Masson|Mathieu|Mertens|Michaux|Michel|Moreau|Nguyen|Nicolas|Noël|Parmentier|Peeters|Petit|Philippart|Pierre|Piron|Poncelet|Renard|"
    "Robert|Rousseau|Simon|Thiry|Thomas|Toussaint|Urbain|Van Damme|Van den Berghe|Vandenbroucke|Verhaegen|Warnier|Wauters|Willems|Wouters|"
    "Yıldız|Zaïdi"
)
STREETS = _split(
    "Rue de la Station|Rue du Moulin|Rue de l'Église|Rue Haute|Rue des Écoles|Place Communale|Chaussée de Namur|Avenue des Tilleuls|"
    "Rue du Château|Rue de la Gare|Clos des Érables|Rue Saint-Roch|Rue de l'Hôtel de Ville|Chemin du Bois|Rue de l'Abbaye|Quai de Meuse"
)


@dataclass(frozen=True)
class Population:
    """A set of people of one register: when they were born, and which serials of a day are theirs (so that no two share a number).

    Serials are counted down from the top of a day, which no day with its few hundred births reaches: nobody real is hit.
    """

    name: str
    first_day: date
    last_day: date
    top: int
    bottom: int


PUPILS = Population("pupils", date(2007, 1, 1), date(2022, 12, 31), 998, 520)
STUDENTS = Population("students", date(1994, 1, 1), date(2006, 12, 31), 848, 600)
TEACHERS = Population("teachers", date(1960, 1, 1), date(2001, 12, 31), 998, 900)
RESEARCHERS = Population("researchers", date(1960, 1, 1), date(2001, 12, 31), 898, 850)
CHILDREN_IN_CARE = Population("children in care", date(2007, 1, 1), date(2024, 12, 31), 518, 460)
MEMBERS = Population("members of clubs", date(1950, 1, 1), date(2018, 12, 31), 458, 402)
OFFICIALS = Population("officials", date(1960, 1, 1), date(2001, 12, 31), 598, 560)
"""Staff of the administrations other than education."""
SHARED = Population("people whom several domains know", date(1990, 1, 1), date(2015, 12, 31), 400, 380)
POPULATIONS = (PUPILS, STUDENTS, TEACHERS, RESEARCHERS, CHILDREN_IN_CARE, MEMBERS, OFFICIALS, SHARED)


def people(scenario: Scenario, population: Population, count: int) -> Mapping[str, pa.Array]:
    """Return columns of `count` people: first_name, last_name, sex (`F`, `M`), birth_date, national_number (as on a card).

    Raises:
        ValueError: more people than the population's serials can number.
    """
    numbers = scenario.numbers("people", population.name)
    days = numbers.integers(0, (population.last_day - population.first_day).days + 1, count)
    women = numbers.random(count) < 0.49
    serials = _serials(population, days, women)
    first = np.where(women, numbers.choice(GIRLS, count), numbers.choice(BOYS, count))
    start = population.first_day.toordinal()
    births = [date.fromordinal(start + int(day)) for day in days]
    return {
        "first_name": pa.array(first.tolist()),
        "last_name": pa.array(numbers.choice(LAST_NAMES, count).tolist()),
        "sex": pa.array(np.where(women, "F", "M").tolist()),
        "birth_date": pa.array(births, pa.date32()),
        "national_number": pa.array([national_number(born, int(serial)) for born, serial in zip(births, serials, strict=True)]),
    }


def streets(numbers: np.random.Generator, count: int) -> pa.Array:
    """Return `count` streets with a house number."""
    houses = numbers.integers(1, 240, count)
    return pa.array([f"{street} {house}" for street, house in zip(numbers.choice(STREETS, count), houses, strict=True)])


def typed(numbers: np.random.Generator, texts: pa.Array) -> pa.Array:
    """Return texts as people type them: three in a hundred in capitals, two with a space too many."""
    luck = numbers.random(len(texts))
    return pa.array([_typed(text, float(one)) for text, one in zip(texts.to_pylist(), luck, strict=True)])


def _typed(text: str, luck: float) -> str:
    if luck < 0.03:
        return text.upper()
    return f"{text} " if luck < 0.05 else text


def _serials(population: Population, days: np.ndarray, women: np.ndarray) -> np.ndarray:
    """Return a serial for each person, even for women and odd for men, no two the same on one day."""
    group = days * 2 + women
    order = np.argsort(group, kind="stable")
    sorted_groups = group[order]
    starts = np.r_[0, np.flatnonzero(np.diff(sorted_groups)) + 1]
    rank = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    taken = np.empty(len(group), dtype=np.int64)
    taken[order] = rank
    serials = population.top - population.top % 2 - ~women - 2 * taken
    if len(serials) and int(serials.min()) < population.bottom:
        raise ValueError(f"{population.name}: more people than there are serials from {population.bottom} to {population.top}")
    return serials

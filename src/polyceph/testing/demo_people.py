"""Invented people for the demo: names as in French-speaking Belgium, birth dates, national numbers with a right checksum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random


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
class Person:
    """An invented person."""

    first_name: str
    last_name: str
    sex: str
    """`F` or `M`."""
    birth_date: date
    national_number: str
    """As written on a card: `24.12.31-998.05`."""


def national_number(birth_date: date, serial: int) -> str:
    """Return the Belgian national number of a birth date and serial, with its checksum, as written on a card.

    The checksum is 97 less the rest of the first nine digits divided by 97; from 2000 on a 2 goes in front of the nine digits
    (royal decree of 3 April 1984 on the composition of the identification number, article 3).
    """
    nine = f"{birth_date:%y%m%d}{serial:03d}"
    check = 97 - int(nine if birth_date.year < 2000 else f"2{nine}") % 97
    return f"{nine[:2]}.{nine[2:4]}.{nine[4:6]}-{nine[6:]}.{check:02d}"


@dataclass
class People:
    """Invents people from one random generator; no two have the same national number."""

    random: Random
    _serials: Counter[tuple[date, str]] = field(default_factory=Counter)

    def one(self, first_day: date, last_day: date) -> Person:
        """Return a new person born between two days, both included."""
        random = self.random
        sex = "F" if random.random() < 0.49 else "M"
        birth_date = first_day + timedelta(days=random.randrange((last_day - first_day).days + 1))
        return Person(
            first_name=random.choice(GIRLS if sex == "F" else BOYS),
            last_name=random.choice(LAST_NAMES),
            sex=sex,
            birth_date=birth_date,
            national_number=national_number(birth_date, self._serial(birth_date, sex)),
        )

    def address(self) -> str:
        """Return a street and a house number."""
        return f"{self.random.choice(STREETS)} {self.random.randrange(1, 240)}"

    def _serial(self, birth_date: date, sex: str) -> int:
        # Even for women, odd for men; counted down from the top, which no day with its few hundred births reaches: nobody real is hit.
        taken = self._serials[birth_date, sex]
        self._serials[birth_date, sex] += 1
        return (998 if sex == "F" else 997) - 2 * taken

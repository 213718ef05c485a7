"""The institutions of higher education: who they are, and the workbook of each October that lists them. All are invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

import xlsxwriter

from polyceph.testing.federation import codes, people, places, workbooks
from polyceph.testing.federation.pieces import Piece, amount
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

FOLDER = "share/higher_education_institutions"
FIRST_LIST = Month(2023, 10)
_UNIVERSITIES = ("de l'Ourthe", "de la Lesse", "du Condroz", "de Hesbaye", "de Gaume", "libre de la Senne")
_SAINTS = ("Saint-Roch", "Sainte-Cécile", "Saint-Éloi", "Sainte-Barbe", "Saint-Luc-en-Gaume", "Sainte-Waudru")
ARTS = ("visual_arts", "music", "theatre", "performing_arts", "dance", "architecture")
_PRACTICAL = ("nursing", "economics", "engineering", "psychology", "communication", "agronomy", "movement", "law", "public_health")
_EVENING = ("languages", "economics", "engineering", "nursing", "communication")
# How many of each type, how a code begins, and how large one is beside another.
_KINDS = (("university", "UNI", 6, 30.0), ("university_college", "HE", 19, 10.0), ("arts_college", "ESA", 16, 2.0))
_ADULT = ("adult_education", "EPS", 40, 1.0)


@dataclass(frozen=True)
class Institution:
    """An institution. `size` weighs it against the others; `taught` are its study domains."""

    code: str
    name: str
    kind: str
    place: Municipality
    taught: tuple[str, ...]
    size: float


@lru_cache(maxsize=4)
def institutions(scenario: Scenario) -> tuple[Institution, ...]:
    """Return all institutions, by type and number; none closes and none opens."""
    random = scenario.random("institutions")
    towns = sorted(places.french_speaking(places.municipalities()), key=lambda town: (-len(town.postcodes), town.nis_code))[:90]
    found = []
    for kind, prefix, count, size in (*_KINDS, _ADULT):
        for number, town in enumerate(random.sample(towns, count), 1):
            name, taught = _named(random, kind, number, town), _taught(random, kind)
            found.append(Institution(f"{prefix}{number:02d}", name, kind, town, taught, size * random.uniform(0.6, 1.6)))
    return tuple(found)


def that_teach(known: Sequence[Institution], domain: str) -> list[Institution]:
    """Return the institutions that teach a study domain; each domain has some."""
    return [one for one in known if domain in one.taught]


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield one workbook for each October."""
    known = institutions(scenario)
    for month in scenario.months(FIRST_LIST):
        if month.number == FIRST_LIST.number:
            content = workbooks.xlsx(lambda book, month=month: _draw(book, scenario, known, month))  # type: ignore[misc]
            yield Piece(f"{FOLDER}/etablissements_{month.school_year}.xlsx", content, month.arrival())
    for column, category in (("contact_name", "name"), ("contact_email", "e-mail"), ("contact_telephone", "telephone")):
        truth.add("personal_data", dataset="higher_education.raw.institutions", column=column, category=category, marked=True)


def _named(random: Random, kind: str, number: int, town: Municipality) -> str:
    if kind == "university":
        return f"Université {_UNIVERSITIES[number - 1]}"
    if kind == "university_college":
        return f"Haute École {places.of(town)}"
    if kind == "arts_college":
        return f"École supérieure des arts {random.choice(_SAINTS)} ({town.name_fr})"
    return f"Cours pour adultes {places.of(town)}"


def _taught(random: Random, kind: str) -> tuple[str, ...]:
    if kind == "university":
        return tuple(code for code in codes.values("study_domain") if code not in ARTS or code == "architecture")
    if kind == "arts_college":
        return tuple(random.sample(ARTS, 3)) if random.random() < 0.7 else ARTS
    return tuple(random.sample(_PRACTICAL, 5)) if kind == "university_college" else tuple(random.sample(_EVENING, 2))


def _draw(book: xlsxwriter.Workbook, scenario: Scenario, known: Sequence[Institution], month: Month) -> None:
    """Write title, year, empty line, header on two lines with merged cells, a line each, a total."""
    sheet, bold = book.add_worksheet("Signalétique"), book.add_format({"bold": True, "align": "center"})
    sheet.write(0, 0, "Direction générale de l'enseignement supérieur — signalétique des établissements", bold)
    sheet.write(1, 0, f"Année académique {month.school_year}")
    for first, last, title in ((0, 2, "Établissement"), (3, 5, "Adresse"), (6, 8, "Contact"), (9, 10, "Effectifs")):
        sheet.merge_range(3, first, 3, last, title, bold)
    header = ("Code", "Dénomination", "Type", "Rue", "CP", "INS", "Nom", "Courriel", "Téléphone", "Étudiants", "Personnel (ETP)")
    sheet.write_row(4, 0, header, bold)
    total = 0
    for line, one in enumerate(known, 5):
        cells = _line(scenario, one, month)
        total += cells[9]
        sheet.write_row(line, 0, cells)
    sheet.write_row(len(known) + 5, 0, ("TOTAL", *[""] * 8, total), bold)


def _line(scenario: Scenario, one: Institution, month: Month) -> tuple[Any, ...]:
    fixed, yearly = scenario.random("institutions", one.code), scenario.random("institutions", one.code, month)
    street, house = fixed.choice(people.STREETS), fixed.randint(1, 180)
    kind = one.kind.capitalize() if yearly.random() < 0.1 else one.kind  # as people type codes
    contact = f"{yearly.choice(people.GIRLS + people.BOYS)} {yearly.choice(people.LAST_NAMES)}"
    students = round(one.size * 900 * yearly.uniform(0.93, 1.07))
    phone = f"08{fixed.randint(0, 7)} 00 {yearly.randint(10, 99)} {yearly.randint(10, 99)}"
    email = f"secretariat.{one.code.lower()}@example.org"
    place = one.place
    staff = amount(students / yearly.uniform(9, 15), decimals=1, thousands=".")
    return (one.code, one.name, kind, f"{street} {house}", place.postcodes[0], place.nis_code, contact, email, phone, students, staff)

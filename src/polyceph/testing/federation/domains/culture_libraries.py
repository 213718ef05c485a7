"""Culture's libraries: their list, and what each reports by month, as CSV files on a share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import email, telephone
from polyceph.testing.federation.domains.periods import Period, periods, plant_late
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, amount, day_in_french, delimited, month_in_french
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

COUNT = 180
LIBRARIES, VISITS = "culture.raw.libraries", "culture.raw.visits"
MOST_VISITS = 20_000
"""Promised upper end of the visits of a library in a month."""
SEASON = (1.04, 1.0, 1.06, 0.98, 0.95, 0.88, 0.5, 0.42, 1.02, 1.14, 1.1, 0.86)
"""Visits of each month against the mean: libraries shorten their hours in summer, and readers come back with the rain."""
_KINDS = (70, 6, 4, 8, 12)
"""How many of each kind, in the order of the list."""
_FOLDER = "share/culture_libraries"
_ALONE_FROM = Month(2025, 1)
_LATE = {"2025-03": 23, "2025-08": 19}
_DIGITAL_FROM = Month(2025, 11)
_DIGITAL = "Prêts numériques"
_HEADER = ("Code", "Bibliothèque", "Type", "Adresse", "CP", "INS", "Surface (m²)", "Ouverture", "Responsable", "Téléphone", "Courriel")
_VISITS_HEADER = ("Code", "Mois", "Visites", "Prêts", "Recettes (€)")


@dataclass(frozen=True)
class Library:
    """A library. `size` is its usual number of visits in a month; `is_closed_in_august` says that it reports none then."""

    code: str
    kind: str
    place: Municipality
    size: float
    is_closed_in_august: bool


@dataclass(frozen=True)
class _Faults:
    """Which lines of the reports are wrong: index of the library and month, and who still reports in the month of the drop."""

    repeated: tuple[int, Month]
    unknown: Month
    too_many: tuple[int, Month]
    drop: Month
    left: frozenset[int]


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the list and the reports."""
    planted.personal(truth, LIBRARIES, {"manager": "name", "telephone": "telephone", "email": "e-mail"})
    libraries = library_list(scenario)
    yield _listed(scenario, libraries, truth)
    faults = _faults(scenario)
    _plant(libraries, faults, truth)
    for period in periods(scenario, _ALONE_FROM, _LATE):
        path = f"{_FOLDER}/frequentation_{period.label}.csv"
        if period.label in _LATE:
            plant_late(truth, VISITS, path, (period.months[-1].arrival(days=5), period.arrived))
        yield Piece(path, _reported(scenario, libraries, period, faults), period.arrived)
    if scenario.month >= _DIGITAL_FROM:
        truth.add("drift", dataset=VISITS, month=str(_DIGITAL_FROM), change="column_added", column=_DIGITAL)


@cache
def library_list(scenario: Scenario) -> tuple[Library, ...]:
    """Return the libraries, which stay the same for all months."""
    random = scenario.random("culture", "libraries")
    numbers = scenario.numbers("culture", "sizes of libraries")
    towns = places.draw(random, places.french_speaking(places.municipalities()), COUNT)
    kinds = random.choices(codes.values("library_kind"), weights=_KINDS, k=COUNT)
    sizes = np.clip(numbers.lognormal(7.0, 0.55, COUNT), 180, 6_000)
    closed = numbers.random(COUNT) < 0.25
    return tuple(Library(f"BIB{n + 1:04d}", kinds[n], towns[n], float(sizes[n]), bool(closed[n])) for n in range(COUNT))


def _listed(scenario: Scenario, libraries: tuple[Library, ...], truth: Truth) -> Piece:
    """Return the list as old Windows writes it (cp1252); the kind of one library is a code that no list has."""
    random, numbers = scenario.random("culture", "list of libraries"), scenario.numbers("culture", "telephones of libraries")
    wrong = random.choice([n for n, library in enumerate(libraries) if library.kind == "local"])
    rows = []
    for n, library in enumerate(libraries):
        opened = date(1960, 1, 1) + timedelta(days=random.randrange(22_000))
        name = f"Bibliothèque {random.choice(('communale', 'publique', 'locale', 'provinciale'))} {places.of(library.place)}"
        first, last = random.choice(GIRLS + BOYS), random.choice(_IN_CP1252)
        surface = amount(library.size * random.uniform(0.12, 0.3), decimals=1)
        rows.append(
            (
                *(library.code, name, "locale" if n == wrong else library.kind),
                *(f"Grand-Place {random.randrange(1, 60)}", library.place.postcodes[0], library.place.nis_code),
                *(surface, day_in_french(opened), f"{first} {last}", telephone(numbers), email(first, last)),
            )
        )
    planted.unknown_code(truth, (LIBRARIES, "kind"), {"library_id": libraries[wrong].code}, code="locale", meant="local")
    return Piece(f"{_FOLDER}/bibliotheques.csv", delimited(_HEADER, rows, delimiter=";", encoding="cp1252"))


_IN_CP1252 = tuple(name for name in LAST_NAMES if "ı" not in name)


def _reported(scenario: Scenario, libraries: tuple[Library, ...], period: Period, faults: _Faults) -> bytes:
    """Return one file of reports (UTF-8 with byte-order mark, semicolons, months in French, spaces between thousands)."""
    rows = [row for month in period.months for row in _month(scenario, libraries, month, faults)]
    index, month = faults.repeated
    if period.months[0] == month.plus(1):
        rows.append(_month(scenario, libraries, month, faults)[index])
    has_digital = period.months[-1] >= _DIGITAL_FROM
    header = (*_VISITS_HEADER, _DIGITAL) if has_digital else _VISITS_HEADER
    kept = len(header)
    return delimited(header, [row[:kept] for row in rows], delimiter=";", encoding="utf-8-sig")


def _month(scenario: Scenario, libraries: tuple[Library, ...], month: Month, faults: _Faults) -> list[tuple[str, ...]]:
    """Return what the libraries report of a month, the wrong lines included."""
    numbers = scenario.numbers("culture", "visits", month)
    visits = _visits(numbers, libraries, month)
    if faults.too_many[1] == month:
        visits[faults.too_many[0]] *= 1000
    loans = (np.minimum(visits, MOST_VISITS) * numbers.uniform(1.1, 2.3, COUNT)).astype(int)
    digital = (loans * numbers.uniform(0.05, 0.2, COUNT)).astype(int)
    typed = numbers.random(COUNT)
    typed[[faults.repeated[0], faults.too_many[0]]] = 1  # their months are keys in the truth
    written = [month_in_french(month).capitalize() if one < 0.04 else month_in_french(month) for one in typed]
    rows: list[tuple[str, ...]] = [
        (library.code, written[n], _whole(visits[n]), _whole(loans[n]), amount(visits[n] * 0.35), _whole(digital[n]))
        for n, library in enumerate(libraries)
        if month != faults.drop or n in faults.left
    ]
    if month == faults.unknown:
        rows.append(("BIB0999", month_in_french(month), "312", "540", amount(312 * 0.35), "41"))
    return rows


def _visits(numbers: np.random.Generator, libraries: tuple[Library, ...], month: Month) -> np.ndarray:
    """Return the visits of a month: season, a slow growth, and fewer people in the winter of the pandemic."""
    sizes = np.array([library.size for library in libraries])
    closed = np.array([library.is_closed_in_august for library in libraries])
    growth = 1 + 0.002 * month.since(Month(2021, 11))
    pandemic = 0.7 if month <= Month(2022, 2) else 1.0
    visits = sizes * SEASON[month.number - 1] * growth * pandemic * numbers.normal(1, 0.09, COUNT).clip(0.7, 1.3)
    return np.where(closed & (month.number == 8), 0, visits).astype(int)


def _whole(value: float) -> str:
    return amount(int(value), decimals=0, thousands=" ")


def _faults(scenario: Scenario) -> _Faults:
    random = scenario.random("culture", "faults of visits")
    repeated, too_many = random.sample(range(COUNT), 2)
    left = frozenset(random.sample(range(COUNT), 56))
    return _Faults((repeated, Month(2023, 12)), Month(2024, 6), (too_many, Month(2023, 3)), Month(2025, 5), left)


def _plant(libraries: tuple[Library, ...], faults: _Faults, truth: Truth) -> None:
    """Write down what is wrong in the reports."""

    def fault(name: str, column: str, month: Month, code: str, detail: str) -> None:
        key = {"library_id": code, "month": month_in_french(month)}
        truth.add("quality", dataset=VISITS, fault=name, column=column, key=key, month=str(month), detail=detail)

    index, month = faults.repeated
    fault("duplicate", "month", month, libraries[index].code, "reported in the file of its year and again in the next one's")
    fault("orphan", "library_id", faults.unknown, "BIB0999", "no library of the list has this code")
    index, month = faults.too_many
    fault("out_of_range", "visits", month, libraries[index].code, "a thousand times too many")
    path = f"{_FOLDER}/frequentation_{faults.drop}.csv"
    detail = f"{len(faults.left)} of {COUNT} libraries reported"
    truth.add("quality", dataset=VISITS, fault="volume_drop", key=path, month=str(faults.drop), detail=detail)

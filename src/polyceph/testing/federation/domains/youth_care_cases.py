"""The cases of youth care and the measures taken in them, as a register keeps them. The children are in `youth_care_children`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from polyceph.testing.federation import codes
from polyceph.testing.federation.domains.youth_care_children import Children, moments, telephones
from polyceph.testing.federation.domains.youth_care_districts import DISTRICTS, sample_apart
from polyceph.testing.federation.domains.youth_care_places import Service
from polyceph.testing.federation.identifiers import iban
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.scenario import LAST, PRESENT, Month, Scenario
from polyceph.testing.federation.truth import Truth

CASES, MEASURES = "youth_care.raw.cases", "youth_care.raw.measures"
SECOND_CASES = 0.15
BASE = 13
"""Measures of each kind in each district, at scale 1, by the present: no count that is not planted is small."""
MORE = 1_800
"""Further measures at scale 1 by the end of the last month to be played."""
SMALL: Mapping[tuple[str, str], int] = {
    ("arlon", "public_institution"): 2,
    ("dinant", "autonomy"): 4,
    ("marche", "emergency"): 1,
    ("neufchateau", "day_support"): 3,
}
"""District and kind of measure → how many there have ever been: so few that the children could be recognised."""
_PLACES = {
    "guidance": ("home",),
    "day_support": ("home",),
    "family_placement": ("foster_family", "relatives"),
    "residential": ("residential_service",),
    "emergency": ("emergency_service",),
    "autonomy": ("own_room",),
    "public_institution": ("public_institution",),
}
_RATES = {
    "guidance": 38,
    "day_support": 61,
    "family_placement": 27,
    "residential": 186,
    "emergency": 214,
    "autonomy": 74,
    "public_institution": 402,
}
RATE = (0, 600)
_REPORTED_BY = ("family", "school", "prosecutor", "doctor", "neighbour", "police")
_REMARKS = (
    "Appeler {first} {last} au {telephone}",
    "Vu avec Mme {last}, à recontacter ({telephone})",
    "Le grand-père, {first} {last}, demande un contact",
    "Dossier transmis à {first} {last}",
)
CASE_COLUMNS = {
    "case_id": pa.int32(),
    "child_id": pa.int32(),
    "case_number": pa.string(),
    "district": pa.string(),
    "opened_on": pa.date32(),
    "closed_on": pa.date32(),
    "reported_by": pa.string(),
    "counsellor": pa.string(),
    "remark": pa.string(),
    "updated_at": pa.timestamp("s"),
}
MEASURE_COLUMNS = {
    "measure_id": pa.int32(),
    "case_id": pa.int32(),
    "kind": pa.string(),
    "place": pa.string(),
    "service_code": pa.string(),
    "began_on": pa.date32(),
    "ended_on": pa.date32(),
    "daily_rate_eur": pa.string(),
    "reference": pa.string(),
    "updated_at": pa.timestamp("s"),
}
DDL = """\
CREATE TABLE cases (
    case_id integer PRIMARY KEY,
    child_id integer NOT NULL,
    case_number text NOT NULL,
    district text NOT NULL,
    opened_on date NOT NULL,
    closed_on date,
    reported_by text,
    counsellor text,
    remark text,
    updated_at timestamp NOT NULL
);
CREATE TABLE measures (
    measure_id integer PRIMARY KEY,
    case_id integer NOT NULL,
    kind text NOT NULL,
    place text NOT NULL,
    service_code text,
    began_on date NOT NULL,
    ended_on date,
    daily_rate_eur numeric(8,2) NOT NULL,
    reference text,
    updated_at timestamp NOT NULL
);
"""


@dataclass
class Register:
    """Rows up to the last month, in the order in which they begin. `end` names the column of the day on which one ends."""

    columns: dict[str, list[Any]]
    kinds: Mapping[str, pa.DataType]
    began: list[date]
    ended: list[date]
    end: str
    changed: list[datetime]
    """When the end was written down."""

    def table(self, month: Month) -> pa.Table:
        """Return the table as it is at the end of a month: what begins later is not there, what ends later has not ended."""
        count = sum(day <= month.last for day in self.began)
        over = [day <= month.last for day in self.ended[:count]]
        shown = {name: values[:count] for name, values in self.columns.items()}
        shown[self.end] = [day if is_over else None for day, is_over in zip(self.ended, over, strict=False)]
        shown["updated_at"] = [
            changed if is_over else first for first, changed, is_over in zip(shown["updated_at"], self.changed, over, strict=False)
        ]
        return pa.table({name: pa.array(shown[name], kind) for name, kind in self.kinds.items()})


def cases(scenario: Scenario, truth: Truth, children: Children) -> Register:
    """Return the cases: one for each child, a second for some; one has the number of another, one belongs to no child."""
    numbers = scenario.numbers("youth_care", "cases")
    first = list(enumerate(children.entered))
    again = numbers.choice(len(children), int(SECOND_CASES * len(children)), replace=False).tolist()
    later = [(at, children.entered[at] + timedelta(days=200 + int(luck * 700))) for at, luck in zip(again, numbers.random(len(again)))]  # noqa: B905
    rows = sorted([*first, *((at, day) for at, day in later if day <= LAST.last)], key=lambda row: (row[1], row[0]))
    count, days = len(rows), [day for _, day in rows]
    ended = [day + timedelta(days=1 + int(length)) for day, length in zip(days, numbers.lognormal(5.9, 0.7, count), strict=True)]
    columns: dict[str, list[Any]] = {
        "case_id": list(range(1, count + 1)),
        "child_id": [at + 1 for at, _ in rows],
        "case_number": [f"{day.year}/{children.districts[at][:3].upper()}/{number:06d}" for number, (at, day) in enumerate(rows, 1)],
        "district": [children.districts[at] for at, _ in rows],
        "opened_on": days,
        "closed_on": [],
        "reported_by": numbers.choice(_REPORTED_BY, count).tolist(),
        "counsellor": _counsellors(numbers, [children.districts[at] for at, _ in rows]),
        "remark": _remarks(numbers, count),
        "updated_at": moments(numbers, days),
    }
    made = Register(columns, CASE_COLUMNS, days, ended, "closed_on", moments(numbers, ended))
    _plant_in_cases(scenario, truth, made, children)
    return made


def measures(scenario: Scenario, truth: Truth, opened: Register, services: Sequence[Service]) -> Register:
    """Return the measures of the cases; two belong to no case, one costs what nothing costs, two have a code that no list has."""
    numbers, random = scenario.numbers("youth_care", "measures"), scenario.random("youth_care", "measures")
    drawn = _allocated(scenario, random, opened)
    began = [_during(opened, case, luck) for (case, _), luck in zip(drawn, numbers.random(len(drawn)).tolist(), strict=True)]
    order = sorted(range(len(drawn)), key=lambda at: (began[at], at))
    rows, days = [drawn[at] for at in order], [began[at] for at in order]
    count = len(rows)
    ended = [day + timedelta(days=7 + int(length)) for day, length in zip(days, numbers.lognormal(5.2, 0.8, count), strict=True)]
    where = [random.choice(_PLACES[kind]) for _, kind in rows]
    columns: dict[str, list[Any]] = {
        "measure_id": list(range(1, count + 1)),
        "case_id": [case + 1 for case, _ in rows],
        "kind": [kind for _, kind in rows],
        "place": where,
        "service_code": _services(random, where, services),
        "began_on": days,
        "ended_on": [],
        "daily_rate_eur": [f"{_RATES[kind] + random.randrange(-500, 501) / 100:.2f}" for _, kind in rows],
        "reference": [iban(979, int(serial)) if serial < 3_000_000 else None for serial in numbers.integers(0, 10_000_000, count)],
        "updated_at": moments(numbers, days),
    }
    made = Register(columns, MEASURE_COLUMNS, days, ended, "ended_on", moments(numbers, ended))
    _plant_in_measures(scenario, truth, made, opened)
    _plant_small(truth)
    return made


def _allocated(scenario: Scenario, random: Random, opened: Register) -> list[tuple[int, str]]:
    """Return case and kind of each measure: a base in every district that exists by the present, then more where most cases are."""
    by_district: dict[str, list[int]] = {district: [] for district in DISTRICTS}
    for case, district in enumerate(opened.columns["district"]):
        by_district[district].append(case)
    early = {name: [case for case in all_ if opened.began[case] <= date(2025, 6, 30)] for name, all_ in by_district.items()}
    kinds = codes.values("care_measure")
    cells = {(d, k): SMALL.get((d, k), BASE * scenario.scale) for d in DISTRICTS for k in kinds}
    drawn = [(random.choice(early[district]), kind) for (district, kind), count in cells.items() for _ in range(count)]
    weights = [12, 5, 6, 6, 4, 3, 1]
    while len(drawn) < sum(cells.values()) + MORE * scenario.scale:
        case, [kind] = random.randrange(len(opened.began)), random.choices(kinds, weights)
        if (opened.columns["district"][case], kind) not in SMALL:
            drawn.append((case, kind))
    return drawn


def _during(opened: Register, case: int, luck: float) -> date:
    """Return a day of the first three months of a case."""
    return opened.began[case] + timedelta(days=int(luck * min(90, (opened.ended[case] - opened.began[case]).days)))


def _services(random: Random, where: Sequence[str], services: Sequence[Service]) -> list[str | None]:
    by_kind: dict[str, list[str]] = {}
    for service in services:
        by_kind.setdefault(service.kind, []).append(service.code)
    return [random.choice(by_kind[place]) if place in by_kind else None for place in where]


def _counsellors(numbers: np.random.Generator, districts: Sequence[str]) -> list[str]:
    """Return the counsellor of each case: four a district."""
    names = {d: [f"{f} {n}" for f, n in zip(numbers.choice(GIRLS, 4), numbers.choice(LAST_NAMES, 4), strict=True)] for d in DISTRICTS}
    return [names[district][int(luck)] for district, luck in zip(districts, numbers.integers(0, 4, len(districts)), strict=True)]


def _remarks(numbers: np.random.Generator, count: int) -> list[str | None]:
    """Return what counsellors write down beside a case: names and telephone numbers in free text."""
    chosen, luck = numbers.integers(0, len(_REMARKS), count).tolist(), numbers.random(count).tolist()
    first, last = numbers.choice([*GIRLS, *BOYS], count).tolist(), numbers.choice(LAST_NAMES, count).tolist()
    rows = zip(chosen, luck, first, last, telephones(numbers, count), strict=True)
    return [_REMARKS[at].format(first=f, last=n, telephone=t) if one < 0.25 else None for at, one, f, n, t in rows]


def _known(made: Register) -> int:
    return sum(day <= PRESENT.last for day in made.began)


def _month(made: Register, row: int) -> str:
    return str(Month(made.began[row].year, made.began[row].month))


def _quality(truth: Truth, where: tuple[str, str, str], made: Register, row: int, detail: str) -> None:
    """Write down a fault in a row; `where` is dataset, fault and column."""
    dataset, fault, column = where
    key = next(iter(made.kinds))
    truth.add("quality", dataset=dataset, fault=fault, column=column, key={key: row + 1}, month=_month(made, row), detail=detail)


def _plant_in_cases(scenario: Scenario, truth: Truth, made: Register, children: Children) -> None:
    random, taken = scenario.random("youth_care", "cases", "faults"), set[int]()
    [first], [second] = (sample_apart(random, taken, range(*span), 1) for span in ((100, 600), (700, 1_100)))
    made.columns["case_number"][second] = made.columns["case_number"][first]
    _quality(truth, (CASES, "duplicate", "case_number"), made, second, f"the number is that of case {first + 1}")
    [row] = sample_apart(random, taken, range(100, 1_100), 1)
    made.columns["child_id"][row] = 900_000 + 10 * len(children)
    _quality(truth, (CASES, "orphan", "child_id"), made, row, "no child has this number")


def _plant_in_measures(scenario: Scenario, truth: Truth, made: Register, opened: Register) -> None:
    random, taken = scenario.random("youth_care", "measures", "faults"), set[int]()
    districts = [opened.columns["district"][case - 1] for case in made.columns["case_id"]]
    plain = [at for at in range(_known(made)) if (districts[at], made.columns["kind"][at]) not in SMALL]
    for row in sample_apart(random, taken, plain, 2):
        made.columns["case_id"][row] = 800_000 + 10 * len(opened.began) + row
        _quality(truth, (MEASURES, "orphan", "case_id"), made, row, "no case has this number")
    [row] = sample_apart(random, taken, plain, 1)
    right = made.columns["daily_rate_eur"][row]
    made.columns["daily_rate_eur"][row] = f"{float(right) * 100:.2f}"
    _quality(truth, (MEASURES, "out_of_range", "daily_rate_eur"), made, row, f"the comma of {right} is lost")
    for column, code in (("kind", "hebergement"), ("place", "famille_accueil")):
        fitting = [at for at in plain if column == "kind" or made.columns["place"][at] == "foster_family"]
        [row] = sample_apart(random, taken, fitting, 1)
        fact = {"dataset": MEASURES, "column": column, "key": {"measure_id": row + 1}, "code": code}
        truth.add("unknown_code", **fact, list="data_office.gold.codes", meant=made.columns[column][row])
        made.columns[column][row] = code


def _plant_small(truth: Truth) -> None:
    for (district, kind), count in SMALL.items():
        cell = {"district": district, "kind": kind}
        truth.add("small_cell", dataset="youth_care.gold.measures_by_district", cell=cell, measure="measures", count=count)

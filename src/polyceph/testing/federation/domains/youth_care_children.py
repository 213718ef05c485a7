"""The children of youth care: who they are, where they live, who looks after them. Their cases are in `youth_care_cases`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from polyceph.testing.federation.domains.youth_care_districts import Districts, sample_apart
from polyceph.testing.federation.people import BOYS, CHILDREN_IN_CARE, GIRLS, LAST_NAMES, people, streets, typed
from polyceph.testing.federation.scenario import FIRST, LAST, PRESENT, Month, Scenario
from polyceph.testing.federation.shared_people import SharedPerson, shared_people
from polyceph.testing.federation.truth import Truth

DATASET = "youth_care.raw.children"
COUNT = 1_750
"""Children at scale 1 who are known by the end of the last month to be played; four fifths of them are by the present."""
OLDEST_DAYS = 6_500
"""Nobody enters care at an age of more days: seventeen years and nine months."""
SHARED = range(1, 13)
VARIANT = 2
"""How this domain spells the people whom others know too."""
_NOTES = ("Asthme", "Épilepsie", "Diabète de type 1", "Suivi psychologique", "Trouble de l'attention", "Allergie aux arachides")
_SAME_NAME = 0.7
COLUMNS = {
    "child_id": pa.int32(),
    "national_number": pa.string(),
    "last_name": pa.string(),
    "first_name": pa.string(),
    "sex": pa.string(),
    "birth_date": pa.date32(),
    "street": pa.string(),
    "postcode": pa.string(),
    "nis_code": pa.string(),
    "guardian_last_name": pa.string(),
    "guardian_first_name": pa.string(),
    "guardian_telephone": pa.string(),
    "health_note": pa.string(),
    "updated_at": pa.timestamp("s"),
}
DDL = """\
CREATE TABLE children (
    child_id integer PRIMARY KEY,
    national_number text NOT NULL,
    last_name text NOT NULL,
    first_name text NOT NULL,
    sex text NOT NULL,
    birth_date date NOT NULL,
    street text,
    postcode text,
    nis_code text,
    guardian_last_name text,
    guardian_first_name text,
    guardian_telephone text,
    health_note text,
    updated_at timestamp NOT NULL
);
"""


@dataclass
class Children:
    """All children up to the last month, in the order in which they are entered; a row's number is its `child_id` less one.

    `entered` is the day of the first case; `taken` are the rows that hold something planted.
    """

    columns: dict[str, list[Any]]
    entered: list[date]
    districts: list[str]
    taken: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.entered)

    def until(self, month: Month) -> int:
        """Return how many are known by the end of a month."""
        return sum(day <= month.last for day in self.entered)

    def table(self, month: Month) -> pa.Table:
        """Return the table as it is at the end of a month."""
        count = self.until(month)
        return pa.table({name: pa.array(self.columns[name][:count], kind) for name, kind in COLUMNS.items()})


def children(scenario: Scenario, truth: Truth, districts: Districts) -> Children:
    """Return the children; two are entered twice, and up to twelve children and guardians are known elsewhere too."""
    made = _children(scenario, districts)
    _plant_shared(scenario, truth, made)
    _plant_duplicates(scenario, truth, made)
    return made


def telephones(numbers: np.random.Generator, count: int) -> list[str]:
    """Return numbers of mobile telephones that nobody can have: no network of Belgium begins with 0400."""
    parts = numbers.integers(0, 100, (count, 3))
    return [f"0400 {a:02d} {b:02d} {c:02d}" for a, b, c in parts.tolist()]


def _children(scenario: Scenario, districts: Districts) -> Children:
    count = COUNT * scenario.scale
    numbers = scenario.numbers("youth_care", "children")
    people_ = {name: values.to_pylist() for name, values in people(scenario, CHILDREN_IN_CARE, count).items()}
    entered = _entered(numbers, people_["birth_date"])
    order = sorted(range(count), key=lambda at: (entered[at], at))
    homes = districts.draw(scenario.random("youth_care", "homes"), count)
    days = [entered[at] for at in order]
    last_names = [people_["last_name"][at] for at in order]
    own: Mapping[str, list[Any]] = {name: [values[at] for at in order] for name, values in people_.items()}
    columns: dict[str, list[Any]] = {
        "child_id": list(range(1, count + 1)),
        **own,
        "last_name": typed(numbers, pa.array(last_names)).to_pylist(),
        "street": streets(numbers, count).to_pylist(),
        "postcode": [home.postcodes[int(luck * len(home.postcodes))] for home, luck in zip(homes, numbers.random(count), strict=True)],
        "nis_code": [home.nis_code for home in homes],
        "guardian_last_name": _guardians(numbers, last_names),
        "guardian_first_name": numbers.choice([*GIRLS, *BOYS], count).tolist(),
        "guardian_telephone": telephones(numbers, count),
        "health_note": [_NOTES[int(luck * 60)] if luck < 0.1 else None for luck in numbers.random(count)],
        "updated_at": moments(numbers, days),
    }
    return Children(columns, days, [districts.of[home.nis_code] for home in homes])


def moments(numbers: np.random.Generator, days: list[date]) -> list[datetime]:
    """Return a moment of the working day for each of the days."""
    seconds = numbers.integers(8 * 3600, 17 * 3600, len(days)).tolist()
    return [datetime.combine(day, time()) + timedelta(seconds=second) for day, second in zip(days, seconds, strict=True)]


def _entered(numbers: np.random.Generator, births: list[date]) -> list[date]:
    """Return the day of the first case of each: within the time that is played, after birth, before adulthood."""
    days = []
    for birth, luck in zip(births, numbers.random(len(births)).tolist(), strict=True):
        first = max(FIRST.first, birth + timedelta(days=30))
        last = min(LAST.last, birth + timedelta(days=OLDEST_DAYS))
        days.append(first + timedelta(days=int(luck * ((last - first).days + 1))))
    return days


def _guardians(numbers: np.random.Generator, last_names: list[str]) -> list[str]:
    others = numbers.choice(LAST_NAMES, len(last_names)).tolist()
    luck = numbers.random(len(last_names)).tolist()
    return [own if one < _SAME_NAME else other for own, other, one in zip(last_names, others, luck, strict=True)]


def _plant_shared(scenario: Scenario, truth: Truth, made: Children) -> None:
    """Put the people whom others know into rows: those born from 2007 on as children, the others as guardians."""
    random = scenario.random("youth_care", "shared")
    known = made.until(Month(2025, 6))
    for person in (one for one in shared_people(scenario) if one.number in SHARED):
        is_child = person.birth_date.year >= 2007
        fitting = [at for at in range(known) if not is_child or _may_enter(person.birth_date, made.entered[at])]
        [row] = sample_apart(random, made.taken, fitting, 1)
        _put(truth, made, row, person)


def _put(truth: Truth, made: Children, row: int, person: SharedPerson) -> None:
    is_child = person.birth_date.year >= 2007
    prefix = "" if is_child else "guardian_"
    first, last = person.seen(truth, (DATASET, f"{prefix}last_name"), {"child_id": row + 1}, variant=VARIANT)
    values: dict[str, Any] = {f"{prefix}first_name": first, f"{prefix}last_name": last}
    if is_child:
        values |= {"national_number": person.national_number, "sex": person.sex, "birth_date": person.birth_date, "street": person.street}
    for name, value in values.items():
        made.columns[name][row] = value


def _may_enter(birth: date, day: date) -> bool:
    return birth + timedelta(days=30) <= day <= birth + timedelta(days=OLDEST_DAYS)


def _plant_duplicates(scenario: Scenario, truth: Truth, made: Children) -> None:
    """Enter two children a second time, as a desk does that did not look: another number of the file, the same national number."""
    random = scenario.random("youth_care", "children", "duplicates")
    for first, second in _pairs(random, made):
        for name in ("national_number", "first_name", "sex", "birth_date"):
            made.columns[name][second] = made.columns[name][first]
        made.columns["last_name"][second] = str(made.columns["last_name"][first]).strip().upper()
        day = made.entered[second]
        truth.add(
            "quality",
            dataset=DATASET,
            fault="duplicate",
            column="national_number",
            key={"child_id": second + 1},
            month=str(Month(day.year, day.month)),
            detail=f"the child is number {first + 1} already",
        )


def _pairs(random: Any, made: Children) -> Iterator[tuple[int, int]]:
    known = made.until(PRESENT)
    small = [at for at in range(known // 2) if made.columns["birth_date"][at].year >= 2012]
    firsts = sample_apart(random, made.taken, small, 2)
    seconds = sample_apart(random, made.taken, range(known // 2, known), 2)
    yield from zip(firsts, seconds, strict=True)

"""The staff of the register: who they are, their work, and the scale by which they are paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyceph.testing.federation.domains.education_columns import Moments, Whole, days_of, moments, patched, stamps, table, texts
from polyceph.testing.federation.domains.education_people import email, is_pupil, know, phone
from polyceph.testing.federation.domains.education_schools import COUNT as SCHOOLS
from polyceph.testing.federation.people import TEACHERS, people, typed
from polyceph.testing.federation.scenario import PRESENT, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

DATASET = "education.raw.staff"
COUNT = 4_000
HIRED = 6
"""Staff who are hired in each later month, at scale 1."""


@dataclass(frozen=True)
class Scale:
    """A pay scale: its code, the job it is for, the gross amount of a month at the start, and what the year adds to it.

    `december` is the year-end bonus and `holiday` the holiday pay in months' pay; `holiday_month` is May for appointed and June for
    contracted staff.
    """

    code: str
    job: str
    start: float
    december: float
    holiday: float
    holiday_month: int


SCALES = (
    Scale("041", "entretien", 2050, 0.38, 0.85, 6),
    Scale("053", "entretien", 2180, 0.38, 0.85, 6),
    Scale("102", "secrétariat", 2310, 0.40, 0.85, 6),
    Scale("158", "puéricultrice", 2240, 0.40, 0.92, 6),
    Scale("206", "éducateur", 2480, 0.42, 0.92, 5),
    Scale("216", "éducateur", 2620, 0.42, 0.92, 5),
    Scale("301", "enseignant", 2790, 0.45, 0.92, 5),
    Scale("346", "enseignant", 2860, 0.45, 0.92, 5),
    Scale("415", "enseignant", 3080, 0.47, 0.92, 5),
    Scale("422", "enseignant", 3170, 0.47, 0.92, 5),
    Scale("501", "enseignant", 3540, 0.50, 0.92, 5),
    Scale("502", "enseignant", 3690, 0.50, 0.92, 5),
    Scale("611", "direction", 4480, 0.55, 0.92, 5),
)
HOURS = (9.5, 19.0, 24.0, 24.0, 26.0, 38.0)
COLUMNS = (
    *("staff_id", "school_id", "national_number", "last_name", "first_name", "sex", "birth_date", "email", "phone"),
    *("job", "hours_per_week", "hired_on", "updated_at"),
)
KNOWN_EVERY = 11
"""The shared person n is member of staff 11 n. Faults are planted behind the first thousand."""


@dataclass(frozen=True)
class Staff:
    """The table, and by position: scale (in SCALES), school, hours and the day of hiring."""

    table: pa.Table
    scales: Whole
    schools: Whole
    hours: NDArray[np.float64]
    hired: Moments


def staff(scenario: Scenario, truth: Truth) -> Staff:
    """Return the staff of the month that is reached; one of them works more hours than a week of work has."""
    numbers = scenario.numbers("education", "staff")
    later, first = scenario.month.since(PRESENT), COUNT * scenario.scale
    every, count = first + 12 * HIRED * scenario.scale, first + later * HIRED * scenario.scale
    identity = dict(people(scenario, TEACHERS, every))
    identity["last_name"] = typed(numbers, identity["last_name"])
    known = {KNOWN_EVERY * person.number - 1: person for person in shared_people(scenario) if not is_pupil(person)}
    know(truth, identity, known, dataset=DATASET, key="staff_id")
    schools, scales = numbers.integers(0, SCHOOLS, every), numbers.integers(0, len(SCALES), every)
    hours = numbers.choice(np.array(HOURS), every)
    hired = _hired(numbers, identity["birth_date"], first, HIRED * scenario.scale)
    updated = np.maximum(moments(numbers, datetime(2025, 8, 25, 6, 0, tzinfo=UTC), 60, every), hired + np.timedelta64(8, "h"))
    own = {
        "staff_id": pa.array(np.arange(1, every + 1)),
        "school_id": pa.array(schools + 1),
        "email": _emails(identity),
        "phone": _phones(scenario, every),
        "job": texts(np.array([scale.job for scale in SCALES])[scales]),
        "hours_per_week": _overworked(scenario, truth, hours, updated),
        "hired_on": days_of(hired),
        "updated_at": stamps(updated),
    }
    rows = table(COLUMNS, {**identity, **own}).slice(0, count)
    return Staff(rows, scales[:count], schools[:count], hours[:count], hired[:count])


def _hired(numbers: np.random.Generator, births: pa.Array, first: int, monthly: int) -> Moments:
    """Return the days of hiring: a first of September at 22 or 23 years; those behind `first` are hired in the months to come."""
    years = np.maximum(1985, pc.year(births).to_numpy() + 22 + numbers.integers(0, 2, len(births)))
    september = np.minimum(years, PRESENT.year) - 1970
    hired = september.astype("datetime64[Y]").astype("datetime64[M]") + np.timedelta64(8, "M")
    months = np.arange(len(births) - first) // monthly + 1
    hired[first:] = np.datetime64(str(PRESENT), "M") + months.astype("timedelta64[M]")
    days: Moments = hired.astype("datetime64[s]")
    return days


def _emails(identity: dict[str, pa.Array]) -> pa.Array:
    names = zip(identity["first_name"].to_pylist(), identity["last_name"].to_pylist(), strict=True)
    return pa.array([email(first, last, number) for number, (first, last) in enumerate(names, 1)])


def _phones(scenario: Scenario, count: int) -> pa.Array:
    random = scenario.random("education", "telephones of staff")
    return pa.array([phone(random) for _ in range(count)])


def _overworked(scenario: Scenario, truth: Truth, hours: NDArray[np.float64], updated: Moments) -> pa.Array:
    at = scenario.random("education", "too many hours").randrange(1_000, 4_000)
    fact = {"dataset": DATASET, "fault": "out_of_range", "column": "hours_per_week", "key": {"staff_id": at + 1}}
    truth.add("quality", **fact, month=str(updated[at])[:7], detail="190 hours a week; 19.0 was meant")
    return patched(pa.array(hours), {at: 190.0})

"""The pupils of the register: who they are, where they live, their school as it is now. Their entries are in `education_enrolments`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyceph.testing.federation.codes import values
from polyceph.testing.federation.domains.education_columns import (
    Moments,
    Texts,
    Whole,
    days_of,
    in_month,
    moments,
    one_of,
    patched,
    stamps,
    table,
    texts,
)
from polyceph.testing.federation.domains.education_people import is_pupil, know, phone
from polyceph.testing.federation.domains.education_schools import Schools, Towns
from polyceph.testing.federation.people import BOYS, LAST_NAMES, PUPILS, people, streets, typed
from polyceph.testing.federation.scenario import PRESENT, Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

DATASET = "education.raw.pupils"
COUNT = 40_000
"""Pupils at scale 1 in the present, with some who have left."""
ARRIVALS, LEAVERS, MOVERS = 40, 20, 160
"""Pupils who arrive, leave and change school in each later month, at scale 1."""
GRADES = values("grade")
STAGE = np.array([grade[0] for grade in GRADES])
YEAR = 2025
"""Grades are those of the school year 2025-2026."""
TERM = datetime(YEAR, 8, 25, 6, 0, tzinfo=UTC)
END_OF_YEAR = date(YEAR, 7, 4)
COURSES = {
    "citoyenneté": 40,
    "religion catholique": 30,
    "religion islamique": 14,
    "morale": 10,
    "religion protestante": 3,
    "religion orthodoxe": 2,
    "religion israélite": 1,
}
REMARKS = (
    "Appeler {name} au {phone} en cas d'absence.",
    "Garde alternée : semaine paire chez {name}, {phone}",
    "Allergie aux arachides, certificat remis par {name}",
    "Repris à 15h30 par {name} (grand-parent)",
    "Dossier transmis par mail à {name}, rappeler le {phone}",
)
KNOWN_EVERY = 20
"""The shared person n is pupil 20 n: the first six hundred are the same for all scales. Faults are planted behind the first thousand."""
COLUMNS = (
    *("pupil_id", "school_id", "national_number", "last_name", "first_name", "sex", "birth_date", "grade", "philosophy_course"),
    *("street", "postcode", "nis_code", "remark", "left_on", "updated_at"),
)


@dataclass(frozen=True)
class Pupils:
    """Pupils by position, their number less one: what stays, and their schools, departures and times of change as they are now."""

    fixed: dict[str, pa.Array]
    grades: Whole
    """Positions in GRADES, that of the pupil whose grade is written wrongly too."""
    first_schools: Whole
    were_there: NDArray[np.bool_]
    """Who had not left in the present."""
    schools: Whole
    left: Moments
    updated: Moments
    entries: tuple[tuple[Month, Whole, Whole], ...] = ()
    """By later month: who entered a school, and which."""

    def table(self) -> pa.Table:
        """Return the table as it is now."""
        count = len(self.schools)
        now = {"school_id": pa.array(self.schools + 1), "left_on": days_of(self.left), "updated_at": stamps(self.updated)}
        own = {name: column[:count] for name, column in self.fixed.items()}
        return table(COLUMNS, {"pupil_id": pa.array(np.arange(1, count + 1)), **own, **now})


def pupils(scenario: Scenario, truth: Truth, schools: Schools, towns: Towns) -> Pupils:
    """Return the pupils of the month that is reached, with what is planted among them."""
    numbers = scenario.numbers("education", "pupils")
    identity = dict(people(scenario, PUPILS, (COUNT + 12 * ARRIVALS) * scenario.scale))
    identity["last_name"] = typed(numbers, identity["last_name"])
    updated = moments(numbers, TERM, 60, len(identity["sex"]))
    known = {KNOWN_EVERY * person.number - 1: person for person in shared_people(scenario) if is_pupil(person)}
    know(truth, identity, known, dataset=DATASET, key="pupil_id")
    _register_twice(scenario, truth, identity, updated)
    grades = np.clip(YEAR - 3 - pc.year(identity["birth_date"]).to_numpy(), 0, len(GRADES) - 1)
    chosen = _schools(numbers, schools, grades)
    course = texts(one_of(numbers, COURSES, len(grades)), empty=STAGE[grades] == "M")
    fixed = {**identity, **_homes(numbers, schools.towns[chosen], STAGE[grades], towns), "philosophy_course": course}
    fixed |= {"grade": _written(scenario, truth, grades), "remark": _remarks(scenario, len(grades))}
    left = _left(numbers, identity["birth_date"])
    return _played(scenario, schools, Pupils(fixed, grades, chosen, np.isnat(left), chosen.copy(), left, updated))


def _register_twice(scenario: Scenario, truth: Truth, identity: dict[str, pa.Array], updated: Moments) -> None:
    """Let two pupils be in the register a second time, under another number."""
    chosen = scenario.random("education", "pupils registered twice").sample(range(1_000, 20_000), 4)
    for first, second in (sorted(chosen[:2]), sorted(chosen[2:])):
        for column, found in identity.items():
            identity[column] = patched(found, {second: found[first].as_py()})
        fact = {"dataset": DATASET, "fault": "duplicate", "column": "national_number", "key": {"pupil_id": second + 1}}
        truth.add("quality", **fact, month=str(updated[second])[:7], detail=f"the same pupil is number {first + 1}")


def _written(scenario: Scenario, truth: Truth, grades: Whole) -> pa.Array:
    """Return the grades as they stand in the register, one of them as another country counts."""
    at = scenario.random("education", "a wrong grade").choice(
        [int(at) for at in np.flatnonzero(grades == GRADES.index("P6")) if 20_000 < at < 30_000]
    )
    fact = {"dataset": DATASET, "column": "grade", "key": {"pupil_id": at + 1}, "code": "P7"}
    truth.add("unknown_code", **fact, list="data_office.gold.codes", meant="P6")
    return patched(texts(np.array(GRADES)[grades]), {at: "P7"})


def _schools(numbers: np.random.Generator, schools: Schools, grades: Whole) -> Whole:
    chosen = np.zeros(len(grades), dtype=np.int64)
    for stage in ("M", "P", "S"):
        there = STAGE[grades] == stage
        chosen[there] = schools.drawn(numbers, stage, int(there.sum()))
    return chosen


def _homes(numbers: np.random.Generator, near: Whole, stages: Texts, towns: Towns) -> dict[str, pa.Array]:
    """Return addresses: half the pupils live in the town of their school, and of one in a hundred only the postcode was typed.

    The others go round all municipalities, stage by stage, so that no village has so few pupils that they could be told apart.
    """
    count, home = len(near), near.copy()
    for stage in np.unique(stages):
        far = np.flatnonzero((stages == stage) & (numbers.random(count) < 0.5))
        home[far] = np.arange(len(far)) % len(towns.places)
    postcodes, nis_codes = towns.addresses(numbers, home)
    unknown = numbers.random(count) < 0.01
    return {"street": streets(numbers, count), "postcode": texts(postcodes), "nis_code": texts(nis_codes, empty=unknown)}


def _remarks(scenario: Scenario, count: int) -> pa.Array:
    """Return what the desk noted about two pupils in a hundred: free text with names and telephones of others."""
    random = scenario.random("education", "remarks")
    noted = scenario.numbers("education", "remarks").random(count) < 0.02
    found = {int(at): _remark(random) for at in np.flatnonzero(noted)}
    return patched(pa.nulls(count, pa.string()), found)


def _remark(random: Random) -> str:
    name = f"{random.choice(BOYS)} {random.choice(LAST_NAMES)}"
    return random.choice(REMARKS).format(name=name, phone=phone(random))


def _left(numbers: np.random.Generator, births: pa.Array) -> Moments:
    """Return when pupils left: those born before 2007 at eighteen; half of those born in 2007 at the last year's end, and some others."""
    years, luck = pc.year(births).to_numpy(), numbers.random(len(births))
    left = np.full(len(births), "NaT", dtype="datetime64[s]")
    left[luck < np.where(years == 2007, 0.5, 0.005)] = np.datetime64(END_OF_YEAR)
    for at in np.flatnonzero(years < 2007):
        left[at] = np.datetime64(date(int(years[at]) + 18, 6, 30))
    return left


def _played(scenario: Scenario, schools: Schools, start: Pupils) -> Pupils:
    """Return the pupils after the months that have been played: some change school, some leave, some arrive."""
    now, left, updated = start.schools, start.left, start.updated
    entries, present = [], COUNT * scenario.scale
    for month in list(scenario.months(PRESENT))[1:]:
        numbers = scenario.numbers("education", "pupils", month)
        chosen = numbers.permutation(np.flatnonzero(np.isnat(left[:present])))
        movers, leavers = chosen[: MOVERS * scenario.scale], chosen[MOVERS * scenario.scale :][: LEAVERS * scenario.scale]
        arrivals = np.arange(present, present + ARRIVALS * scenario.scale)
        present += len(arrivals)
        now[movers] = _schools(numbers, schools, start.grades[movers])
        for changed in (movers, leavers, arrivals):
            updated[changed] = in_month(numbers, month, len(changed))
        left[leavers] = updated[leavers].astype("datetime64[D]")
        left[arrivals] = np.datetime64("NaT")
        entered = np.r_[movers, arrivals]
        entries.append((month, entered, now[entered]))
    return replace(start, schools=now[:present], left=left[:present], updated=updated[:present], entries=tuple(entries))

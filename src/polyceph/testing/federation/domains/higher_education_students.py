"""The register of students: an operational database with students, enrolments and diplomas, drawn by cohort of first-years."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyceph.testing.federation import codes, people, places
from polyceph.testing.federation.domains.data_office_lists import COUNTRIES
from polyceph.testing.federation.domains.higher_education_institutions import institutions, that_teach
from polyceph.testing.federation.identifiers import iban
from polyceph.testing.federation.pieces import Piece, database
from polyceph.testing.federation.scenario import LAST, Month, Scenario
from polyceph.testing.federation.shared_people import SharedPerson, shared_people
from polyceph.testing.federation.truth import Truth

Whole = NDArray[np.int64]
DATASET = "higher_education.raw.students"
PER_COHORT = 1300
FIRST_COHORT, FIRST_YEAR = 2019, 2021
COHORTS = LAST.year - FIRST_COHORT + 1
SHARED = 20
"""The first twenty whom several domains know study; they are students 1 to 20, all others begin at 1001."""
_STAYS = (1.0, 0.8, 0.7, 0.45)
"""Which part of a cohort is there in its first, second, third and fourth year."""
_LARGE = {"medicine": 6.0, "economics": 7.0, "engineering": 5.0, "law": 5.0, "psychology": 5.0, "nursing": 5.0, "sciences": 4.0}
DDL = """\
CREATE TABLE students (
  student_id BIGINT PRIMARY KEY,
  national_number VARCHAR(20) NOT NULL UNIQUE,
  last_name VARCHAR(100) NOT NULL,
  first_name VARCHAR(100) NOT NULL,
  sex CHAR(1) NOT NULL,
  birth_date DATE NOT NULL,
  nationality CHAR(2) NOT NULL,
  street VARCHAR(200) NOT NULL,
  postcode VARCHAR(10) NOT NULL,
  email VARCHAR(200) NOT NULL,
  account VARCHAR(40),
  remark VARCHAR(400),
  updated_at DATETIME NOT NULL
);
CREATE TABLE enrolments (
  enrolment_id BIGINT PRIMARY KEY,
  student_id BIGINT NOT NULL REFERENCES students (student_id),
  institution_id VARCHAR(10) NOT NULL,
  academic_year CHAR(9) NOT NULL,
  study_domain VARCHAR(40) NOT NULL,
  cycle VARCHAR(20) NOT NULL,
  credits SMALLINT NOT NULL,
  fee_eur DECIMAL(9,2) NOT NULL,
  status VARCHAR(20) NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE TABLE diplomas (
  diploma_id BIGINT PRIMARY KEY,
  student_id BIGINT NOT NULL REFERENCES students (student_id),
  institution_id VARCHAR(10) NOT NULL,
  study_domain VARCHAR(40) NOT NULL,
  cycle VARCHAR(20) NOT NULL,
  distinction VARCHAR(30) NOT NULL,
  awarded_on DATE NOT NULL,
  updated_at DATETIME NOT NULL
);
"""
_MOMENT = pa.timestamp("s")
_STUDENTS = pa.schema(
    [("student_id", pa.int64())]
    + [(name, pa.string()) for name in ("national_number", "last_name", "first_name", "sex")]
    + [("birth_date", pa.date32())]
    + [(name, pa.string()) for name in ("nationality", "street", "postcode", "email", "account", "remark")]
    + [("updated_at", _MOMENT)]
)
_ENROLMENTS = pa.schema(
    [("enrolment_id", pa.int64()), ("student_id", pa.int64())]
    + [(name, pa.string()) for name in ("institution_id", "academic_year", "study_domain", "cycle")]
    + [("credits", pa.int64()), ("fee_eur", pa.string()), ("status", pa.string()), ("updated_at", _MOMENT)]
)
_DIPLOMAS = pa.schema(
    [("diploma_id", pa.int64()), ("student_id", pa.int64())]
    + [(name, pa.string()) for name in ("institution_id", "study_domain", "cycle", "distinction")]
    + [("awarded_on", pa.date32()), ("updated_at", _MOMENT)]
)


@dataclass(frozen=True)
class Cohorts:
    """Every student of every cohort until the last month that can be played, in columns.

    `cohort` is the year of the first enrolment; `domain` and `institution` are positions in their lists; `years` is for how many
    years the student stays.
    """

    person: Mapping[str, pa.Array]
    cohort: Whole
    domain: Whole
    institution: Whole
    years: Whole

    def enrolled(self, year: int) -> Whole:
        """Return the positions of the students who are enrolled in the academic year that begins in `year`."""
        return np.flatnonzero((self.cohort <= year) & (year < self.cohort + self.years))


@lru_cache(maxsize=1)
def cohorts(scenario: Scenario) -> Cohorts:
    """Return the students other than the shared ones; the same for every month."""
    size = PER_COHORT * scenario.scale
    count = size * COHORTS
    numbers = scenario.numbers("students", "cohorts")
    drawn = people.people(scenario, people.STUDENTS, count)
    # The older come first: a birth date with two years of luck decides the cohort.
    birth = np.array(drawn["birth_date"].cast(pa.int32()))
    order = np.argsort(birth + numbers.normal(0, 365, count), kind="stable")
    person = {name: column.take(pa.array(order)) for name, column in drawn.items()}
    domain = np.concatenate([numbers.permutation(_shares(size)) for _ in range(COHORTS)])
    luck = numbers.random(count)
    years = sum((luck < stays).astype(np.int64) for stays in _STAYS)
    return Cohorts(person, FIRST_COHORT + np.repeat(np.arange(COHORTS), size), domain, _placed(scenario, domain), np.asarray(years))


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the database as it is at the end of the month that is reached."""
    drawn = cohorts(scenario)
    started = np.flatnonzero(drawn.cohort <= _last_year(scenario))
    shared = [_shared(scenario, truth, person) for person in shared_people(scenario)[:SHARED]]
    own_rows = pa.Table.from_pylist([dict(one.row) for one in shared], schema=_STUDENTS)
    tables = {
        "students": pa.concat_tables([own_rows, _rows(scenario, drawn, started)]),
        "enrolments": _enrolments(scenario, drawn, shared),
        "diplomas": _diplomas(scenario, drawn),
    }
    yield from database("mariadb", "higher_education_students", DDL, tables)
    personal = {"national_number": "national_number", "last_name": "name", "first_name": "name", "birth_date": "birth_date"}
    personal |= {"street": "address", "postcode": "address", "email": "e-mail", "account": "iban"}
    for column, category in personal.items():
        truth.add("personal_data", dataset=DATASET, column=column, category=category, marked=True)
    truth.add("personal_data", dataset=DATASET, column="remark", category="free_text", marked=False)


def _last_year(scenario: Scenario) -> int:
    """Return the year in which the current academic year began: enrolment is in September."""
    return scenario.month.year if scenario.month.number >= 9 else scenario.month.year - 1


def _shares(size: int) -> Whole:
    """Return a study domain for each of `size` first-years: each domain has its share, none is left out."""
    weights = np.array([_LARGE.get(code, 1.5) for code in codes.values("study_domain")])
    counts = np.floor(weights / weights.sum() * size).astype(np.int64)
    counts[np.argmax(weights)] += size - counts.sum()
    return np.repeat(np.arange(len(weights)), counts)


def _placed(scenario: Scenario, domain: Whole) -> Whole:
    """Return an institution for each student, one that teaches her domain, large ones more often."""
    known = institutions(scenario)
    placed = np.empty(len(domain), dtype=np.int64)
    for number, code in enumerate(codes.values("study_domain")):
        here = np.flatnonzero(domain == number)
        fitting = [known.index(one) for one in that_teach(known, code)]
        sizes = np.array([known[at].size for at in fitting])
        placed[here] = scenario.numbers("students", "placed", code).choice(fitting, len(here), p=sizes / sizes.sum())
    return placed


def _rows(scenario: Scenario, drawn: Cohorts, started: Whole) -> pa.Table:
    total, numbers = len(drawn.cohort), scenario.numbers("students", "columns")
    towns = places.french_speaking(places.municipalities())
    weights = np.array([len(town.postcodes) ** 1.5 for town in towns])
    postcode = np.array([town.postcodes[0] for town in towns])[numbers.choice(len(towns), total, p=weights / weights.sum())]
    foreign = numbers.choice([code for code, *_ in COUNTRIES if code != "BE"], total)
    last_name = people.typed(numbers, drawn.person["last_name"])
    updated, has_moved = _changes(scenario, drawn)
    streets = pc.if_else(pa.array(has_moved), people.streets(numbers, total), people.streets(numbers, total))
    emails = map(_email, drawn.person["first_name"].to_pylist(), last_name.to_pylist(), range(1001, 1001 + total))
    columns = {
        **{name: drawn.person[name] for name in ("national_number", "first_name", "sex", "birth_date")},
        "student_id": np.arange(1001, 1001 + total),
        "last_name": last_name,
        "nationality": np.where(numbers.random(total) < 0.82, "BE", foreign),
        "street": streets,
        "postcode": postcode,
        "email": list(emails),
        "account": [iban(250 + at % 40, at) if at % 10 else None for at in numbers.integers(0, 10_000_000, total).tolist()],
        "remark": _remarks(scenario, total),
        "updated_at": updated,
    }
    return _table(columns, _STUDENTS).take(pa.array(started))


def _changes(scenario: Scenario, drawn: Cohorts) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return when each student's row last changed, and whether she has moved house: one in twelve does, in some month, once."""
    total, numbers = len(drawn.cohort), scenario.numbers("students", "moves")
    begins = (drawn.cohort - 1970).astype("datetime64[Y]").astype("datetime64[M]") + 8
    moves = begins + numbers.integers(6, 60, total)
    has_moved = (numbers.random(total) < 0.08) & (moves <= np.datetime64(str(scenario.month)))
    changed = np.where(has_moved, moves, begins).astype("datetime64[s]")
    return changed + numbers.integers(0, 27 * 86_400, total).astype("timedelta64[s]"), has_moved


def _email(first_name: str, last_name: str, number: int) -> str:
    plain = unicodedata.normalize("NFKD", f"{first_name}.{last_name.strip()}").replace("ı", "i").replace(" ", "").replace("'", "")
    return f"{plain.encode('ascii', 'ignore').decode().lower()}.{number}@student.example.org"


def _remarks(scenario: Scenario, count: int) -> list[str | None]:
    """Return what a secretariat types: for one in forty, whom to call, with name and number."""
    numbers = scenario.numbers("students", "remarks")
    chosen = np.flatnonzero(numbers.random(count) < 0.025)
    names, last, digits = numbers.choice(people.GIRLS, count), numbers.choice(people.LAST_NAMES, count), numbers.integers(0, 10_000, count)
    remarks: list[str | None] = [None] * count
    for at in chosen.tolist():
        remarks[at] = f"prévenir sa mère {names[at]} {last[at]}, 0470 00 {digits[at] // 100:02d} {digits[at] % 100:02d}"
    return remarks


@dataclass(frozen=True)
class Shared:
    """One of the shared people as a student: her row and where she studies. Those who are young follow an arts college's courses."""

    row: Mapping[str, object]
    first_year: int
    institution: str
    domain: str
    cycle: str


def _shared(scenario: Scenario, truth: Truth, person: SharedPerson) -> Shared:
    key: dict[str, object] = {"student_id": person.number}
    first_name, last_name = person.seen(truth, (DATASET, "last_name"), key, variant=1)
    random = scenario.random("students", "shared", person.number)
    is_young = person.birth_date.year > 2005
    domain, cycle = ("music", "young_talent") if is_young else (random.choice(("law", "nursing", "sciences", "languages")), "bachelor")
    institution = random.choice(that_teach(institutions(scenario), domain))
    first_year = FIRST_YEAR + person.number % 4
    row = {
        "student_id": person.number,
        "national_number": person.national_number,
        "last_name": last_name,
        "first_name": first_name,
        "sex": person.sex,
        "birth_date": person.birth_date,
        "nationality": "BE",
        "street": person.street,
        "postcode": institution.place.postcodes[0],
        "email": _email(first_name, last_name, person.number),
        "account": iban(300, 1_000_000 + person.number),
        "remark": None,
        "updated_at": datetime(first_year, 9, person.number, 10),  # noqa: DTZ001  a DATETIME has no zone
    }
    return Shared(row, first_year, institution.code, domain, cycle)


def _enrolments(scenario: Scenario, drawn: Cohorts, shared: Sequence[Shared]) -> pa.Table:
    """Return the enrolments of each academic year; a year that is over has its results, which came in July."""
    parts = []
    for year in range(FIRST_YEAR, _last_year(scenario) + 1):
        at = drawn.enrolled(year)
        numbers = scenario.numbers("students", "enrolments", year)
        age = year - drawn.cohort[at]
        passed = (drawn.years[at] > age + 1) | (age >= 2)
        result = np.where(passed, "passed", np.where(numbers.random(len(at)) < 0.4, "left", "failed"))
        is_over = Month(year + 1, 7) <= scenario.month
        columns = _enrolled_in(scenario, drawn, at) | {
            "enrolment_id": year * 100_000_000 + 1001 + at,
            "academic_year": np.full(len(at), f"{year}-{year + 1}"),
            "cycle": np.where(age < 3, "bachelor", "master"),
            "credits": numbers.choice([45, 55, 60, 60, 60, 65], len(at)),
            "fee_eur": numbers.choice(["374.00", "835.00", "1194.00"], len(at), p=[0.2, 0.7, 0.1]),
            "status": result if is_over else np.full(len(at), "enrolled"),
            "updated_at": np.full(len(at), _results_day(year) if is_over else _moment(Month(year, 9), 20)),
        }
        own = [_shared_enrolment(one, year, is_over=is_over) for one in shared if one.first_year <= year]
        parts += [pa.Table.from_pylist(own, schema=_ENROLMENTS), _table(columns, _ENROLMENTS)]
    return pa.concat_tables(parts)


def _shared_enrolment(one: Shared, year: int, *, is_over: bool) -> dict[str, object]:
    return {
        "enrolment_id": year * 100_000_000 + one.row["student_id"],  # type: ignore[operator]
        "student_id": one.row["student_id"],
        "institution_id": one.institution,
        "academic_year": f"{year}-{year + 1}",
        "study_domain": one.domain,
        "cycle": one.cycle,
        "credits": 60 if one.cycle == "bachelor" else 10,
        "fee_eur": "835.00" if one.cycle == "bachelor" else "0.00",
        "status": "passed" if is_over else "enrolled",
        "updated_at": _results_day(year).item() if is_over else _moment(Month(year, 9), 20).item(),
    }


def _diplomas(scenario: Scenario, drawn: Cohorts) -> pa.Table:
    """Return the diplomas: a bachelor's for who was there for three years, in the July of the third."""
    parts = []
    for year in range(FIRST_COHORT, scenario.month.year):
        at = np.flatnonzero((drawn.cohort == year) & (drawn.years >= 3))
        if Month(year + 3, 7) <= scenario.month:
            numbers = scenario.numbers("students", "diplomas", year)
            grades = ["satisfaction", "distinction", "grande distinction", "la plus grande distinction"]
            day = _results_day(year + 2)
            columns = _enrolled_in(scenario, drawn, at) | {
                "diploma_id": 100_000_000 + 1001 + at,
                "cycle": np.full(len(at), "bachelor"),
                "distinction": numbers.choice(grades, len(at), p=[0.5, 0.3, 0.15, 0.05]),
                "awarded_on": np.full(len(at), day.astype("datetime64[D]")),
                "updated_at": np.full(len(at), day),
            }
            parts.append(_table(columns, _DIPLOMAS))
    return pa.concat_tables(parts)


def _enrolled_in(scenario: Scenario, drawn: Cohorts, at: Whole) -> dict[str, Any]:
    places_of_study = np.array([one.code for one in institutions(scenario)])
    taught = np.array(codes.values("study_domain"))
    return {
        "student_id": 1001 + at,
        "institution_id": places_of_study[drawn.institution[at]],
        "study_domain": taught[drawn.domain[at]],
    }


def _results_day(year: int) -> np.datetime64:
    """Return when the results of the academic year that begins in `year` are registered."""
    return _moment(Month(year + 1, 7), 5)


def _moment(month: Month, day: int) -> np.datetime64:
    return np.datetime64(f"{month}-{day:02d}T17:00:00", "s")


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    return pa.table([columns[name] for name in schema.names], schema=schema)

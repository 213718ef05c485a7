"""The operational database of the demo: schools, pupils and staff as an education administration keeps them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

import psycopg
from psycopg import sql

from polyceph.errors import NotFound
from polyceph.settings import PostgresAddress
from polyceph.testing import demo_places
from polyceph.testing.demo_people import People, Person
from polyceph.testing.demo_places import Municipality

Row = tuple[object, ...]

VERSION = 1
"""Raised when the generator writes something else for the same seed."""
SCHOOLS, STAFF, PUPILS = 500, 4_500, 45_000
"""Rows at scale 1: 50,000 together."""

DDL = """
drop table if exists demo_stamp, staff, pupils, schools;
create table schools (
  school_id integer primary key, name text not null, network text not null, level text not null,
  street text, postcode text, nis_code text, opened_on date, updated_at timestamptz not null);
create table pupils (
  pupil_id integer primary key, school_id integer not null references schools, national_number text not null unique,
  last_name text not null, first_name text not null, sex text not null, birth_date date not null, grade text not null,
  philosophy_course text, street text, postcode text, nis_code text, updated_at timestamptz not null);
create table staff (
  staff_id integer primary key, school_id integer not null references schools, national_number text not null unique,
  last_name text not null, first_name text not null, sex text not null, birth_date date not null, job text not null,
  hours_per_week numeric(4,1) not null, hired_on date not null, updated_at timestamptz not null);
create table demo_stamp (version integer, seed integer, scale integer);
"""
"""Tables of the register; `demo_stamp` tells what made them, so that a second start reuses them."""

KINDS = {"maternel": "maternelle", "primaire": "primaire", "fondamental": "fondamentale"}
NETWORKS = ("officiel", "libre", "WBE")
GRADES = {
    "maternel": ("M1", "M2", "M3"),
    "primaire": ("P1", "P2", "P3", "P4", "P5", "P6"),
    "secondaire": ("S1", "S2", "S3", "S4", "S5", "S6"),
}
GRADES["fondamental"] = GRADES["maternel"] + GRADES["primaire"]
AGE = {grade: age for age, grade in enumerate(GRADES["fondamental"] + GRADES["secondaire"], start=3)}
JOBS = ("enseignant", "enseignant", "enseignant", "direction", "éducateur", "secrétariat", "puéricultrice", "entretien")
COURSES = (
    "citoyenneté",
    "religion catholique",
    "religion islamique",
    "morale",
    "religion protestante",
    "religion israélite",
    "religion orthodoxe",
)
SAINTS = ("Joseph", "Michel", "Remacle", "Begge", "Feuillen", "Hadelin", "Lambert", "Martin", "Hubert", "Waudru", "Gertrude", "Berthuin")
TERM = datetime(2024, 9, 2, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Register:
    """The rows of the three tables, in the order of their columns."""

    schools: tuple[Row, ...]
    pupils: tuple[Row, ...]
    staff: tuple[Row, ...]

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows by table."""
        return {"schools": len(self.schools), "pupils": len(self.pupils), "staff": len(self.staff)}


def build(places: tuple[Municipality, ...], *, seed: int, scale: int) -> Register:
    """Return the register that `seed` gives; the same seed and scale always give the same rows."""
    random = Random(f"register {seed} {scale}")
    people = People(random)
    schools = tuple(_school(people, number, place) for number, place in enumerate(demo_places.draw(random, places, SCHOOLS * scale), 1))
    by_id = {place.nis_code: place for place in places}
    pupils = tuple(_pupil(people, number, random.choice(schools), by_id) for number in range(1, PUPILS * scale + 1))
    staff = tuple(_member(people, number, random.choice(schools)) for number in range(1, STAFF * scale + 1))
    return Register(schools, pupils, staff)


def write(register: PostgresAddress, places: tuple[Municipality, ...], *, seed: int, scale: int) -> tuple[Mapping[str, int], bool]:
    """Fill the database, unless this seed and scale are there already; return rows by table and whether they were reused."""
    with psycopg.connect(register.url()) as connection:
        if _stamp(connection) == (VERSION, seed, scale):
            return _counts(connection), True
        made = build(places, seed=seed, scale=scale)
        connection.execute(DDL)
        for table in ("schools", "pupils", "staff"):
            _copy(connection, table, getattr(made, table))
        connection.execute("insert into demo_stamp values (%s, %s, %s)", (VERSION, seed, scale))
    return made.rows(), False


def advance(register: PostgresAddress, *, pupils: int = 100) -> datetime:
    """Let some pupils move to another school, as on a day of work, and return the new `updated_at`: what an incremental load finds."""
    with psycopg.connect(register.url()) as connection:
        moment = _latest(connection) + timedelta(days=1)
        connection.execute(
            "update pupils set updated_at = %s, school_id = 1 + school_id %% (select count(*) from schools)::int "
            "where pupil_id in (select pupil_id from pupils order by pupil_id limit %s)",
            (moment, pupils),
        )
    return moment


def _school(people: People, number: int, place: Municipality) -> Row:
    random = people.random
    network = random.choices(NETWORKS, weights=(5, 4, 1))[0]
    level = random.choices(tuple(GRADES), weights=(1, 1, 3, 6))[0]
    name = _school_name(random, network, level, place)
    opened = date(1950, 9, 1) + timedelta(days=random.randrange(26_000))
    street, postcode = people.address(), random.choice(place.postcodes)
    return number, _typed(random, name), network, level, street, postcode, place.nis_code, opened, _moment(random)


def _school_name(random: Random, network: str, level: str, place: Municipality) -> str:
    if network == "libre":
        kind = "Collège" if level == "secondaire" else f"École {KINDS[level]}"
        return f"{kind} Saint-{random.choice(SAINTS)} {demo_places.of(place)}"
    of_whom = ("royal", "royale") if network == "WBE" else ("communal", "communale")
    school = f"Athénée {of_whom[0]}" if level == "secondaire" else f"École {KINDS[level]} {of_whom[1]}"
    return f"{school} {demo_places.of(place)}"


def _pupil(people: People, number: int, school: Row, by_id: Mapping[str, Municipality]) -> Row:
    random = people.random
    grade = random.choice(GRADES[str(school[3])])
    year = 2024 - AGE[grade]
    person = people.one(date(year, 1, 1), date(year, 12, 31))
    home = by_id[str(school[6])] if random.random() < 0.85 else random.choice(tuple(by_id.values()))
    course = random.choices(COURSES, weights=(40, 30, 14, 10, 3, 1, 2))[0]
    # One pupil in a hundred has no NIS code: the desk only typed the postcode.
    nis_code = home.nis_code if random.random() < 0.99 else None
    address = people.address(), random.choice(home.postcodes), nis_code
    return number, school[0], *_identity(random, person), grade, course, *address, _moment(random)


def _member(people: People, number: int, school: Row) -> Row:
    random = people.random
    person = people.one(date(1960, 1, 1), date(2001, 12, 31))
    hired = date(max(1985, person.birth_date.year + 22), 9, 1) + timedelta(days=365 * random.randrange(2))
    hours = random.choice(("9.5", "19.0", "24.0", "24.0", "26.0", "38.0"))
    return number, school[0], *_identity(random, person), random.choice(JOBS), hours, hired, _moment(random)


def _identity(random: Random, person: Person) -> tuple[object, ...]:
    return person.national_number, _typed(random, person.last_name), person.first_name, person.sex, person.birth_date


def _typed(random: Random, text: str) -> str:
    """Return a text as people type it: now and then in capitals, now and then with a space too many."""
    luck = random.random()
    if luck < 0.03:
        return text.upper()
    return f"{text} " if luck < 0.05 else text


def _moment(random: Random) -> datetime:
    return TERM + timedelta(seconds=random.randrange(120 * 86_400))


def _stamp(connection: psycopg.Connection) -> tuple[object, ...] | None:
    there = connection.execute("select to_regclass('demo_stamp') is not null").fetchone()
    return connection.execute("select version, seed, scale from demo_stamp").fetchone() if there and there[0] else None


def _latest(connection: psycopg.Connection) -> datetime:
    row = connection.execute("select max(updated_at) from pupils").fetchone()
    if row is None or row[0] is None:
        raise NotFound("the demo's register has no pupils", hint="generate the demo sources first")
    return datetime.fromtimestamp(row[0].timestamp(), UTC)


def _counts(connection: psycopg.Connection) -> Mapping[str, int]:
    tables = ("schools", "pupils", "staff")
    queries = [sql.SQL("select count(*) from {}").format(sql.Identifier(table)) for table in tables]
    found = [connection.execute(query).fetchone() for query in queries]
    return {table: row[0] for table, row in zip(tables, found, strict=True) if row}


def _copy(connection: psycopg.Connection, table: str, rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    statement = sql.SQL("copy {} from stdin (format csv)").format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(text.getvalue())

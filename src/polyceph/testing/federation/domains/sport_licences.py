"""Who does sport: licences of the federations (MariaDB) and holiday camps (CSV on an SFTP account)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import email, telephone
from polyceph.testing.federation.domains.sport_clubs import club_list
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES, MEMBERS, people, streets, typed
from polyceph.testing.federation.pieces import Piece, amount, database, delimited
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.shared_people import shared_people
from polyceph.testing.federation.truth import Truth

HOLDERS, LICENCES, CAMPS = "sport.raw.licence_holders", "sport.raw.licences", "sport.raw.camps"
_DDL = """\
create table licence_holders (
  holder_id bigint primary key, last_name varchar(80) not null, first_name varchar(80) not null, sex char(1) not null,
  birth_date date not null, street varchar(120), email varchar(120), updated_at datetime not null);
create table licences (
  licence_id bigint primary key, holder_id bigint not null references licence_holders, club_id varchar(12) not null,
  discipline varchar(20) not null, season varchar(9) not null, issued_on date not null, fee_eur decimal(7,2) not null,
  medical_note varchar(200), updated_at datetime not null);
"""
_PEOPLE, _LAST_SHARED, _SEASONS = 3_000, 25, (2021, 2022, 2023, 2024, 2025, 2026)
_FIRST_ID = 500_001
_DAY = np.timedelta64(1, "D")
_NOTES = ("asthme d'effort", "allergie aux arachides", "diabète de type 1", "épilepsie stabilisée", "prothèse à la hanche")
_PERSONAL = {"last_name": "name", "first_name": "name", "birth_date": "birth_date", "street": "address", "email": "e-mail"}
_CAMPS_A_YEAR, _FIRST_CAMPS = 150, 2022


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the federations' database and the lists of camps."""
    planted.personal(truth, HOLDERS, _PERSONAL)
    planted.personal(truth, LICENCES, {"medical_note": "health"})
    holders = _holders(scenario)
    _place_shared(scenario, holders, truth)
    licences = _licences(scenario)
    known = np.unique(licences["holder_id"].to_numpy()) - _FIRST_ID
    chosen = {name: pa.array(column).take(pa.array(known)) for name, column in holders.items()}
    yield from database("mariadb", "sport_licences", _DDL, {"licence_holders": pa.table(chosen), "licences": licences})
    yield from _camps(scenario, truth)


def _holders(scenario: Scenario) -> dict[str, list[Any]]:
    """Return the columns of everybody who ever holds a licence."""
    count = _PEOPLE * scenario.scale
    numbers, drawn = scenario.numbers("sport", "licence holders"), people(scenario, MEMBERS, count)
    firsts, lasts = drawn["first_name"].to_pylist(), drawn["last_name"].to_pylist()
    asked = numbers.random(count) < 0.5
    return {
        "holder_id": list(range(_FIRST_ID, _FIRST_ID + count)),
        "last_name": typed(numbers, drawn["last_name"]).to_pylist(),
        "first_name": firsts,
        "sex": drawn["sex"].to_pylist(),
        "birth_date": drawn["birth_date"].to_pylist(),
        "street": streets(numbers, count).to_pylist(),
        "email": [email(first, last) if one else None for first, last, one in zip(firsts, lasts, asked, strict=True)],
        "updated_at": [f"{_SEASONS[season]}-08-0{n % 9 + 1} 08:00:00" for n, season in enumerate(_starts(scenario))],
    }


def _starts(scenario: Scenario) -> np.ndarray:
    """Return the first season of each holder, as an index; those who are known elsewhere are there from the first."""
    starts = scenario.numbers("sport", "first seasons").choice(len(_SEASONS), _PEOPLE * scenario.scale, p=(0.5, 0.1, 0.1, 0.1, 0.1, 0.1))
    starts[:_LAST_SHARED] = 0
    return np.asarray(starts)


def _place_shared(scenario: Scenario, holders: Mapping[str, list[Any]], truth: Truth) -> None:
    """Make the first 25 holders the people whom other domains know too, as the federations write them."""
    for at, person in enumerate(shared_people(scenario)[:_LAST_SHARED]):
        first, last = person.seen(truth, (HOLDERS, "last_name"), {"holder_id": holders["holder_id"][at]}, variant=2)
        holders["first_name"][at], holders["last_name"][at], holders["sex"][at] = first, last, person.sex
        holders["birth_date"][at], holders["street"][at], holders["email"][at] = person.birth_date, person.street, email(first, last)


def _licences(scenario: Scenario) -> pa.Table:
    """Return the licences issued by the end of the month, season by season: three in four renew theirs."""
    starts = _starts(scenario)
    tables, first = [], 1
    for index, year in enumerate(_SEASONS):
        numbers = scenario.numbers("sport", "licences", year)
        is_there = (starts == index) | ((starts < index) & (numbers.random(len(starts)) < 0.75))
        table = _season(scenario, numbers, year, np.flatnonzero(is_there))
        ids = pa.array(np.arange(first, first + len(table)))
        first += len(table)
        tables.append(table.add_column(0, "licence_id", ids))
    whole = pa.concat_tables(tables)
    return whole.filter(pa.array(whole["issued_on"].to_numpy() <= np.datetime64(scenario.month.last)))


def _season(scenario: Scenario, numbers: np.random.Generator, year: int, holders: np.ndarray) -> pa.Table:
    count = len(holders)
    clubs = [club for club in club_list(scenario) if club.since == club_list(scenario)[0].since]
    at = holders * 31 % len(clubs)
    issued = np.datetime64(date(year, 8, 10)) + np.minimum(numbers.geometric(0.04, count), 250) * _DAY
    notes = numbers.integers(len(_NOTES), size=count)
    return pa.table(
        {
            "holder_id": holders + _FIRST_ID,
            "club_id": [clubs[n].number for n in at],
            "discipline": [clubs[n].discipline for n in at],
            "season": [f"{year}-{year + 1}"] * count,
            "issued_on": issued,
            "fee_eur": numbers.integers(15, 90, count) * 1.0,
            "medical_note": pa.array([_NOTES[n] for n in notes], mask=numbers.random(count) >= 0.04),
            "updated_at": [f"{day} 12:00:00" for day in issued],
        }
    )


def _camps(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the camps of each summer, which the clubs announce in June (cp1252)."""
    planted.personal(truth, CAMPS, {"manager": "name", "telephone": "telephone"})
    header = ("Code", "Club", "Discipline", "INS", "Du", "Au", "Places", "Inscrits", "Prix (€)", "Responsable", "Téléphone")
    year = _FIRST_CAMPS
    while scenario.has_reached(f"{year}-06"):
        content = delimited(header, _summer(scenario, year), delimiter=";", encoding="cp1252")
        yield Piece(f"sftp/sport_camps/stages_{year}.csv", content, Month(year, 6).arrival(days=5))
        year += 1


def _summer(scenario: Scenario, year: int) -> Iterator[tuple[object, ...]]:
    random, numbers = scenario.random("sport", "camps", year), scenario.numbers("sport", "camps", year)
    clubs = [club for club in club_list(scenario) if club.since == club_list(scenario)[0].since]
    names = [name for name in LAST_NAMES if "ı" not in name]
    for n, club in enumerate(random.choices(clubs, k=_CAMPS_A_YEAR * scenario.scale), 1):
        begins = date(year, 7, 1) + timedelta(days=7 * random.randrange(8))
        begins += timedelta(days=-begins.weekday() % 7)
        seats = random.randrange(12, 60, 4)
        price = amount(random.randrange(60, 220))
        who = f"{random.choice(GIRLS + BOYS)} {random.choice(names)}"
        yield (
            *(f"ST{year}-{n:04d}", club.number, club.discipline, club.place.nis_code),
            *(f"{begins:%d/%m/%Y}", f"{begins + timedelta(days=4):%d/%m/%Y}", seats, random.randrange(seats // 2, seats + 1)),
            *(price, who, telephone(numbers)),
        )

"""The lending desks of culture's libraries: borrowers and loans, in an operational PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import email, telephone
from polyceph.testing.federation.domains.culture_libraries import COUNT as LIBRARIES
from polyceph.testing.federation.domains.culture_libraries import SEASON, library_list
from polyceph.testing.federation.people import LAST_NAMES, Population, people, streets, typed
from polyceph.testing.federation.pieces import Piece, database
from polyceph.testing.federation.scenario import FIRST, LAST, Month, Scenario
from polyceph.testing.federation.shared_people import COUNT, shared_people
from polyceph.testing.federation.truth import Truth

BORROWERS, LOANS = "culture.raw.borrowers", "culture.raw.loans"
MOST_RENEWALS = 5
OLDEST = date(1930, 1, 1)
"""Promised first birth date of a borrower."""
_DDL = """\
create table borrowers (
  borrower_id bigint primary key, card_number text not null, last_name text not null, first_name text not null,
  birth_date date not null, street text, postcode text, nis_code text, email text, telephone text,
  library_id text not null, remark text, registered_on date not null, updated_at timestamptz not null);
-- No foreign keys: the loans came over from an older system.
create table loans (
  loan_id bigint primary key, borrower_id bigint not null, library_id text not null, medium text not null, title text not null,
  lent_on date not null, due_on date not null, returned_on date, renewals integer not null, fine_eur numeric(7,2) not null,
  updated_at timestamptz not null);
"""
_READERS = Population("borrowers", date(1938, 1, 1), date(2016, 12, 31), 998, 2)
"""Readers have a card and no national number: the one that is drawn with them is left out."""
_AT_FIRST, _A_MONTH, _LOANS_A_MONTH = 1_300, 6, 185
_FIRST_SHARED = 5
_FIRST_ID, _ORPHAN = 100_001, 999_999
_ORPHAN_MONTH, _RENEWALS_MONTH = Month(2022, 10), Month(2024, 2)
_DAY = np.timedelta64(1, "D")
_MEDIA = ("book", "book", "book", "comic", "comic", "magazine", "game", "dvd", "audiobook")
_TITLES = [
    f"{first} {second}"
    for first in ("Le Jardin", "L'Ombre", "Les Saisons", "La Maison", "Le Silence", "Un Été", "La Rivière", "Contes")
    for second in ("de Meuse", "du canal", "des Ardennes", "d'octobre", "sans clocher", "des terrils", "au bord du lac", "de la gare")
]
_REMARKS = (
    "Carte retirée par {first} {last}, {telephone}",
    "Demander {first} {last} pour les retards, tél. {telephone}",
    "Loge chez sa sœur, Mme {last}",
    "Livre rendu abîmé, vu avec M. {last} ({telephone})",
)
_PERSONAL = {
    "last_name": "name",
    "first_name": "name",
    "birth_date": "birth_date",
    "street": "address",
    "postcode": "address",
    "email": "e-mail",
    "telephone": "telephone",
    "remark": "free_text",
}


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the database as it is at the end of the month, and write down its people and faults."""
    planted.personal(truth, BORROWERS, _PERSONAL, unmarked=["remark"])
    columns = _borrowers(scenario)
    _place_shared(scenario, columns, truth)
    _plant(scenario, columns, truth)
    loans = [_lent(scenario, month, columns) for month in scenario.months()]
    _plant_loans(scenario, truth)
    known = int(np.searchsorted(columns["registered_on"], np.datetime64(scenario.month.last), side="right"))
    borrowers = pa.table({name: pa.array(column[:known]) for name, column in columns.items()})
    yield from database("postgres", "culture_loans", _DDL, {"borrowers": borrowers, "loans": pa.concat_tables(loans)})


def _borrowers(scenario: Scenario) -> dict[str, Any]:
    """Return the columns of everybody who ever gets a card, in the order of their cards."""
    numbers = scenario.numbers("culture", "borrowers")
    registered = _registered(numbers, scenario.scale)
    count = len(registered)
    drawn = people(scenario, _READERS, count)
    homes = [library_list(scenario)[n] for n in numbers.integers(0, LIBRARIES, count)]
    addresses, updated = _addresses(scenario, numbers, registered)
    return {
        "borrower_id": np.arange(_FIRST_ID, _FIRST_ID + count),
        "card_number": [f"2{10**9 + 37 * n}" for n in range(count)],
        "last_name": typed(numbers, drawn["last_name"]).to_pylist(),
        "first_name": drawn["first_name"].to_pylist(),
        "birth_date": drawn["birth_date"].to_pylist(),
        "street": addresses,
        "postcode": [library.place.postcodes[0] for library in homes],
        "nis_code": [library.place.nis_code for library in homes],
        "email": _emails(numbers, drawn),
        "telephone": [telephone(numbers) if one < 0.6 else None for one in numbers.random(count)],
        "library_id": [library.code for library in homes],
        "remark": _remarks(numbers, drawn),
        "registered_on": registered,
        "updated_at": updated,
    }


def _registered(numbers: np.random.Generator, scale: int) -> np.ndarray:
    """Return the day of each card, in order: those there at first in the two years before, then as many each month."""
    before = np.datetime64("2019-10-15") + numbers.integers(0, 730, _AT_FIRST * scale) * _DAY
    months = [FIRST.plus(n) for n in range(LAST.since(FIRST) + 1)]
    after = [np.datetime64(month.first) + numbers.integers(0, 28, _A_MONTH * scale) * _DAY for month in months]
    return np.sort(np.concatenate([before, *after]))


def _addresses(scenario: Scenario, numbers: np.random.Generator, registered: np.ndarray) -> tuple[list[str], list[str]]:
    """Return where borrowers live at the end of the month and when their line last changed: four in a hundred move one day."""
    count = len(registered)
    before, after = streets(numbers, count).to_pylist(), streets(numbers, count).to_pylist()
    moved = registered + numbers.integers(30, 1500, count) * _DAY
    has_moved = (numbers.random(count) < 0.04) & (moved <= np.datetime64(scenario.month.last))
    changed = np.where(has_moved, moved, registered)
    return [new if gone else old for old, new, gone in zip(before, after, has_moved, strict=True)], _moments(changed, numbers)


def _moments(days: np.ndarray, numbers: np.random.Generator) -> list[str]:
    """Return a time of each day, while the desk is open."""
    hours = numbers.integers(8, 18, len(days))
    return [
        f"{day} {hour:02d}:{minute:02d}:00+00" for day, hour, minute in zip(days, hours, numbers.integers(0, 60, len(days)), strict=True)
    ]


def _emails(numbers: np.random.Generator, drawn: Mapping[str, pa.Array]) -> list[str | None]:
    names = zip(drawn["first_name"].to_pylist(), drawn["last_name"].to_pylist(), numbers.random(len(drawn["sex"])), strict=True)
    return [email(first, last) if one < 0.7 else None for first, last, one in names]


def _remarks(numbers: np.random.Generator, drawn: Mapping[str, pa.Array]) -> list[str | None]:
    """Return what the desk typed about three in a hundred: free text that names others."""
    firsts = drawn["first_name"].to_pylist()
    said: list[str | None] = [None] * len(firsts)
    for at in np.flatnonzero(numbers.random(len(firsts)) < 0.03):
        last = LAST_NAMES[int(numbers.integers(len(LAST_NAMES)))]
        text = _REMARKS[int(numbers.integers(len(_REMARKS)))]
        said[at] = text.format(first=firsts[at - 1], last=last, telephone=telephone(numbers))
    return said


def _places_of_shared(scenario: Scenario) -> list[int]:
    return scenario.random("culture", "shared").sample(range(_AT_FIRST), COUNT - _FIRST_SHARED + 1)


def _place_shared(scenario: Scenario, columns: dict[str, Any], truth: Truth) -> None:
    """Make 26 of those there at first the people whom other domains know too, as this desk writes them."""
    known = [person for person in shared_people(scenario) if person.number >= _FIRST_SHARED]
    for person, at in zip(known, _places_of_shared(scenario), strict=True):
        key: dict[str, object] = {"borrower_id": int(columns["borrower_id"][at])}
        first, last = person.seen(truth, (BORROWERS, "last_name"), key, variant=1)
        columns["first_name"][at], columns["last_name"][at] = first, last
        columns["birth_date"][at], columns["street"][at] = person.birth_date, person.street
        columns["email"][at], columns["remark"][at] = email(first, last), None


def _plant(scenario: Scenario, columns: dict[str, Any], truth: Truth) -> None:
    """Register two readers again with the card they have, and give one a birth date of another century."""
    random = scenario.random("culture", "faults of borrowers")
    months = columns["registered_on"].astype("datetime64[M]").astype(str)
    later = np.flatnonzero((months >= "2022-01") & (months <= "2025-06")).tolist()
    *again, old = random.sample(later, 3)
    before = random.sample(sorted(set(range(_AT_FIRST)) - set(_places_of_shared(scenario))), 2)

    def fault(at: int, name: str, column: str, detail: str) -> None:
        key = {"borrower_id": int(columns["borrower_id"][at])}
        truth.add("quality", dataset=BORROWERS, fault=name, column=column, key=key, month=str(months[at]), detail=detail)

    for at, of in zip(again, before, strict=True):
        for column in ("card_number", "last_name", "first_name", "birth_date"):
            columns[column][at] = columns[column][of]
        fault(at, "duplicate", "card_number", f"borrower {columns['borrower_id'][of]}, registered again with the same card")
    columns["birth_date"][old] = date(1874, 5, 17)
    fault(old, "out_of_range", "birth_date", "born in 1874")


def _counts(scenario: Scenario) -> Mapping[Month, int]:
    """Return how many items are lent in each month; they follow the visits."""
    return {month: int(_LOANS_A_MONTH * SEASON[month.number - 1]) * scenario.scale for month in scenario.months()}


def _lent(scenario: Scenario, month: Month, columns: Mapping[str, Any]) -> pa.Table:
    """Return what was lent in a month, with what has come back by the end of the month that is reached."""
    numbers, counts = scenario.numbers("culture", "loans", month), _counts(scenario)
    count = counts[month]
    first = 1 + sum(number for earlier, number in counts.items() if earlier < month)
    readers = int(np.searchsorted(columns["registered_on"], np.datetime64(month.first)))
    chosen = numbers.integers(0, readers, count)
    lent = np.sort(np.datetime64(month.first) + numbers.integers(0, month.last.day, count) * _DAY)
    renewals = np.minimum(numbers.poisson(0.3, count), MOST_RENEWALS)
    due = lent + (28 + 14 * renewals) * _DAY
    returned = lent + np.minimum(2 + numbers.geometric(0.05, count), 200) * _DAY
    is_out = (returned > np.datetime64(scenario.month.last)) | (numbers.random(count) < 0.008)
    late = np.where(is_out, 0, np.maximum((returned - due) // _DAY, 0))
    borrowers, homes = columns["borrower_id"][chosen], [columns["library_id"][n] for n in chosen]
    borrowers, renewals = _wrong(scenario, month, borrowers, renewals)
    return pa.table(
        {
            "loan_id": np.arange(first, first + count),
            "borrower_id": borrowers,
            "library_id": homes,
            "medium": numbers.choice(_MEDIA, count).tolist(),
            "title": numbers.choice(_TITLES, count).tolist(),
            "lent_on": lent,
            "due_on": due,
            "returned_on": pa.array(returned, mask=is_out),
            "renewals": renewals,
            "fine_eur": np.round(late * 0.1, 2),
            "updated_at": _moments(np.where(is_out, lent, returned), numbers),
        }
    )


def _wrong(scenario: Scenario, month: Month, borrowers: np.ndarray, renewals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return borrowers and renewals of a month with the wrong one in it."""
    at = scenario.random("culture", "faults of loans", month).randrange(len(borrowers))
    if month == _ORPHAN_MONTH:
        borrowers = borrowers.copy()
        borrowers[at] = _ORPHAN
    if month == _RENEWALS_MONTH:
        renewals = renewals.copy()
        renewals[at] = 47
    return borrowers, renewals


def _plant_loans(scenario: Scenario, truth: Truth) -> None:
    counts = _counts(scenario)
    for month, fault, column, detail in (
        (_ORPHAN_MONTH, "orphan", "borrower_id", f"borrower {_ORPHAN} is not registered"),
        (_RENEWALS_MONTH, "out_of_range", "renewals", "renewed 47 times"),
    ):
        at = scenario.random("culture", "faults of loans", month).randrange(counts[month])
        key = {"loan_id": 1 + sum(number for earlier, number in counts.items() if earlier < month) + at}
        truth.add("quality", dataset=LOANS, fault=fault, column=column, key=key, month=str(month), detail=detail)

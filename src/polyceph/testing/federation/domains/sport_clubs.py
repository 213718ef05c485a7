"""Sport's clubs: what their register exports each spring, as JSON on a share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from polyceph.testing.federation import codes, places
from polyceph.testing.federation.domains import planted
from polyceph.testing.federation.domains.contacts import account, email, telephone
from polyceph.testing.federation.identifiers import enterprise_number
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES
from polyceph.testing.federation.pieces import Piece, amount, document
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

CLUBS = "sport.raw.clubs"
COUNT = 600
MOST_MEMBERS = 5_000
DISCIPLINES = codes.values("discipline")
_FIRST_YEAR, _FAULTS_FROM, _SPLIT_FROM = 2023, 2025, 2026
"""First export; the one in which faults appear; from when on members are an object with women and men."""
_WORDS = ("Royal", "Cercle", "Entente", "Club", "Union", "Étoile")
_PERSONAL = {"contact": "name", "email": "e-mail", "telephone": "telephone", "iban": "iban", "remark": "free_text"}
_SERIALS = 9_300_000
"""Enterprise numbers that have not been given out."""


@dataclass(frozen=True)
class Club:
    """A club as the register knows it. `since` is the year of the first export that has it."""

    number: str
    name: str
    discipline: str
    place: Municipality
    enterprise: str
    account: str
    founded: date
    members: int
    since: int


@dataclass(frozen=True)
class _Faults:
    """Which clubs are wrong from 2025 on: entered twice (the second number), with a discipline that is none, with too many members."""

    twice: tuple[int, int]
    discipline: int
    members: int


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the exports of the springs that have been, and write down what is wrong in them."""
    planted.personal(truth, CLUBS, _PERSONAL, unmarked=["remark"])
    _plant(scenario, truth)
    year = _FIRST_YEAR
    while scenario.has_reached(f"{year}-03"):
        clubs = [_exported(scenario, index, year) for index, club in enumerate(club_list(scenario)) if club.since <= year]
        content = {"source": "Registre des clubs sportifs", "etabli_le": f"31/03/{year}", "clubs": clubs}
        yield Piece(f"share/sport_clubs/clubs_{year}.json", document(content), datetime(year, 4, 4, 6, tzinfo=UTC))
        year += 1
    if scenario.has_reached(f"{_SPLIT_FROM}-03"):
        truth.add("drift", dataset=CLUBS, month=f"{_SPLIT_FROM}-03", change="type_changed", column="membres", becomes="object")


@cache
def club_list(scenario: Scenario) -> tuple[Club, ...]:
    """Return all clubs; a few are founded, and found, each year."""
    random = scenario.random("sport", "clubs")
    made = []
    for n, town in enumerate(places.draw(random, places.french_speaking(places.municipalities()), COUNT), 1):
        discipline = random.choice(DISCIPLINES)
        since = _FIRST_YEAR if n <= COUNT - 40 else random.choice((2024, 2025, 2026))
        founded = date(1920, 1, 1) + timedelta(days=random.randrange(37_000)) if since == _FIRST_YEAR else date(since - 1, 9, 1)
        made.append(
            Club(
                number=f"CLB{n:05d}",
                name=f"{random.choice(_WORDS)} {discipline} {town.name_fr}",
                discipline=discipline,
                place=town,
                enterprise=enterprise_number(_SERIALS + 41 * n),
                account=account(2_000_000 + 577 * n),
                founded=founded,
                members=random.randrange(20, 640),
                since=since,
            )
        )
    return tuple(made)


def _exported(scenario: Scenario, index: int, year: int) -> dict[str, Any]:
    """Return a club as the export of a year has it."""
    club, faults = club_list(scenario)[index], _faults(scenario)
    random, numbers = scenario.random("sport", "club", index, year), scenario.numbers("sport", "club", index)
    members = int(club.members * (1 + 0.02 * (year - _FIRST_YEAR)) * random.uniform(0.93, 1.08))
    is_wrong = year >= _FAULTS_FROM
    if is_wrong and index == faults.members:
        members = 41_200
    first, last = GIRLS + BOYS, LAST_NAMES
    who = (first[int(numbers.integers(len(first)))], last[int(numbers.integers(len(last)))])
    women = int(members * random.uniform(0.2, 0.6))
    twin = club_list(scenario)[faults.twice[0]] if is_wrong and index == faults.twice[1] else club
    return {
        "numero": club.number,
        "bce": twin.enterprise,
        "nom": twin.name,
        "discipline": "footbal" if is_wrong and index == faults.discipline else twin.discipline,
        "ins": twin.place.nis_code,
        "commune": twin.place.name_fr,
        "membres": {"femmes": women, "hommes": members - women} if year >= _SPLIT_FROM else members,
        "cotisation": amount(random.randrange(40, 320)),
        "fonde_le": f"{club.founded:%d/%m/%Y}",
        "actif": random.random() < 0.96,
        "compte": club.account,
        "contact": {"nom": " ".join(who), "courriel": email(*who), "tel": telephone(numbers)},
        "remarque": _remark(scenario, index),
    }


def _remark(scenario: Scenario, index: int) -> str | None:
    """Return what the register noted about four clubs in a hundred: free text with names and numbers of people."""
    numbers = scenario.numbers("sport", "remark", index)
    if numbers.random() >= 0.04:
        return None
    first, last = GIRLS[int(numbers.integers(len(GIRLS)))], LAST_NAMES[int(numbers.integers(len(LAST_NAMES)))]
    return f"Passer par {first} {last} (trésorière), {telephone(numbers)}"


@cache
def _faults(scenario: Scenario) -> _Faults:
    random, clubs = scenario.random("sport", "faults of clubs"), club_list(scenario)
    second = random.choice([n for n, club in enumerate(clubs) if club.since == _FAULTS_FROM])
    discipline = random.choice([n for n, club in enumerate(clubs) if club.since == _FIRST_YEAR and club.discipline == "football"])
    first, members = random.sample([n for n, club in enumerate(clubs) if club.since == _FIRST_YEAR and n != discipline], 2)
    return _Faults((first, second), discipline, members)


def _plant(scenario: Scenario, truth: Truth) -> None:
    clubs, faults, month = club_list(scenario), _faults(scenario), str(Month(_FAULTS_FROM, 3))

    def key(index: int) -> Mapping[str, object]:
        return {"club_id": clubs[index].number}

    first, second = faults.twice
    said = f"entered again: it is {clubs[first].number}"
    common = {"dataset": CLUBS, "month": month}
    truth.add("quality", fault="duplicate", column="enterprise_number", key=key(second), detail=said, **common)
    truth.add("quality", fault="out_of_range", column="members", key=key(faults.members), detail="41,200 members", **common)
    planted.unknown_code(truth, (CLUBS, "discipline"), key(faults.discipline), code="footbal", meant="football")

"""The monthly directory of the people of the federation, which shows the year of staff moves. Who answers for what is `moves`'s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from polyceph.testing.federation import moves, people
from polyceph.testing.federation.pieces import Piece, delimited
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

FOLDER = "sftp/data_office_directory"
HEADER = ("Matricule", "Identifiant", "Nom", "Prénom", "Courriel", "Téléphone", "Service", "Fonction", "Rôle", "Entrée", "Remarque")
OTHERS = 22
SERVICES = {
    "data_office": "Bureau des données",
    "education": "Enseignement obligatoire",
    "higher_education": "Enseignement supérieur et recherche",
    "culture": "Culture",
    "sport": "Sport",
    "youth_care": "Aide à la jeunesse",
}
ROLES = {"owner": "responsable des données", "steward": "gestionnaire des données", "interim": "suppléant"}
_PEOPLE = """
claire.fontaine|Claire|Fontaine|data_office|owner
olivier.marchal|Olivier|Marchal|data_office|steward
anne.dupont|Anne|Dupont|education|owner
marc.leroy|Marc|Leroy|education|steward
eva.simon|Eva|Simon|education|interim
paul.gregoire|Paul|Grégoire|higher_education|owner
helene.dumont|Hélène|Dumont|higher_education|steward
yves.lambert|Yves|Lambert|higher_education|interim
luc.baudouin|Luc|Baudouin|culture|owner
sophie.renard|Sophie|Renard|culture|steward
nadia.benali|Nadia|Benali|sport|owner
pierre.collard|Pierre|Collard|sport|steward
catherine.noel|Catherine|Noël|youth_care|owner
vincent.claes|Vincent|Claes|youth_care|steward
karim.zaidi|Karim|Zaïdi|culture|
isabelle.georges|Isabelle|Georges|education|
julie.masson|Julie|Masson|sport|
david.wauters|David|Wauters|youth_care|
martine.piron|Martine|Piron|culture|
lena.schmitz|Lena|Schmitz|data_office|
sarah.benoit|Sarah|Benoît|education|
thomas.evrard|Thomas|Evrard|sport|
fatima.idrissi|Fatima|Idrissi|youth_care|
anouk.peeters|Anouk|Peeters|higher_education|
emilie.charlier|Émilie|Charlier|culture|
"""


@dataclass(frozen=True)
class Official:
    """Somebody of an administration. `role` is what she answers for at the beginning; `entered` her first day of service."""

    person: str
    first_name: str
    last_name: str
    domain: str
    role: str
    entered: date


def officials(scenario: Scenario) -> tuple[Official, ...]:
    """Return the people of `federation.yaml`, then those who answer for no data; numbers follow this order."""
    random = scenario.random("directory", "officials")
    entered = [date(random.randint(1996, 2020), random.randint(1, 12), 1) for _ in range(100)]
    known = [line.split("|") for line in _PEOPLE.strip().splitlines()]
    named = [Official(p, first, last, domain, role, entered[at]) for at, (p, first, last, domain, role) in enumerate(known)]
    others = []
    for at in range(OTHERS):
        first = random.choice(people.GIRLS + people.BOYS)
        last = random.choice(people.LAST_NAMES)
        others.append(Official(f"agent{at + 1:02d}", first, last, random.choice(list(SERVICES)), "", entered[len(named) + at]))
    return (*named, *others)


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield one file a month: who is in service on its last day."""
    staff = officials(scenario)
    for month in scenario.months():
        rows = [_row(scenario, number, one, month) for number, one in enumerate(staff, 1) if not _has_left(one, month)]
        content = delimited(HEADER, rows, delimiter=";", encoding="utf-8-sig")
        yield Piece(f"{FOLDER}/annuaire_{month}.csv", content, month.arrival(days=1))
    for column, category in (("last_name", "name"), ("first_name", "name"), ("email", "e-mail"), ("telephone", "telephone")):
        truth.add("personal_data", dataset="data_office.raw.directory", column=column, category=category, marked=True)
    truth.add("personal_data", dataset="data_office.raw.directory", column="remark", category="free_text", marked=False)


def role_on(one: Official, day: date) -> str:
    """Return `owner`, `steward`, `interim` or nothing: what somebody answers for on a day, after the moves until then."""
    role = one.role
    for move in moves.MOVES:
        if move.successor == one.person and move.successor_from <= day:
            role = move.roles[0]
    return role


def _row(scenario: Scenario, number: int, one: Official, month: Month) -> tuple[object, ...]:
    role = role_on(one, month.last)
    phone = f"081 00 {number // 10:02d} {number % 10}{number * 7 % 10}"
    email = f"{one.person}@example.org" if "." in one.person else f"{one.person}.{one.domain}@example.org"
    title = ROLES.get(role, "attaché")
    return (
        f"A{number:05d}",
        one.person,
        one.last_name.upper() if number % 6 == 0 else one.last_name,
        one.first_name,
        email,
        phone,
        SERVICES[one.domain],
        title,
        f"{one.domain}:{role}" if role else "",
        f"{one.entered:%d/%m/%Y}",
        _remark(scenario, one, month),
    )


def _remark(scenario: Scenario, one: Official, month: Month) -> str:
    """Return what somebody typed: now and then whom to call instead, with a name and a number."""
    random = scenario.random("directory", "remark", one.person, month)
    if random.random() > 0.04:
        return ""
    replacement = f"{random.choice(people.GIRLS)} {random.choice(people.LAST_NAMES)}"
    return f"en congé, appeler {replacement} au 0470 00 {random.randint(10, 99)} {random.randint(10, 99)}"


def _has_left(one: Official, month: Month) -> bool:
    return any(move.person == one.person and move.left <= month.last for move in moves.MOVES)

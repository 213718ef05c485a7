"""Money for research: the yearly workbook of grants in Excel 97, the service of projects and the budget of the institutions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from polyceph.testing.federation import people, workbooks
from polyceph.testing.federation.domains.higher_education_faults import Delivery, Fault, misspelt, spoil, written
from polyceph.testing.federation.domains.higher_education_institutions import institutions
from polyceph.testing.federation.identifiers import iban
from polyceph.testing.federation.pieces import Piece, document, ndjson
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

GRANTS = "share/higher_education_grants"
DATASET = "higher_education.raw.grants"
FIRST_CALL = Month(2022, 5)
PER_CALL, PROJECTS, RESEARCHERS = 150, 600, 300
LARGEST_EUR = 1_500_000
RENAMED = Month(2026, 5)
AMOUNT, AMOUNT_LATER = "Montant (€)", "Montant octroyé (EUR)"
HEADER = ("N° dossier", "Établissement", "Promoteur", "Domaine", "Intitulé", AMOUNT, "Octroyé le", "Durée (mois)", "Référence")
_FAULTS = {
    2022: (
        Fault("orphan", "institution_id", 1, written(1, "UNI99", "no institution has the code UNI99")),
        Fault("out_of_range", "amount_eur", 5, written(5, -12_500.0, "an amount below nothing")),
    ),
    2023: (Fault("duplicate", "grant_id", 0), Fault("unknown_code", "study_domain", 3, misspelt(3))),
    2024: (Fault("orphan", "institution_id", 1, written(1, "HE97", "no institution has the code HE97")),),
}
_ACTIONS = ("Modélisation", "Étude", "Histoire", "Analyse comparée", "Cartographie", "Évaluation", "Perspectives")
_THINGS = (
    "des rivières wallonnes",
    "des parcours étudiants",
    "de la langue orale",
    "des matériaux",
    "du travail social",
    "des archives",
    "du sommeil",
)


@dataclass(frozen=True)
class Grant:
    """A grant of one call. `position` counts within the call from 0."""

    year: int
    position: int
    institution: str
    promoter: str
    domain: str
    title: str
    amount_eur: float
    granted_on: date
    account: str

    @property
    def number(self) -> str:
        """The number of the file."""
        return f"{self.year}-{self.position + 1:05d}"


@lru_cache(maxsize=1)
def researchers(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """Return first and last names of those who do research."""
    drawn = people.people(scenario, people.RESEARCHERS, RESEARCHERS * scenario.scale)
    return tuple(zip(drawn["first_name"].to_pylist(), drawn["last_name"].to_pylist(), strict=True))


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the workbooks of the calls, the service of projects and the budget."""
    for month in scenario.months(FIRST_CALL):
        if month.number == FIRST_CALL.number:
            content = workbooks.xls({"Subsides": _sheet(scenario, truth, month)})
            yield Piece(f"{GRANTS}/subsides_recherche_{month.year}.xls", content, month.arrival())
    if scenario.month >= RENAMED:
        truth.add("drift", dataset=DATASET, month=str(RENAMED), change="column_renamed", column=AMOUNT, becomes=AMOUNT_LATER)
    truth.add("personal_data", dataset=DATASET, column="promoter", category="name", marked=True)
    truth.add("personal_data", dataset=DATASET, column="reference", category="iban", marked=False)
    yield from _projects(scenario, truth)
    yield from _budget(scenario)


def _sheet(scenario: Scenario, truth: Truth, month: Month) -> list[list[object]]:
    """Return title, call, empty line, header, a line a grant, the total."""
    rows = [_cells(grant) for grant in _call(scenario, month)]
    delivery = Delivery(DATASET, month, "grant_id", 0, rows)
    spoil(truth, scenario.random("grants", "faults", month), delivery, _FAULTS.get(month.year, ()))
    header = [AMOUNT_LATER if name == AMOUNT and month >= RENAMED else name for name in HEADER]
    total: list[object] = ["Total", *[None] * 4, round(sum(float(str(row[5])) for row in rows), 2)]
    return [["Subsides à la recherche"], [f"Appel {month.year}"], [], list(header), *rows, total]


def _call(scenario: Scenario, month: Month) -> Iterator[Grant]:
    known, authors = institutions(scenario), researchers(scenario)
    active = [one for one in known if one.kind != "adult_education"]
    random = scenario.random("grants", month)
    for position in range(PER_CALL * scenario.scale):
        one = random.choices(active, weights=[institution.size for institution in active])[0]
        first_name, last_name = random.choice(authors)
        yield Grant(
            year=month.year,
            position=position,
            institution=one.code,
            promoter=f"{last_name.upper()} {first_name}" if random.random() < 0.3 else f"{last_name} {first_name}",
            domain=random.choice(one.taught),
            title=title(random),
            amount_eur=round(min(LARGEST_EUR, max(2_000, random.lognormvariate(11, 0.9))), 2),
            granted_on=month.first + timedelta(days=random.randrange(28)),
            account=iban(random.randint(100, 399), random.randrange(10_000_000)),
        )


def _cells(grant: Grant) -> list[object]:
    first = [grant.number, grant.institution, grant.promoter, grant.domain, grant.title, grant.amount_eur]
    return [*first, grant.granted_on, 12 * (1 + grant.position % 4), grant.account]


def title(random: Random) -> str:
    """Return what a piece of research is called."""
    return f"{random.choice(_ACTIONS)} {random.choice(_THINGS)} {random.choice(('I', 'II', 'III', 'à venir', 'depuis 1945'))}"


def _projects(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the projects that have begun, as the service gives them; who has ended is changed on the day it ended."""
    rows = [row for number in range(1, PROJECTS * scenario.scale + 1) if (row := _project(scenario, number))]
    yield Piece("rest/higher_education_research/projects.ndjson", ndjson(rows))
    collection = {"rows": "data.items", "key": "project_id", "updated": "updated_at"}
    paging = {"paging": "page", "page_size": 100, "rate_per_second": 50, "fault_every": 25}
    yield Piece(
        "rest/higher_education_research/service.json", document({"auth": "oauth2", **paging, "collections": {"projects": collection}})
    )
    for column, category in (("promoter_name", "name"), ("promoter_email", "e-mail")):
        truth.add("personal_data", dataset="higher_education.raw.projects", column=column, category=category, marked=True)


def _project(scenario: Scenario, number: int) -> Mapping[str, Any] | None:
    random = scenario.random("projects", number)
    month = Month(2021, 11).plus(random.randrange(60))
    if month > scenario.month:
        return None
    one = random.choice(institutions(scenario)[:25])
    first_name, last_name = random.choice(researchers(scenario))
    begins = month.first + timedelta(days=random.randrange(28))
    ends = begins + timedelta(days=365 * random.randint(1, 4))
    is_over = ends <= scenario.month.last
    changed = ends if is_over else begins
    return {
        "project_id": number,
        "title": title(random),
        "institution_id": one.code,
        "study_domain": random.choice(one.taught),
        "promoter_name": f"{first_name} {last_name}",
        "promoter_email": f"chercheur{number}@example.org",
        "budget_eur": round(random.lognormvariate(12, 0.7), 2),
        "begins_on": begins,
        "ends_on": ends,
        "status": "closed" if is_over else "running",
        "updated_at": datetime(changed.year, changed.month, changed.day, 8, number % 60, tzinfo=UTC),
    }


def _budget(scenario: Scenario) -> Iterator[Piece]:
    """Yield what each institution is allotted by year, for the old service of the budget."""
    rows = []
    for year in range(2022, scenario.month.year + 1):
        for one in institutions(scenario):
            random = scenario.random("allotments", one.code, year)
            row = {"Year": year, "Institution": one.code, "AllotmentEur": round(one.size * 310_000 * random.uniform(0.97, 1.06), 2)}
            rows.append(row | {"Decree": f"{year}/{random.randint(100, 999)}"})
    yield Piece("soap/higher_education_budget/GetAllotments.ndjson", ndjson(rows))
    fields = {"Year": "xsd:int", "Institution": "xsd:string", "AllotmentEur": "xsd:decimal", "Decree": "xsd:string"}
    operation = {"parameters": {"Year": "xsd:int"}, "row": "Allotment", "fields": fields}
    service = {"auth": "none", "namespace": "urn:budget", "operations": {"GetAllotments": operation}}
    yield Piece("soap/higher_education_budget/service.json", document(service))

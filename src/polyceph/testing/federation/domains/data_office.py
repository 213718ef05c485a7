"""The systems of data_office: lists that every domain joins to, and what the federation knows of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polyceph.testing.federation import places
from polyceph.testing.federation.domains import data_office_directory, data_office_lists
from polyceph.testing.federation.domains.data_office_directory import SERVICES
from polyceph.testing.federation.pieces import Piece, delimited, document, ndjson
from polyceph.testing.federation.places import Municipality
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

ARTICLES = (
    "Traitements",
    "Frais de fonctionnement",
    "Informatique",
    "Bâtiments",
    "Subventions organiques",
    "Subventions facultatives",
    "Études et enquêtes",
    "Communication",
    "Formation",
    "Déplacements",
    "Équipement",
    "Divers",
)
_PATHS = (
    ("municipalities", "province", "education.pupils_by_municipality", "province"),
    ("municipalities", "name_fr", "higher_education.funding_by_municipality", "municipality"),
    ("municipalities", "province", "higher_education.funding_by_municipality", "province"),
    ("codes", "label_fr", "higher_education.research_by_institution", "institution_type"),
)
"""List, its column, the gold dataset of another domain and the column in which it arrives there and in the output of that name.

A domain writes down its own path from these lists where it has one; this adds to them."""


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of the domain's systems."""
    yield from data_office_lists.build(truth)
    yield from data_office_directory.build(scenario, truth)
    yield from _indicators(scenario)
    yield from _portal(scenario)
    yield from _finance(scenario)
    _lineage(truth)


def _indicators(scenario: Scenario) -> Iterator[Piece]:
    """Yield the population on 1 January by municipality, published each year in June."""
    years = [year for year in range(2021, scenario.month.year + 1) if scenario.month >= Month(year, 6)]
    rows = [row for place in places.municipalities() for row in _population(scenario, place, years)]
    rows.sort(key=lambda row: (row["year"], row["nis_code"]))
    yield Piece("explore/data_office_indicators/population.ndjson", ndjson(rows))
    fields = [
        {"name": "nis_code", "label": "Code INS", "type": "text"},
        {"name": "municipality", "label": "Commune", "type": "text"},
        {"name": "year", "label": "Année", "type": "int"},
        {"name": "women", "label": "Femmes", "type": "int"},
        {"name": "men", "label": "Hommes", "type": "int"},
        {"name": "population", "label": "Population au 1er janvier", "type": "int"},
    ]
    meta = {"dataset_id": "population", "title": "Population par commune", "key": ["nis_code", "year"], "fields": fields}
    yield Piece("explore/data_office_indicators/population.meta.json", document(meta))


def _population(scenario: Scenario, place: Municipality, years: list[int]) -> Iterator[dict[str, Any]]:
    random = scenario.random("population", place.nis_code)
    number = 2600 * len(place.postcodes) * random.lognormvariate(1.0, 0.45)
    for year in range(2021, 2027):
        number *= 1 + random.gauss(0.004, 0.005)
        women = round(number * random.gauss(0.508, 0.003))
        if year in years:
            row = {"nis_code": place.nis_code, "municipality": place.name_fr, "year": year, "women": women, "men": round(number) - women}
            yield row | {"population": round(number)}


def _portal(scenario: Scenario) -> Iterator[Piece]:
    """Yield a package of open data: where the town halls are, with their public numbers, and the holidays of the country."""
    halls = list(_town_halls(scenario))
    folder = "ckan/data_office_portal"
    header = ("nis_code", "commune", "rue", "code_postal", "courriel", "telephone")
    yield Piece(f"{folder}/maisons_communales.csv", delimited(header, halls, delimiter=";", encoding="utf-8-sig"))
    yield Piece(f"{folder}/jours_feries.json", document({"jours": list(_public_holidays(scenario))}))
    resources = [
        {"id": "maisons-communales", "name": "Maisons communales", "format": "CSV", "path": "maisons_communales.csv"},
        {"id": "jours-feries", "name": "Jours fériés légaux", "format": "JSON", "path": "jours_feries.json"},
    ]
    package = {"name": "adresses-publiques", "title": "Adresses publiques", "license_id": "cc-by", "resources": resources}
    yield Piece(f"{folder}/package.json", document(package))


def _town_halls(scenario: Scenario) -> Iterator[tuple[object, ...]]:
    for place in places.french_speaking(places.municipalities()):
        random = scenario.random("town hall", place.nis_code)
        street = random.choice(("Place Communale", "Grand-Place", "Rue de l'Hôtel de Ville"))
        phone = f"08{random.randint(0, 7)} 00 {random.randint(10, 99)} {random.randint(10, 99)}"
        email = f"commune{place.nis_code}@example.org"
        yield place.nis_code, place.name_fr, f"{street} {random.randint(1, 30)}", place.postcodes[0], email, phone


def _public_holidays(scenario: Scenario) -> Iterator[dict[str, str]]:
    fixed = (("01-01", "Nouvel An"), ("05-01", "Fête du Travail"), ("07-21", "Fête nationale"), ("08-15", "Assomption"))
    later = (("11-01", "Toussaint"), ("11-11", "Armistice"), ("12-25", "Noël"))
    for year in range(2021, scenario.month.year + 1):
        yield from ({"jour": f"{year}-{day}", "nom": name} for day, name in fixed + later)


def _finance(scenario: Scenario) -> Iterator[Piece]:
    """Yield the budget of each year and what is committed by quarter, as the accounting system shows them."""
    lines = [line for year in range(2022, scenario.month.year + 1) for line in _budget(scenario, year)]
    commitments = [one for line in lines for one in _commitments(scenario, line)]
    folder = "odata/data_office_finance"
    yield Piece(f"{folder}/BudgetLines.ndjson", ndjson(lines))
    yield Piece(f"{folder}/Commitments.ndjson", ndjson(commitments))
    common = {"Year": "Edm.Int32", "Article": "Edm.String"}
    entity_sets = {
        "BudgetLines": {
            "key": ["Year", "Article"],
            "properties": common | {"Service": "Edm.String", "Label": "Edm.String", "VotedEur": "Edm.Decimal"},
        },
        "Commitments": {
            "key": ["Year", "Article", "Quarter"],
            "properties": common | {"Quarter": "Edm.Int32", "CommittedEur": "Edm.Decimal", "UpdatedAt": "Edm.DateTimeOffset"},
            "updated": "UpdatedAt",
        },
    }
    service = {"version": "4.0", "auth": "basic", "namespace": "Finance", "page_size": 200, "entity_sets": entity_sets}
    yield Piece(f"{folder}/service.json", document(service))


def _budget(scenario: Scenario, year: int) -> Iterator[dict[str, Any]]:
    for number, (domain, service) in enumerate(SERVICES.items(), 11):
        for at, label in enumerate(ARTICLES, 1):
            base = scenario.random("budget", domain, label).lognormvariate(14, 0.8)
            voted = round(base * (1.03 ** (year - 2022)), -3)
            yield {"Year": year, "Article": f"{number}.{at:02d}.00", "Service": service, "Label": label, "VotedEur": voted}


def _commitments(scenario: Scenario, line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    random = scenario.random("commitments", line["Year"], line["Article"])
    for quarter in range(1, 5):
        month, spent = Month(line["Year"], 3 * quarter), round(line["VotedEur"] * random.uniform(0.18, 0.25), 2)
        if month <= scenario.month:
            key = {"Year": line["Year"], "Article": line["Article"], "Quarter": quarter}
            yield key | {"CommittedEur": spent, "UpdatedAt": month.arrival(days=10)}


def _lineage(truth: Truth) -> None:
    """Write down where the lists go: into the gold and the outputs of those who join to them."""
    for entity, column, gold, ends in _PATHS:
        listed = [f"data_office.raw.{entity}", f"data_office.bronze.listed_{entity}", f"data_office.gold.{entity}"]
        steps = [{"dataset": dataset, "column": column} for dataset in listed]
        domain, name = gold.split(".")
        steps += [{"dataset": f"{domain}.{zone}.{name}", "column": ends} for zone in ("gold", "output")]
        truth.add("lineage", path=steps)

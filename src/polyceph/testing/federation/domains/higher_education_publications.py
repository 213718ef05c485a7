"""What researchers publish: lines of JSON in a bucket, one archive until 2024 and a file a month since."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from polyceph.testing.federation.domains.higher_education_faults import Delivery, Fault, misspelt, spoil, written
from polyceph.testing.federation.domains.higher_education_grants import researchers, title
from polyceph.testing.federation.domains.higher_education_institutions import institutions
from polyceph.testing.federation.pieces import LONG_AGO, Piece, ndjson
from polyceph.testing.federation.scenario import FIRST, Month, Scenario
from polyceph.testing.federation.truth import Truth

FOLDER = "s3/higher_education_publications"
DATASET = "higher_education.raw.publications"
FIRST_FILE = Month(2025, 1)
"""Since then the repository delivers by month; what is older came as one archive."""
PER_MONTH = 80
DROPPED, LEFT = Month(2025, 6), 0.3
"""In one month the repository lost most of what it had to deliver."""
_FAULTS = {
    "2025-02": (Fault("duplicate", "handle", "handle"),),
    "2025-03": (
        Fault("orphan", "institution_id", "etablissement", written("etablissement", "UNI98", "no institution has the code UNI98")),
    ),
    "2025-07": (Fault("unknown_code", "study_domain", "domaine", misspelt("domaine")),),
    "2025-09": (Fault("out_of_range", "year", "annee", written("annee", 2205, "the year 2205")),),
}
_KINDS = ("article", "article", "article", "chapter", "book", "thesis", "report")


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the archive and the files of the months since."""
    older = [row for index in range(FIRST_FILE.since(FIRST)) for row in _month(scenario, FIRST.plus(index))]
    yield Piece(f"{FOLDER}/publications_2021-2024.ndjson.gz", _packed(older), FIRST_FILE.plus(-1).arrival())
    for month in scenario.months(FIRST_FILE):
        rows = _month(scenario, month)
        delivery = Delivery(DATASET, month, "handle", "handle", rows)
        spoil(truth, scenario.random("publications", "faults", month), delivery, _FAULTS.get(str(month), ()))
        yield Piece(_path(month), _packed(rows), month.arrival())
    dropped = {"dataset": DATASET, "key": _path(DROPPED), "month": str(DROPPED)}
    truth.add(
        "quality", **dropped, fault="volume_drop", detail=f"{_count(scenario, DROPPED)} lines instead of some {PER_MONTH * scenario.scale}"
    )
    for column, category in (("authors", "name"), ("contact_email", "e-mail")):
        truth.add("personal_data", dataset=DATASET, column=column, category=category, marked=True)


def _path(month: Month) -> str:
    return f"{FOLDER}/publications_{month}.ndjson.gz"


def _packed(rows: list[dict[str, Any]]) -> bytes:
    return gzip.compress(ndjson(rows), mtime=int(LONG_AGO.timestamp()))


def _count(scenario: Scenario, month: Month) -> int:
    usual = PER_MONTH * scenario.scale * scenario.random("publications", "count", month).uniform(0.9, 1.1)
    return round(usual * (LEFT if month == DROPPED else 1))


def _month(scenario: Scenario, month: Month) -> list[dict[str, Any]]:
    """Return what is deposited in a month, in the order of its days."""
    random, known = scenario.random("publications", month), institutions(scenario)
    active = [one for one in known if one.kind in ("university", "university_college")]
    count = _count(scenario, month)
    seconds = sorted(random.randrange(month.last.day * 86_400) for _ in range(count))
    where = random.choices(active, weights=[one.size for one in active], k=count)
    begin = datetime(month.year, month.number, 1, tzinfo=UTC)
    rows = []
    for number, (second, one) in enumerate(zip(seconds, where, strict=True), 1):
        placed = {"etablissement": one.code, "domaine": random.choice(one.taught), "depose_le": begin + timedelta(seconds=second)}
        rows.append(_publication(scenario, random, f"2078.{month.year}/{month.number:02d}{number:06d}") | placed)
    return rows


def _publication(scenario: Scenario, random: Random, handle: str) -> dict[str, Any]:
    authors = random.sample(researchers(scenario), random.choice((1, 2, 2, 3, 4)))
    year = int(handle[5:9])
    return {
        "handle": handle,
        "titre": title(random),
        "type": random.choice(_KINDS),
        "auteurs": " ; ".join(f"{last_name}, {first_name}" for first_name, last_name in authors),
        "correspondance": f"chercheur{random.randrange(1000)}@example.org",
        "annee": year - random.choice((0, 0, 0, 1, 2)),
        "doi": f"10.5555/{handle[5:9]}.{random.randrange(10**8):08d}" if random.random() < 0.8 else None,
    }

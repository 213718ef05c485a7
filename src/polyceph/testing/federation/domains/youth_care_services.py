"""What youth care hears by telephone, the foster families it knows, and the reports of visits to services."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from html import escape

from polyceph.testing.federation.domains.youth_care_children import telephones
from polyceph.testing.federation.domains.youth_care_districts import Districts
from polyceph.testing.federation.domains.youth_care_places import Service
from polyceph.testing.federation.identifiers import iban
from polyceph.testing.federation.people import BOYS, GIRLS, LAST_NAMES, STREETS
from polyceph.testing.federation.pieces import Piece, day_in_french, document, ndjson
from polyceph.testing.federation.scenario import FIRST, Month, Scenario

HOTLINE, FOSTER, REPORTS = "rest/youth_care_hotline", "sftp/youth_care_foster", "graph/youth_care_reports"
FAMILIES = 250
LAYOUT = (
    ("number", 8),
    ("last_name", 24),
    ("first_name", 16),
    ("street", 36),
    ("postcode", 4),
    ("municipality", 28),
    ("telephone", 14),
    ("account", 19),
    ("places", 2),
    ("accredited_on", 8),
)
"""Columns of the file of foster families and their widths: no header, texts to the left, numbers to the right with zeros."""
_THEMES = ("violence", "school", "family", "health", "network")
_SERVICE = {
    "auth": "oauth2",
    "paging": "page",
    "page_size": 100,
    "rate_per_second": 50,
    "fault_every": 25,
    "collections": {"calls": {"rows": "data.items", "key": "day", "updated": "updated_at"}},
}
_OLDEST = (1980, 1, 1, 0, 0, 0)
_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def hotline(scenario: Scenario) -> Iterator[Piece]:
    """Yield the service that counts calls by day; it says of each day how many calls there were on each theme."""
    last = (scenario.month.last - FIRST.first).days
    rows = ndjson(_calls(scenario, FIRST.first + timedelta(days=number)) for number in range(last + 1))
    yield Piece(f"{HOTLINE}/service.json", document(_SERVICE))
    yield Piece(f"{HOTLINE}/calls.ndjson", rows, scenario.month.arrival(days=1))


def _calls(scenario: Scenario, day: date) -> dict[str, object]:
    random = scenario.random("youth_care", "hotline", day)
    usual = 46 if day.weekday() < 5 else 28
    themes = {theme: random.randrange(usual // 12, usual // 3) for theme in _THEMES}
    calls = sum(themes.values())
    answered = calls - random.randrange(calls // 6 + 1)
    written = datetime.combine(day + timedelta(days=1), time(3, random.randrange(60)), UTC)
    wait = round(random.uniform(8, 140), 1)
    return {
        "day": day,
        "calls": calls,
        "answered": answered,
        "mean_wait_s": wait,
        "themes": themes,
        "updated_at": written.isoformat().replace("+00:00", "Z"),
    }


def foster(scenario: Scenario, districts: Districts) -> Iterator[Piece]:
    """Yield the families who are accredited on the first of each year, as columns of a fixed width in the encoding of old Windows."""
    for year in range(2022, 2028):
        if scenario.has_reached(f"{year}-01"):
            lines = [line for line in _families(scenario, districts) if line[1] < date(year, 1, 1)]
            content = "".join(f"{text}\r\n" for text, _ in lines).encode("cp1252", errors="replace")
            yield Piece(f"{FOSTER}/familles_{year}.txt", content, datetime(year, 1, 15, 6, tzinfo=UTC))


def _families(scenario: Scenario, districts: Districts) -> Iterator[tuple[str, date]]:
    random, numbers = scenario.random("youth_care", "foster"), scenario.numbers("youth_care", "foster")
    count = FAMILIES * 6 // 5
    homes, phones = districts.draw(random, count), telephones(numbers, count)
    for number, (home, telephone) in enumerate(zip(homes, phones, strict=True), 1):
        # A fifth comes in the years that can still be played.
        accredited = date(2008, 1, 1) + timedelta(days=int(random.triangular(0, 7_000, 5_500)))
        values = (
            f"FA{number:06d}",
            random.choice(LAST_NAMES),
            random.choice([*GIRLS, *BOYS]),
            f"{random.choice(STREETS)} {random.randrange(1, 240)}",
            random.choice(home.postcodes),
            home.name_fr,
            telephone,
            iban(979, 5_000_000 + number),
            f"{random.randrange(1, 4):02d}",
            f"{accredited:%d%m%Y}",
        )
        yield "".join(value.ljust(width)[:width] for value, (_, width) in zip(values, LAYOUT, strict=True)), accredited


def reports(scenario: Scenario, services: Sequence[Service]) -> Iterator[Piece]:
    """Yield a site with the reports of visits to services, one a month, and the list that says what each found."""
    rows = []
    for number, month in enumerate(scenario.months(), 1):
        row, piece = _report(scenario, services, (number, month))
        rows.append(row)
        yield piece
    yield Piece(f"{REPORTS}/lists/visites.ndjson", ndjson(rows), scenario.month.arrival(days=2))


def _report(scenario: Scenario, services: Sequence[Service], what: tuple[int, Month]) -> tuple[dict[str, object], Piece]:
    number, month = what
    random = scenario.random("youth_care", "reports", month)
    one, visited = random.choice(services), month.first + timedelta(days=random.randrange(27))
    inspector, verdict = f"{random.choice(GIRLS)} {random.choice(LAST_NAMES)}", random.choice(("favorable", "avec réserve", "défavorable"))
    child = f"{random.choice(BOYS)} {random.choice(LAST_NAMES)[0]}."
    paragraphs = (
        f"Rapport de visite n° {number:03d}",
        f"{one.name} ({one.code}), visite du {day_in_french(visited)} par {inspector}.",
        f"Personne rencontrée : {one.contact}, téléphone {one.telephone}.",
        f"Entretien avec {child}, qui dit se sentir bien et demande à voir sa sœur plus souvent.",
        f"Capacité agréée : {one.places} places. Avis {verdict}.",
    )
    path = f"Rapports/{month.year}/{month}_{one.code}.docx"
    row = {"Title": paragraphs[0], "Service": one.code, "Visite": visited, "Inspecteur": inspector, "Avis": verdict, "Fichier": path}
    return row, Piece(f"{REPORTS}/library/{path}", _docx(paragraphs), month.arrival(days=2))


def _docx(paragraphs: Sequence[str]) -> bytes:
    """Return the smallest document that Word opens, with these paragraphs."""
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(text, quote=False)}</w:t></w:r></w:p>' for text in paragraphs)
    text = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("[Content_Types].xml", _TYPES), ("_rels/.rels", _RELATIONS), ("word/document.xml", text)):
            info = zipfile.ZipInfo(name, _OLDEST)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()

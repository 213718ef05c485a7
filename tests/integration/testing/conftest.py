"""A small folder of systems, one source of each kind, and its servers."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from polyceph.testing.federation.servers.addresses import SourceAddress
from polyceph.testing.federation.servers.serving import serve


@dataclass(frozen=True)
class Federation:
    """A folder that is served, and where."""

    folder: Path
    addresses: Mapping[str, SourceAddress]

    def of(self, name: str) -> Mapping[str, str]:
        return self.addresses[name].environment

    def sync(self) -> None:
        control = self.of("control")
        httpx.post(f"{control['URL']}/sync", headers={"Authorization": f"Bearer {control['TOKEN']}"}, timeout=60).raise_for_status()

    def received(self, channel: str) -> list[dict[str, Any]]:
        control = self.of("control")
        answer = httpx.get(timeout=60, url=f"{control['URL']}/received/{channel}", headers={"Authorization": f"Bearer {control['TOKEN']}"})
        return answer.raise_for_status().json()

    def token(self, name: str, **more: str) -> str:
        own = self.of(name)
        fields = {"grant_type": "client_credentials", "client_id": own["CLIENT_ID"], "client_secret": own["CLIENT_SECRET"], **more}
        return httpx.post(own["TOKEN_URL"], data=fields, timeout=60).raise_for_status().json()["access_token"]


@pytest.fixture(scope="session")
def federation() -> Iterator[Federation]:
    """Every kind of source, served for the whole session; a test that changes something uses names of its own."""
    with _folder() as folder:
        _everything(folder)
        with serve(folder) as addresses:
            yield Federation(folder, addresses)


@pytest.fixture
def systems() -> Iterator[Path]:
    """A folder of systems for one test: two sources that start quickly."""
    with _folder() as folder:
        put(folder, "ftp/education_transport/2025-10.csv", b"trip;km\r\n1;12,5\r\n")
        put(folder, "rest/education_canteens/service.json", service(auth="none"))
        put(folder, "rest/education_canteens/meals.ndjson", lines({"meal_id": 1}))
        yield folder


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-systems-"))
    try:
        yield folder
    finally:
        remembered = folder / "running" / "remembered.json"
        home = json.loads(remembered.read_text())["words"].get("mariadb home") if remembered.exists() else None
        for left in filter(None, (home, folder)):
            shutil.rmtree(left, ignore_errors=True)


def put(folder: Path, path: str, content: bytes) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def lines(*rows: Mapping[str, Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def service(**more: object) -> bytes:
    meals = {"rows": "data.items", "key": "meal_id", "updated": "updated_at"}
    return json.dumps({"auth": "oauth2", "paging": "page", "page_size": 100, "collections": {"meals": meals}} | more).encode()


def _everything(folder: Path) -> None:
    put(folder, "share/culture_libraries/visits.csv", b"library,visits\nL1,12\n")
    put(folder, "ftp/education_transport/2025/2025-10.csv", b"trip;km\r\n1;12,5\r\n")
    put(folder, "ftp/youth_care_daycare/secret.csv", b"x\n")
    put(folder, "sftp/sport_camps/camps.csv", b"camp;places\n1;20\n")
    put(folder, "sftp/youth_care_foster/families.txt", b"0001 Dupont\n")
    put(folder, "s3/education_sites/2025/10/sites + é.parquet", b"PAR1")
    put(folder, "s3/higher_education_publications/p.ndjson", b"{}\n")
    _mariadb(folder)
    _rest(folder)
    _portals(folder)
    _odata(folder)
    _soap(folder)
    put(folder, "graph/education_inspection/library/Rapports/2025/rapport_1.txt", "À revoir.\n".encode())
    put(folder, "graph/education_inspection/library/notes.txt", b"notes\n")
    put(
        folder,
        "graph/education_inspection/lists/visits.ndjson",
        lines(*({"id": f"V{n}", "Outcome": "ok" if n % 2 else "no"} for n in range(1, 8))),
    )
    put(folder, "graph/education_inspection/service.json", b'{"throttle_every": 0}')


def _mariadb(folder: Path) -> None:
    clubs = "CREATE TABLE clubs (club_id int PRIMARY KEY, name varchar(80) NOT NULL, active boolean, updated_at datetime, fee decimal(8,2))"
    licences = "CREATE TABLE licences (licence_id int PRIMARY KEY, club_id int NOT NULL, FOREIGN KEY (club_id) REFERENCES clubs (club_id))"
    put(folder, "mariadb/sport_licences/schema.sql", f"{clubs};\n{licences};\n".encode())
    put(folder, "mariadb/sport_licences/clubs.csv", '1,"Élan, ""A""",true,2025-10-01 06:00:00.000000Z,12.50\n2,"B\nC",false,,\n'.encode())
    put(folder, "mariadb/sport_licences/licences.csv", b"1,1\n2,99\n")


def _rest(folder: Path) -> None:
    meals = [{"meal_id": n, "updated_at": f"2025-{n % 10 + 1:02d}-01T06:00:00+00:00"} for n in range(1, 251)]
    for name, more in {
        "education_canteens": {},
        "youth_care_hotline": {"auth": "basic", "paging": "offset"},
        "culture_museums": {"auth": "api_key", "paging": "cursor"},
        "higher_education_research": {"auth": "none", "paging": "link"},
        "sport_short": {"token_seconds": 4},
        "sport_slow": {"auth": "none", "rate_per_second": 2},
        "sport_faulty": {"auth": "none", "fault_every": 3},
    }.items():
        put(folder, f"rest/{name}/service.json", service(**more))
        put(folder, f"rest/{name}/meals.ndjson", lines(*meals))


def _portals(folder: Path) -> None:
    events = [
        {
            "event_id": n,
            "title": f"Fête {n}",
            "begins_on": f"2025-{n % 12 + 1:02d}-05",
            "price": n / 2,
            "at": {"lon": 4.5, "lat": 50.1},
            "free": n % 2 == 0,
        }
        for n in range(1, 251)
    ]
    kinds = {"event_id": "int", "title": "text", "begins_on": "date", "price": "double", "at": "geo_point_2d", "free": "boolean"}
    meta = {"dataset_id": "agenda", "title": "Agenda", "fields": [{"name": n, "label": n.upper(), "type": k} for n, k in kinds.items()]}
    put(folder, "explore/culture_events/agenda.ndjson", lines(*events))
    put(folder, "explore/culture_events/agenda.meta.json", json.dumps(meta).encode())
    resources = [
        {"id": "halls", "name": "Maisons communales", "format": "CSV", "path": "halls.csv"},
        {"id": "days", "name": "Jours", "format": "JSON", "path": "days.json"},
    ]
    package = {"name": "adresses", "title": "Adresses publiques", "resources": resources}
    put(folder, "ckan/data_office_portal/package.json", json.dumps(package).encode())
    put(folder, "ckan/data_office_portal/halls.csv", "\ufeffnis_code;rue\r\n92094;Grand-Place\r\n62063;Place Saint-Lambert\r\n".encode())
    put(folder, "ckan/data_office_portal/days.json", b"{}")


def _odata(folder: Path) -> None:
    rows = [
        {"Year": 2022 + n // 100, "Article": f"{n:03d}", "Voted": n * 1.5, "UpdatedAt": f"2025-{n % 9 + 1:02d}-10T06:00:00+00:00"}
        for n in range(250)
    ]
    properties = {"Year": "Edm.Int32", "Article": "Edm.String", "Voted": "Edm.Decimal", "UpdatedAt": "Edm.DateTimeOffset"}
    lines_set = {"key": ["Year", "Article"], "properties": properties, "updated": "UpdatedAt"}
    for name, version in (("data_office_finance", "4.0"), ("data_office_ledger", "2.0")):
        described = {
            "version": version,
            "auth": "basic",
            "namespace": "Finance",
            "page_size": 100,
            "entity_sets": {"BudgetLines": lines_set},
        }
        put(folder, f"odata/{name}/service.json", json.dumps(described).encode())
        put(folder, f"odata/{name}/BudgetLines.ndjson", lines(*rows))


def _soap(folder: Path) -> None:
    fields = {"Year": "xsd:int", "Institution": "xsd:string", "AllotmentEur": "xsd:decimal"}
    operation = {"parameters": {"Year": "xsd:int"}, "row": "Allotment", "fields": fields}
    described = {"auth": "none", "namespace": "urn:budget", "operations": {"GetAllotments": operation}}
    put(folder, "soap/higher_education_budget/service.json", json.dumps(described).encode())
    rows = ({"Year": year, "Institution": f"École & <{n}>", "AllotmentEur": 1000.5 + n} for year in (2024, 2025) for n in range(3))
    put(folder, "soap/higher_education_budget/GetAllotments.ndjson", lines(*rows))

"""The connector `sharepoint` against the federation's Graph service, and against scripted answers for what that one does not do."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.sharepoint import SharepointConnector
from polyceph.connectors.web.quick_xor import quick_xor_hash
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column

CANARY = "canary-word-8813"
KEY = Column("id", "string", required=True, primary_key=True)
VISITS = (
    KEY,
    Column("title", "string", source_name="Title"),
    Column("school_id", "integer", source_name="SchoolId"),
    Column("visited_on", "date", source_name="VisitedOn"),
    Column("inspector", "string", source_name="Inspector"),
    Column("subject", "string", source_name="Subject"),
    Column("outcome", "string", source_name="Outcome"),
    Column("modified", "timestamp", "timestamptz", source_name="Modified"),
)
ARCHIVES = (
    KEY,
    Column("title", "string", source_name="Title"),
    Column("reference", "string", source_name="Cote"),
    Column("dates", "string", source_name="Dates"),
    Column("linear_metres", "number", "decimal(9,1)", source_name="MetresLineaires"),
    Column("donor", "string", source_name="Donateur"),
    Column("remark", "string", source_name="Remarque"),
    Column("modified", "timestamp", "timestamptz", source_name="lastModifiedDateTime"),
)
REPORTS = (
    Column("title", "string", required=True, primary_key=True, source_name="Title"),
    Column("service", "string", source_name="Service"),
    Column("visited_on", "date", source_name="Visite"),
    Column("inspector", "string", source_name="Inspecteur"),
    Column("opinion", "string", source_name="Avis"),
    Column("file", "string", source_name="Fichier"),
)
LINES = (Column("line", "string"),)
TEXTS = {"path": "Rapports/**/*.txt", "format": "csv", "header": "none", "delimiter": "\t", "quote": "", "encoding": "utf-8"}


def sharepoint(url: str, site: str = "federation.example:/sites/s", base: Path = Path(), **more: Any) -> SharepointConnector:
    options = {"url": url, "site": site, "auth": {"kind": "none"}, "requests_per_second": 500, "retries": 4} | more
    return SharepointConnector(SharepointConnector.source_options.model_validate(options), base=base)


@pytest.fixture
def enter(services: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SharepointConnector]:
    def connector(name: str, **more: Any) -> SharepointConnector:
        own = services.of(name)
        monkeypatch.setenv("GRAPH_SECRET", own["CLIENT_SECRET"])
        auth = {"kind": "oauth2", "token_url": own["TOKEN_URL"], "client_id": own["CLIENT_ID"], "client_secret_env": "GRAPH_SECRET"}
        auth |= {"scope": "https://graph.microsoft.com/.default", "client_in": "body"}
        return sharepoint(own["URL"], f"federation.example:/sites/{name}", auth=auth, **more)

    return connector


def expected(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    def value(column: Column, found: Any) -> Any:
        if found is None:
            return None
        if column.logical_type == "number":
            return Decimal(found)
        if column.logical_type == "date":
            return date.fromisoformat(found)
        return datetime.fromisoformat(found) if column.logical_type == "timestamp" else found

    made = [{c.name: value(c, row[c.source_name or c.name]) for c in columns} for row in rows]
    return sorted(made, key=lambda row: row[columns[0].name])


@pytest.mark.parametrize(
    ("name", "listed", "columns"),
    [("education_inspection", "visits", VISITS), ("culture_archives", "fonds", ARCHIVES), ("youth_care_reports", "visites", REPORTS)],
)
def test_each_list_of_the_federation_is_loaded_row_for_row_and_once(
    services: Any, loads: Any, enter: Callable[..., SharepointConnector], name: str, listed: str, columns: tuple[Column, ...]
) -> None:
    promise = loads.contract(*columns)
    [report] = loads.load(enter(name), promise, {"list": listed})
    written = services.rows(f"graph/{name}/lists/{listed}.ndjson")
    assert report.rows == len(written) >= 48
    assert loads.current(promise) == expected(written, columns)
    assert loads.load(enter(name), promise, {"list": listed}) == []


def test_a_list_of_the_federation_is_followed_by_its_changes(services: Any, loads: Any, enter: Callable[..., SharepointConnector]) -> None:
    services.copy("graph", "education_inspection", "inspection_list")
    path, promise = "graph/inspection_list/lists/visits.ndjson", loads.contract(*VISITS)
    loads.load(enter("inspection_list"), promise, {"list": "visits"})
    rows = services.rows(path)
    rows[4] |= {"Outcome": "anders"}
    services.put(path, [*rows[:2], *rows[3:], rows[2] | {"id": "new"}])
    [report] = loads.load(enter("inspection_list"), promise, {"list": "visits"})
    assert loads.changes(promise, report.key) == {"changed": 1, "removed": 1, "added": 1}
    assert loads.current(promise) == expected(services.rows(path), VISITS)
    assert loads.load(enter("inspection_list"), promise, {"list": "visits"}) == []


def library(services: Any, name: str = "education_inspection") -> dict[str, str]:
    root = services.folder / f"graph/{name}/library"
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.txt"))}


def loaded_lines(loads: Any, promise: Any) -> dict[str, list[str]]:
    query = f"SELECT _origin, list(line ORDER BY _row) AS lines FROM meuse.raw.{promise.dataset.name} GROUP BY _origin"
    return {row["_origin"]: row["lines"] for row in loads.lake.query(query).to_pylist()}


def test_the_files_of_a_library_are_loaded_one_delivery_each_and_later_only_what_is_new(
    services: Any, loads: Any, enter: Callable[..., SharepointConnector]
) -> None:
    services.copy("graph", "education_inspection", "inspection_changes")
    promise, connector = loads.contract(*LINES), enter("inspection_changes")
    written = library(services, "inspection_changes")
    reports = loads.load(connector, promise, TEXTS)
    assert len(reports) == len(written) > 10
    assert loaded_lines(loads, promise) == {name: text.splitlines() for name, text in written.items()}
    assert loads.load(connector, promise, TEXTS) == []
    root = services.folder / "graph/inspection_changes/library/Rapports"
    some = next(iter(sorted(written)))
    (root / "2031").mkdir()
    (root / "2031" / "neu é.txt").write_text("eins\nzwei\n", encoding="utf-8")
    (root.parent / some).write_text("changed\n", encoding="utf-8")
    (root.parent / "notes.txt").write_text("not asked for\n", encoding="utf-8")
    after = loads.load(connector, promise, TEXTS)
    assert {report.origin for report in after} == {some, "Rapports/2031/neu é.txt"}
    assert loads.load(connector, promise, TEXTS) == []


def test_a_load_that_ends_between_two_files_goes_on_with_the_rest(
    services: Any, loads: Any, enter: Callable[..., SharepointConnector]
) -> None:
    promise, connector = loads.contract(*LINES), enter("education_inspection")
    for number, delivery in enumerate(connector.deliveries(loads.demand(promise, TEXTS))):
        loads.keep(delivery, promise)
        if number == 2:
            break
    loads.load(connector, promise, TEXTS)
    assert loaded_lines(loads, promise) == {name: text.splitlines() for name, text in library(services).items()}


def test_tables_and_samples_tell_lists_files_and_types(enter: Callable[..., SharepointConnector], tmp_path: Path) -> None:
    connector = enter("education_inspection")
    tables = {table.name: table.options for table in connector.tables()}
    assert tables["lists/visits"] == {"list": "visits"}
    assert any(name.startswith("Documents/Rapports/2022/") for name in tables)
    sample = connector.sample({"list": "visits"}, rows=3, workspace=tmp_path)
    assert len(pa.RecordBatchReader.from_stream(sample.rows).read_all()) == 3
    assert [c.name for c in sample.columns if c.primary_key] == ["id"]


def test_throttling_and_an_expired_token_are_survived(services: Any, loads: Any, enter: Callable[..., SharepointConnector]) -> None:
    services.copy("graph", "culture_archives", "archives_strict", throttle_every=3, token_seconds=4)
    connector, promise = enter("archives_strict", requests_per_second=1), loads.contract(*ARCHIVES)
    loads.load(connector, promise, {"list": "fonds"})
    written = services.rows("graph/archives_strict/lists/fonds.ndjson")
    assert loads.current(promise) == expected(written, ARCHIVES)


SITE = "/v1.0/sites/federation.example:/sites/s"
ITEMS = "/v1.0/sites/S/lists/L/items"
PEOPLE = (KEY, Column("name", "string", source_name="Name"), Column("born", "date", source_name="Born"))


def graph(service: Any) -> Any:
    """Write a site with the list `people`, whose columns are described."""
    service.answer(SITE, {"id": "S"})
    service.answer("/v1.0/sites/S/lists", {"value": [{"id": "L", "name": "people", "displayName": "Leute", "list": {}}]})
    columns = [
        {"name": "Name", "displayName": "Nom", "text": {}, "required": True},
        {"name": "Born", "displayName": "Born", "dateTime": {"format": "dateOnly"}},
        {"name": "Fee", "displayName": "Fee", "currency": {"locale": "fr-BE"}},
        {"name": "Seen", "displayName": "Seen", "dateTime": {"format": "dateTime"}},
    ]
    service.answer("/v1.0/sites/S/lists/L/columns", {"value": columns})
    return service


def item(identity: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "fields": {"id": identity, **fields}}


def told(service: Any, token: str, rows: list[Mapping[str, Any]], following: str) -> None:
    query = "token=latest&%24expand=fields%28%24select%3Did%2CName%2CBorn%29" if token == "latest" else f"token={token}"
    service.answer(f"{ITEMS}/delta?{query}", {"value": rows, "@odata.deltaLink": f"{service.url}{ITEMS}/delta?token={following}"})


def people(service: Any, **more: Any) -> SharepointConnector:
    return sharepoint(f"{service.url}/v1.0", **more)


def test_a_list_is_followed_by_its_changes_and_deletions_end_their_keys(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = graph(scripted()), loads.contract(*PEOPLE)
    told(service, "latest", [], "1")
    service.answer(ITEMS, {"value": [item("1", Name="Ann", Born="1999-12-31T23:00:00Z"), item("2", Name="Bo"), item("3", Name="Cy")]})
    told(service, "1", [item("2", Name="Bob"), {"id": "3", "deleted": {"state": "deleted"}}, {"id": "4"}, item("2", Name="Bobby")], "2")
    service.answer(f"{ITEMS}/4", item("4", Name="Di"))
    told(service, "2", [], "2")
    options = {"list": "Leute", "timezone": "Europe/Brussels"}
    loads.load(people(service), promise, options)
    [report] = loads.load(people(service), promise, options)
    assert loads.changes(promise, report.key) == {"changed": 1, "removed": 1, "added": 1}
    assert [(row["id"], row["name"], row["born"]) for row in loads.current(promise)] == [
        ("1", "Ann", date(2000, 1, 1)),
        ("2", "Bobby", None),
        ("4", "Di", None),
    ]
    assert loads.load(people(service), promise, options) == []


def test_a_list_whose_link_has_expired_is_read_as_a_whole(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = graph(scripted()), loads.contract(*PEOPLE)
    told(service, "latest", [], "1")
    told(service, "latest", [], "8")
    service.answer(ITEMS, {"value": [item("1", Name="Ann"), item("2", Name="Bo")]})
    service.answer(ITEMS, {"value": [item("1", Name="Anna")]})
    service.answer(f"{ITEMS}/delta?token=1", {"error": {"code": "resyncRequired"}}, 410)
    loads.load(people(service), promise, {"list": "people"})
    [report] = loads.load(people(service), promise, {"list": "people"})
    assert loads.changes(promise, report.key) == {"changed": 1, "removed": 1}


def test_columns_of_a_list_have_types_and_names(scripted: Callable[[], Any], loads: Any, tmp_path: Path) -> None:
    service = graph(scripted())
    service.answer(ITEMS, {"value": [item("1", Name="Ann", Fee=12.5, Seen="2025-03-01T10:00:00Z")]})
    sample = people(service).sample({"list": "people"}, rows=5, workspace=tmp_path)
    found = {c.name: (c.logical_type, c.physical_type, c.description) for c in sample.columns}
    assert found["Name"] == ("string", None, "Nom")
    assert (found["Fee"][:2], found["Seen"][:2], found["Born"][:2]) == (
        ("number", "decimal(19,4)"),
        ("timestamp", "timestamptz"),
        ("date", None),
    )
    with pytest.raises(Invalid, match="does not have") as caught:
        loads.load(people(service), loads.contract(KEY, Column("nom", "string", source_name="Nam")), {"list": "people"})
    assert "Name" in str(caught.value.problems[0])
    with pytest.raises(NotFound, match="no list"):
        loads.load(people(service), loads.contract(KEY), {"list": "peoples"})


CSV = b"code;n\n00123;1\n"
TABLE = (Column("code", "string"), Column("n", "integer"))
DELTA = "/v1.0/drives/D/root/delta"


def drive(service: Any, store: Any, content: bytes = CSV, **file: Any) -> dict[str, Any]:
    """Write a drive with the file `In/a.csv`, whose content another service has."""
    store.answer("/get/a", content)
    described = {"id": "A", "name": "a.csv", "size": len(content), "cTag": "c1", "lastModifiedDateTime": "2025-01-01T00:00:00Z"}
    described |= {"parentReference": {"id": "F"}, "file": {"hashes": {"quickXorHash": xor(content)}}, **file}
    described["@microsoft.graph.downloadUrl"] = f"{store.url}/get/a?tempauth={CANARY}"
    folder = {"id": "F", "name": "In", "folder": {}, "parentReference": {"id": "R"}}
    rows = [{"id": "R", "name": "root", "root": {}, "folder": {}}, described, folder]
    service.answer(DELTA, {"value": rows, "@odata.deltaLink": f"{service.url}{DELTA}?token=1"})
    service.answer(f"{DELTA}?token=1", {"value": [], "@odata.deltaLink": f"{service.url}{DELTA}?token=1"})
    service.answer("/v1.0/drives/D/items/A", described)
    return described


def onedrive(service: Any, **more: Any) -> SharepointConnector:
    return sharepoint(f"{service.url}/v1.0", site=None, drive="D", **more)  # type: ignore[arg-type]


def xor(content: bytes) -> str:
    """Return the checksum as its definition says: byte by byte, each turned by 11 bits more."""

    def turned(byte: int, bits: int) -> int:
        return ((byte << bits) | (byte << bits >> 160)) & ((1 << 160) - 1)

    found = reduce(lambda made, at: made ^ turned(content[at], 11 * at % 160), range(len(content)), 0)
    return base64.b64encode((found ^ (len(content) << 96)).to_bytes(20, "little")).decode()


@pytest.mark.parametrize(
    ("content", "known"),
    [(b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), (b"\x4a", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="), (b"\xb5\xb4", "taAFAAAAAAAAAAAAAgAAAAAAAAA=")],
)
def test_the_checksum_is_microsofts(tmp_path: Path, content: bytes, known: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert quick_xor_hash(tmp_path / "f") == known == xor(content)


def test_the_checksum_of_a_long_file_is_that_of_its_definition(tmp_path: Path) -> None:
    content = bytes(n * n % 251 for n in range(1_500_007))
    (tmp_path / "f").write_bytes(content)
    assert quick_xor_hash(tmp_path / "f") == xor(content)


def test_a_file_is_fetched_from_its_own_host_without_our_token(
    scripted: Callable[[], Any], loads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPH_KEY", CANARY)
    service, store, promise = scripted(), scripted(), loads.contract(*TABLE)
    drive(service, store)
    auth = {"kind": "api_key", "key_env": "GRAPH_KEY", "header": "Authorization", "prefix": "Bearer "}
    [report] = loads.load(onedrive(service, auth=auth, hosts=("localhost",)), promise, {"path": "In/*.csv"})
    assert (report.origin, report.rows) == ("In/a.csv", 1)
    assert loads.current(promise) == [{"code": "00123", "n": 1}]
    [(_, headers)] = store.asked("/get/a")
    assert "authorization" not in headers
    assert all(headers["authorization"] == f"Bearer {CANARY}" for _, headers in service.asked("/v1.0/"))


def test_a_download_from_an_undeclared_host_is_refused(scripted: Callable[[], Any], loads: Any) -> None:
    service, store = scripted(), scripted()
    described = drive(service, store)
    described["@microsoft.graph.downloadUrl"] = f"http://localhost:{store.url.rpartition(':')[2]}/get/a"
    service.answers["/v1.0/drives/D/items/A"].clear()
    service.answer("/v1.0/drives/D/items/A", described)
    with pytest.raises(Denied, match="localhost"):
        loads.load(onedrive(service), loads.contract(*TABLE), {"path": "In/*.csv"})
    assert store.requests == []


@pytest.mark.parametrize(
    "wrong", [{"size": 7}, {"file": {"hashes": {"sha256Hash": "0" * 64}}}, {"file": {"hashes": {"quickXorHash": "AAAA"}}}]
)
def test_a_file_that_does_not_arrive_as_it_is_kept_is_not_loaded(scripted: Callable[[], Any], loads: Any, wrong: dict[str, Any]) -> None:
    service, store = scripted(), scripted()
    drive(service, store, **wrong)
    with pytest.raises(Unavailable, match="does not arrive") as caught:
        loads.load(onedrive(service), loads.contract(*TABLE), {"path": "In/*.csv"})
    assert CANARY not in f"{caught.value} {caught.value.hint}"


def test_a_file_that_changes_while_it_is_fetched_is_fetched_again(scripted: Callable[[], Any], loads: Any) -> None:
    service, store, promise = scripted(), scripted(), loads.contract(*TABLE)
    described = drive(service, store)
    service.answer("/v1.0/drives/D/items/A", described | {"cTag": "c2"})
    loads.load(onedrive(service), promise, {"path": "In/*.csv"})
    assert len(store.asked("/get/a")) == 2
    other, promise = scripted(), loads.contract(*TABLE)
    described = drive(other, store)
    for number in range(8):
        other.answer("/v1.0/drives/D/items/A", described | {"cTag": f"n{number}"})
    with pytest.raises(Conflict, match="being written"):
        loads.load(onedrive(other), promise, {"path": "In/*.csv"})


def test_an_expired_link_of_a_library_loads_no_file_twice(scripted: Callable[[], Any], loads: Any) -> None:
    service, store, promise = scripted(), scripted(), loads.contract(*TABLE)
    drive(service, store)
    loads.load(onedrive(service), promise, {"path": "In/*.csv"})
    service.answers[f"{DELTA}?token=1"].clear()
    service.answer(f"{DELTA}?token=1", {"error": {"code": "resyncRequired"}}, 410)
    assert loads.load(onedrive(service), promise, {"path": "In/*.csv"}) == []
    assert len(store.asked("/get/a")) == 1


def test_a_folder_that_moves_brings_its_files_along(scripted: Callable[[], Any], loads: Any) -> None:
    service, store, promise = scripted(), scripted(), loads.contract(*TABLE)
    described = drive(service, store)
    store.answers["/get/b"] = [(200, {}, b"code;n\nb;2\n")]
    second = described | {"id": "B", "name": "b.csv", "parentReference": {"id": "G"}, "size": 11, "file": {}, "cTag": "b1"}
    second["@microsoft.graph.downloadUrl"] = f"{store.url}/get/b"
    service.answer("/v1.0/drives/D/items/B", second)
    rows = service.answers[DELTA].pop()
    other = {"id": "G", "name": "Out", "folder": {}, "parentReference": {"id": "R"}}
    listed = json.loads(rows[2])
    listed["value"] += [other, second]
    service.answer(DELTA, listed)
    loads.load(onedrive(service), promise, {"path": "In/**/*.csv"})
    service.answers[f"{DELTA}?token=1"].clear()
    moved = other | {"parentReference": {"id": "F"}}
    service.answer(f"{DELTA}?token=1", {"value": [moved], "@odata.deltaLink": f"{service.url}{DELTA}?token=2"})
    listed["value"] = [row for row in listed["value"] if row["id"] != "G"] + [moved]
    service.answers[DELTA].clear()
    service.answer(DELTA, listed)
    assert [report.origin for report in loads.load(onedrive(service), promise, {"path": "In/**/*.csv"})] == ["In/Out/b.csv"]


def test_what_matches_nothing_is_said_with_what_is_near(scripted: Callable[[], Any], loads: Any) -> None:
    service, store = scripted(), scripted()
    drive(service, store)
    with pytest.raises(NotFound, match="no file") as caught:
        loads.load(onedrive(service), loads.contract(*TABLE), {"path": "In/b.csv"})
    assert "In/a.csv" in str(caught.value.problems[0])


def test_a_name_that_would_leave_the_folder_is_refused(scripted: Callable[[], Any], loads: Any) -> None:
    service, store = scripted(), scripted()
    drive(service, store, name="../../evil.csv")
    with pytest.raises(Invalid, match="name cannot be"):
        loads.load(onedrive(service), loads.contract(*TABLE), {"path": "**/*.csv"})


def test_no_secret_is_said(
    scripted: Callable[[], Any], loads: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GRAPH_SECRET", CANARY)
    service = scripted()
    service.answer("/token", {"error": "invalid_client", "error_description": CANARY}, 401)
    auth = {
        "kind": "oauth2",
        "token_url": f"{service.url}/token",
        "client_id": "app",
        "client_secret_env": "GRAPH_SECRET",
        "client_in": "body",
    }
    with pytest.raises(Misconfigured) as caught:
        loads.load(people(service, auth=auth), loads.contract(*PEOPLE), {"list": "people"})
    said = [f"{caught.value} {caught.value.hint}"]
    other, store = scripted(), scripted()
    drive(other, store)
    store.answers["/get/a"].clear()
    store.answer("/get/a", b"", 403)
    with pytest.raises(PolycephError) as refused:
        loads.load(onedrive(other, retries=0), loads.contract(*TABLE), {"path": "In/*.csv"})
    said.append(f"{refused.value} {refused.value.hint}")
    assert CANARY not in " ".join(said)
    assert CANARY not in caplog.text

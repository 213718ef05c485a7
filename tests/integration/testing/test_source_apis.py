"""The APIs of the systems over HTTP, as a connector meets them: pages, refusals, limits, changes."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow.parquet
import pytest
import zeep

if TYPE_CHECKING:
    from conftest import Federation

Json = dict[str, Any]
SECONDS = 60
ROOT = "root"
get = partial(httpx.get, timeout=SECONDS)
post = partial(httpx.post, timeout=SECONDS)


# REST


def test_a_token_opens_the_service_and_pages_hold_every_row_once(federation: Federation) -> None:
    own = federation.of("education_canteens")
    headers = {"Authorization": f"Bearer {federation.token('education_canteens')}"}
    found: list[int] = []
    for page in (1, 2, 3):
        answer = get(f"{own['URL']}/meals", params={"page": page}, headers=headers).raise_for_status().json()
        assert (answer["page"], answer["pages"], answer["total"]) == (page, 3, 250)
        found += [row["meal_id"] for row in answer["data"]["items"]]
    assert found == list(range(1, 251))
    assert get(f"{own['URL']}/meals/7", headers=headers).json()["meal_id"] == 7


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_the_token_endpoint_refuses(federation: Federation, change: dict[str, str], status: int, error: str) -> None:
    own = federation.of("education_canteens")
    fields = {"grant_type": "client_credentials", "client_id": own["CLIENT_ID"], "client_secret": own["CLIENT_SECRET"]} | change
    answer = post(own["TOKEN_URL"], data=fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.text


def test_basic_authentication_of_the_client_is_taken_too(federation: Federation) -> None:
    own = federation.of("education_canteens")
    answer = post(own["TOKEN_URL"], data={"grant_type": "client_credentials"}, auth=(own["CLIENT_ID"], own["CLIENT_SECRET"]))
    assert answer.json()["expires_in"] == 300
    assert answer.headers["cache-control"] == "no-store"


def test_a_token_expires_and_is_good_for_one_service_only(federation: Federation) -> None:
    token, other = federation.token("sport_short"), federation.of("education_canteens")["URL"]
    url = federation.of("sport_short")["URL"]
    assert get(f"{url}/meals", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert get(f"{other}/meals", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    time.sleep(5.1)
    answer = get(f"{url}/meals", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert get(f"{url}/meals", headers={"Authorization": f"Bearer {token[:-4]}AAAA"}).status_code == 401
    assert get(f"{url}/meals").status_code == 401


def test_other_ways_in_and_other_ways_to_page(federation: Federation) -> None:
    hotline, museums, research = (federation.of(name) for name in ("youth_care_hotline", "culture_museums", "higher_education_research"))
    assert get(f"{hotline['URL']}/meals", auth=(hotline["CLIENT_ID"], "wrong")).status_code == 401
    page = get(f"{hotline['URL']}/meals", params={"offset": 240, "limit": 50}, auth=(hotline["CLIENT_ID"], hotline["CLIENT_SECRET"])).json()
    assert (len(page["data"]["items"]), page["total"]) == (10, 250)

    assert get(f"{museums['URL']}/meals", headers={"X-API-Key": "wrong"}).status_code == 401
    found, cursor = [], None
    while cursor is not None or not found:
        parameters = {"cursor": cursor} if cursor else {}
        page = get(f"{museums['URL']}/meals", params=parameters, headers={"X-API-Key": museums["CLIENT_SECRET"]}).json()
        found += page["data"]["items"]
        cursor = page["next_cursor"]
    assert [row["meal_id"] for row in found] == list(range(1, 251))

    found, url = [], f"{research['URL']}/meals?page_size=90"
    while url:
        answer = get(url)
        found += answer.json()["data"]["items"]
        url = answer.links.get("next", {}).get("url", "")
    assert len({row["meal_id"] for row in found}) == 250


@pytest.mark.parametrize("query", ["page_size=101", "page_size=0", "page=0", "page=x", "since=yesterday", "page=-1"])
def test_a_wrong_question_is_refused(federation: Federation, query: str) -> None:
    answer = get(f"{federation.of('higher_education_research')['URL']}/meals?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["service", "nothing", "..%2f..%2fshare", "meals/999", "..%2Fhigher_education_research%2Fmeals", "%2e%2e/x"]
)
def test_what_is_no_collection_is_not_there(federation: Federation, path: str) -> None:
    assert get(f"{federation.of('higher_education_research')['URL']}/{path}").status_code == 404


def test_since_leaves_what_changed_from_then_on_oldest_first(federation: Federation) -> None:
    url = f"{federation.of('higher_education_research')['URL']}/meals"
    moments = [row["updated_at"] for row in get(url, params={"since": "2025-09-01T06:00:00Z"}).json()["data"]["items"]]
    assert moments == ["2025-09-01T06:00:00+00:00"] * 25 + ["2025-10-01T06:00:00+00:00"] * 25
    assert len(get(f"{url}?since=2025-10-01T06:00:00+00:00").json()["data"]["items"]) == 25


def test_too_many_requests_are_told_when_to_come_again(federation: Federation) -> None:
    url = f"{federation.of('sport_slow')['URL']}/meals"
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: get(url), range(30)))
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1
    time.sleep(int(refused[0].headers["retry-after"]) + 0.1)
    assert get(url).status_code == 200


def test_each_third_request_fails_when_the_service_says_so(federation: Federation) -> None:
    url = f"{federation.of('sport_faulty')['URL']}/meals"
    answers = [get(url) for _ in range(6)]
    assert [one.status_code for one in answers] == [200, 200, 503, 200, 200, 503]
    assert answers[2].headers["retry-after"] == "1"


def test_rows_that_are_added_are_seen_at_once_and_many_may_ask_together(federation: Federation) -> None:
    url = f"{federation.of('higher_education_research')['URL']}/meals"
    path = federation.folder / "rest/higher_education_research/meals.ndjson"
    before = path.read_bytes()
    path.write_bytes(before + b'{"meal_id": 251, "updated_at": "2025-11-01T06:00:00Z"}\n')
    assert len(get(f"{url}?since=2025-10-15T00:00:00Z").json()["data"]["items"]) == 1
    path.write_bytes(before)
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda n: len(get(f"{url}?since=2025-{n % 9 + 1:02d}-01T00:00:00Z").json()["data"]["items"]), range(40)))
    assert sizes == [min(100, 25 * (10 - n % 9)) for n in range(40)]


# Explore


def _explore(federation: Federation, path: str, **parameters: object) -> httpx.Response:
    url = f"{federation.of('culture_events')['URL']}/api/explore/v2.1/catalog/datasets{path}"
    return get(url, params={name: str(value) for name, value in parameters.items()})


def test_the_catalogue_shows_a_dataset_with_its_fields(federation: Federation) -> None:
    answer = _explore(federation, "").json()
    assert answer["total_count"] == 1
    (dataset,) = answer["results"]
    assert dataset == _explore(federation, "/agenda").json()
    assert dataset["metas"]["default"]["records_count"] == 250
    assert [one["name"] for one in dataset["fields"]][:2] == ["event_id", "title"]
    assert _explore(federation, "/nothing").status_code == 404
    assert _explore(federation, "/agenda.meta").status_code == 404


def test_records_are_paged_within_the_limits_of_the_real_one(federation: Federation) -> None:
    assert len(_explore(federation, "/agenda/records").json()["results"]) == 10
    page = _explore(federation, "/agenda/records", limit=100, offset=200).json()
    assert (page["total_count"], len(page["results"])) == (250, 50)
    refused = _explore(federation, "/agenda/records", limit=101)
    assert refused.status_code == 400
    assert refused.json() == {
        "error_code": "InvalidRESTParameterError",
        "message": "Invalid value for limit API parameter: 101 was found but -1 <= limit <= 100 is expected.",
    }
    refused = _explore(federation, "/agenda/records", limit=100, offset=9_901)
    assert "10001 was found but <= 10000 is expected" in refused.json()["message"]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("begins_on >= date'2025-12-01'", 20),
        ("begins_on >= date'2025-11-01' and begins_on < date'2025-12-01'", 21),
        ("event_id <= 5 or event_id in (7, 9)", 7),
        ("not (price > 2) and free = true", 2),
        ('title like "fête 25"', 2),
        ("title = 'Fête 3'", 1),
        ("at is null", 0),
        ("at is not null", 250),
    ],
)
def test_where_keeps_what_it_says(federation: Federation, where: str, count: int) -> None:
    assert _explore(federation, "/agenda/records", where=where).json()["total_count"] == count


@pytest.mark.parametrize(
    "parameters",
    [
        {"where": "event_id eq 5"},
        {"where": "event_id > "},
        {"where": "((event_id > 5)"},
        {"where": "event_id > 5; DROP"},
        {"where": "(" * 100 + "event_id=1" + ")" * 100},
        {"order_by": "nothing"},
        {"select": "nothing"},
        {"select": "count(*)"},
        {"group_by": "title"},
        {"offset": "-1"},
        {"limit": "ten"},
    ],
)
def test_what_is_not_of_the_language_is_refused(federation: Federation, parameters: Json) -> None:
    answer = _explore(federation, "/agenda/records", **parameters)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in ("ODSQLError", "InvalidRESTParameterError")


def test_select_and_order_by(federation: Federation) -> None:
    rows = _explore(
        federation, "/agenda/records", select="title as name, event_id", order_by="begins_on desc, event_id desc", limit=2
    ).json()
    assert rows["results"] == [{"name": "Fête 239", "event_id": 239}, {"name": "Fête 227", "event_id": 227}]


def test_exports_hold_every_record_in_each_format(federation: Federation) -> None:
    text = _explore(federation, "/agenda/exports/csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert len(rows) == 250
    assert rows[0] == {"event_id": "1", "title": "Fête 1", "begins_on": "2025-02-05", "price": "0.5", "at": "50.1, 4.5", "free": "false"}
    labelled = _explore(federation, "/agenda/exports/csv", use_labels="true", with_bom="false", delimiter=",", limit=1).text
    assert labelled.splitlines()[0] == "EVENT_ID,TITLE,BEGINS_ON,PRICE,AT,FREE"
    assert len(_explore(federation, "/agenda/exports/json").json()) == 250
    lines = _explore(federation, "/agenda/exports/jsonl", where="event_id <= 3").text.splitlines()
    assert [json.loads(line)["event_id"] for line in lines] == [1, 2, 3]
    table = pyarrow.parquet.read_table(io.BytesIO(_explore(federation, "/agenda/exports/parquet").content))
    assert table.num_rows == 250
    assert {str(field.type) for field in table.schema} == {"int64", "string", "date32[day]", "double", "bool"}
    assert _explore(federation, "/agenda/exports/json", where="event_id > 1000").json() == []
    assert _explore(federation, "/agenda/exports/csv", offset=1).status_code == 400
    assert _explore(federation, "/agenda/exports/exe").status_code == 400


# CKAN


def _ckan(federation: Federation, action: str, **parameters: object) -> httpx.Response:
    return get(f"{federation.of('data_office_portal')['URL']}/api/3/action/{action}", params={k: str(v) for k, v in parameters.items()})


def test_a_package_and_its_files(federation: Federation) -> None:
    assert _ckan(federation, "package_list").json()["result"] == ["adresses"]
    package = _ckan(federation, "package_show", id="adresses").json()["result"]
    assert [one["datastore_active"] for one in package["resources"]] == [True, False]
    downloaded = get(package["resources"][0]["url"])
    assert downloaded.content == (federation.folder / "ckan/data_office_portal/halls.csv").read_bytes()
    assert len(downloaded.content) == package["resources"][0]["size"]
    assert _ckan(federation, "package_search", q="publiques").json()["result"]["count"] == 1
    assert _ckan(federation, "package_search", q="nothing").json()["result"]["count"] == 0
    assert _ckan(federation, "resource_show", id="days").json()["result"]["format"] == "JSON"


def test_the_datastore_answers_by_get_and_post(federation: Federation) -> None:
    found = _ckan(federation, "datastore_search", resource_id="halls", limit=1).json()["result"]
    assert (found["total"], found["records"]) == (2, [{"_id": 1, "nis_code": "92094", "rue": "Grand-Place"}])
    filtered = _ckan(federation, "datastore_search", resource_id="halls", filters='{"nis_code": "62063"}', fields="rue").json()["result"]
    assert filtered["records"] == [{"rue": "Place Saint-Lambert"}]
    posted = post(
        f"{federation.of('data_office_portal')['URL']}/api/3/action/datastore_search", json={"resource_id": "halls", "sort": "rue desc"}
    )
    assert [row["_id"] for row in posted.json()["result"]["records"]] == [2, 1]


def test_ckan_says_no_as_ckan_does(federation: Federation) -> None:
    for answer, status, kind in (
        (_ckan(federation, "package_show", id="nothing"), 404, "Not Found Error"),
        (_ckan(federation, "package_show"), 409, "Validation Error"),
        (_ckan(federation, "datastore_search", resource_id="days"), 404, "Not Found Error"),
        (_ckan(federation, "datastore_search", resource_id="halls", filters="{"), 409, "Validation Error"),
        (_ckan(federation, "datastore_search", resource_id="halls", fields="nothing"), 409, "Validation Error"),
        (_ckan(federation, "datastore_search", resource_id="halls", limit="-1"), 409, "Validation Error"),
    ):
        assert (answer.status_code, answer.json()["success"], answer.json()["error"]["__type"]) == (status, False, kind)
    assert _ckan(federation, "package_delete", id="adresses").status_code == 400
    url = federation.of("data_office_portal")["URL"]
    for path in (
        "dataset/adresses/resource/halls/download/package.json",
        "dataset/adresses/resource/halls/download/..%2f..%2fx",
        "dataset/x/resource/halls/download/halls.csv",
    ):
        assert get(f"{url}/{path}").status_code == 404


def test_a_package_cannot_name_a_file_outside_its_folder(federation: Federation) -> None:
    root = federation.folder / "ckan/sport_escape"
    root.mkdir(parents=True)
    resource = {"id": "x", "format": "CSV", "path": "../data_office_portal/halls.csv"}
    (root / "package.json").write_text(json.dumps({"name": "p", "resources": [resource]}))
    federation.sync()
    url = federation.of("data_office_portal")["URL"].replace("data_office_portal", "sport_escape")
    for path in (
        "api/3/action/package_show?id=p",
        "dataset/p/resource/x/download/halls.csv",
        "api/3/action/datastore_search?resource_id=x",
    ):
        answer = get(f"{url}/{path}")
        assert answer.status_code == 404
        assert b"Grand-Place" not in answer.content


# OData


def _all_pages(get: Callable[[str], Json], url: str, next_link: Callable[[Json], str | None]) -> list[Json]:
    pages = []
    link: str | None = url
    while link:
        pages.append(get(link))
        link = next_link(pages[-1])
    return pages


def test_odata_4_pages_by_itself_and_describes_itself(federation: Federation) -> None:
    own = federation.of("data_office_finance")
    with httpx.Client(timeout=SECONDS, auth=(own["USER"], own["PASSWORD"])) as client:
        assert [one["name"] for one in client.get(own["URL"]).json()["value"]] == ["BudgetLines"]
        metadata = client.get(f"{own['URL']}$metadata")
        assert metadata.headers["content-type"].startswith("application/xml")
        assert '<Property Name="Voted" Type="Edm.Decimal"' in metadata.text
        pages = _all_pages(
            lambda link: client.get(link).raise_for_status().json(),
            f"{own['URL']}BudgetLines?$count=true",
            lambda p: p.get("@odata.nextLink"),
        )
        rows = [row for page in pages for row in page["value"]]
        assert [len(page["value"]) for page in pages] == [100, 100, 50]
        assert len({(row["Year"], row["Article"]) for row in rows}) == pages[0]["@odata.count"] == 250
        assert client.get(f"{own['URL']}BudgetLines/$count").text == "250"
        one = client.get(f"{own['URL']}BudgetLines(Year=2022,Article='007')").json()
        assert (one["Voted"], one["@odata.context"].endswith("$entity")) == (10.5, True)
        filtered = client.get(
            f"{own['URL']}BudgetLines",
            params={
                "$filter": "Year eq 2023 and Voted gt 250 or startswith(Article,'00')",
                "$select": "Article",
                "$orderby": "Voted desc",
                "$top": "2",
            },
        )
        assert filtered.json()["value"] == [{"Article": "199"}, {"Article": "198"}]
        top = _all_pages(
            lambda link: client.get(link).json(), f"{own['URL']}BudgetLines?$top=130&$skip=50", lambda p: p.get("@odata.nextLink")
        )
        assert sum(len(page["value"]) for page in top) == 130


@pytest.mark.parametrize(
    "query", ["$filter=Year == 1", "$filter=Year eq", "$select=Nothing", "$orderby=Nothing", "$top=-1", "$expand=X", "$filter=Year = 2022"]
)
def test_odata_refuses_what_it_cannot_do(federation: Federation, query: str) -> None:
    own = federation.of("data_office_finance")
    answer = get(f"{own['URL']}BudgetLines?{query}", auth=(own["USER"], own["PASSWORD"]))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "400"


def test_odata_wants_its_user_and_a_token_before_a_change(federation: Federation) -> None:
    own = federation.of("data_office_finance")
    assert get(own["URL"]).status_code == 401
    assert get(own["URL"], auth=(own["USER"], "wrong")).status_code == 401
    with httpx.Client(timeout=SECONDS, auth=(own["USER"], own["PASSWORD"])) as client:
        refused = client.post(f"{own['URL']}BudgetLines", json={})
        assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
        token = client.get(own["URL"], headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
        assert client.post(f"{own['URL']}BudgetLines", json={}, headers={"X-CSRF-Token": token}).status_code == 405
        assert client.get(f"{own['URL']}Nothing").status_code == 404
        assert client.get(f"{own['URL']}service.json").status_code == 404


def test_an_odata_delta_link_gives_what_changed(federation: Federation) -> None:
    own = federation.of("data_office_finance")
    path = federation.folder / "odata/data_office_finance/BudgetLines.ndjson"
    before = path.read_bytes()
    with httpx.Client(timeout=SECONDS, auth=(own["USER"], own["PASSWORD"]), headers={"Prefer": "odata.track-changes"}) as client:
        pages = _all_pages(lambda link: client.get(link).json(), f"{own['URL']}BudgetLines", lambda p: p.get("@odata.nextLink"))
        assert all("@odata.deltaLink" not in page for page in pages[:-1])
        link = pages[-1]["@odata.deltaLink"]
        assert client.get(link).json()["value"] == []
        path.write_bytes(before.replace(b'"Voted": 0.0, "UpdatedAt": "2025-01-10', b'"Voted": 1.0, "UpdatedAt": "2025-11-10'))
        changed = client.get(link).json()
        assert [row["Voted"] for row in changed["value"]] == [1.0]
        assert client.get(changed["@odata.deltaLink"]).json()["value"] == []
    path.write_bytes(before)


def test_odata_2_answers_as_sap_does(federation: Federation) -> None:
    own = federation.of("data_office_ledger")
    with httpx.Client(timeout=SECONDS, auth=(own["USER"], own["PASSWORD"])) as client:
        assert client.get(own["URL"]).json() == {"d": {"EntitySets": ["BudgetLines"]}}
        assert 'm:DataServiceVersion="2.0"' in client.get(f"{own['URL']}$metadata").text
        pages = _all_pages(
            lambda link: client.get(link).json()["d"],
            f"{own['URL']}BudgetLines?$inlinecount=allpages&$format=json",
            lambda p: p.get("__next"),
        )
        assert pages[0]["__count"] == "250"
        first = pages[0]["results"][0]
        assert (first["Voted"], first["UpdatedAt"]) == ("0.0", "/Date(1736488800000)/")
        assert client.get(first["__metadata"]["uri"]).json()["d"]["Article"] == "000"
        assert client.get(pages[-1]["__delta"]).json()["d"]["results"] == []
        found = client.get(
            f"{own['URL']}BudgetLines", params={"$filter": "UpdatedAt ge datetime'2025-09-01T00:00:00' and substringof('00',Article)"}
        )
        assert {row["Article"] for row in found.json()["d"]["results"]} == {"008"}
        refused = client.get(f"{own['URL']}Nothing")
        assert refused.json()["error"]["message"]["lang"] == "en"


# SOAP


@pytest.mark.parametrize("port", ["soap", "soap12"])
def test_zeep_reads_the_wsdl_and_calls_it(federation: Federation, port: str) -> None:
    client = zeep.Client(f"{federation.of('higher_education_budget')['URL']}?wsdl", port_name=port)
    rows = client.service.GetAllotments(Year=2025)
    assert [(row.Year, row.Institution, float(row.AllotmentEur)) for row in rows] == [
        (2025, f"École & <{n}>", 1000.5 + n) for n in range(3)
    ]
    assert len(client.service.GetAllotments()) == 6
    assert client.service.GetAllotments(Year=1999) in (None, [])


def _envelope(content: str) -> bytes:
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{content}</s:Body></s:Envelope>'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<x/>",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + _envelope("&e;"),
        _envelope('<Nothing xmlns="urn:budget"/>'),
        _envelope('<GetAllotments xmlns="urn:budget"><X>1</X></GetAllotments>'),
        _envelope("<a/><b/>"),
        '<?xml version="1.0" encoding="utf-16"?><x/>'.encode("utf-16"),
    ],
)
def test_a_soap_call_that_is_none_is_a_fault(federation: Federation, body: bytes) -> None:
    answer = post(federation.of("higher_education_budget")["URL"], content=body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 500
    assert "<faultcode>s:Client</faultcode>" in answer.text
    assert "root:x:" not in answer.text


# Graph


def _graph(federation: Federation) -> httpx.Client:
    token = federation.token("education_inspection", scope="https://graph.microsoft.com/.default")
    return httpx.Client(
        timeout=SECONDS, base_url=federation.of("education_inspection")["URL"], headers={"Authorization": f"Bearer {token}"}
    )


def test_a_site_leads_to_its_library_and_a_file_is_fetched_without_the_token(federation: Federation) -> None:
    with _graph(federation) as client:
        site = client.get("/sites/federation.example:/sites/education_inspection").raise_for_status().json()
        (drive,) = client.get(f"/sites/{site['id']}/drives").json()["value"]
        items = client.get(f"/drives/{drive['id']}/{ROOT}/delta").json()["value"]
        files = {item["name"]: item for item in items if "file" in item}
        assert set(files) == {"rapport_1.txt", "notes.txt"}
        assert files["rapport_1.txt"]["parentReference"]["path"].endswith("/root:/Rapports/2025")
        answer = client.get(f"/drives/{drive['id']}/items/{files['rapport_1.txt']['id']}/content")
        assert answer.status_code == 302
        location = answer.headers["location"]
        assert get(location).content == "À revoir.\n".encode()
        assert get(location, headers={"Range": "bytes=0-1"}).status_code == 206
        assert get(location.replace(files["rapport_1.txt"]["id"], files["notes.txt"]["id"])).status_code == 401
        by_path = client.get(f"/drives/{drive['id']}/root:/Rapports/2025/rapport_1.txt").json()
        assert by_path["id"] == files["rapport_1.txt"]["id"]
        children = client.get(f"/drives/{drive['id']}/{ROOT}/children").json()["value"]
        assert [one["name"] for one in children] == ["Rapports", "notes.txt"]


def test_a_delta_tells_what_is_new_changed_and_deleted(federation: Federation) -> None:
    root = federation.folder / "graph/education_inspection/library/Delta"
    root.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (root / name).write_text(name)
    with _graph(federation) as client:
        site = client.get("/sites/federation.example:/sites/education_inspection").json()
        drive = client.get(f"/sites/{site['id']}/drive").json()["id"]
        pages = _all_pages(lambda link: client.get(link).json(), f"/drives/{drive}/{ROOT}/delta?$top=2", lambda p: p.get("@odata.nextLink"))
        assert all(len(page["value"]) <= 2 for page in pages)
        names = [item["name"] for page in pages for item in page["value"]]
        assert len(names) == len(set(names))
        assert {"root", "Delta", "a.txt", "b.txt", "c.txt"} <= set(names)
        link = pages[-1]["@odata.deltaLink"]
        assert client.get(link).json()["value"] == []
        (root / "a.txt").write_text("changed")
        (root / "b.txt").unlink()
        (root / "d.txt").write_text("d")
        pages = _all_pages(lambda link: client.get(link).json(), link, lambda p: p.get("@odata.nextLink"))
        shown = {item["name"]: "deleted" in item for page in pages for item in page["value"]}
        assert shown == {"a.txt": False, "b.txt": True, "d.txt": False}
        for left in root.iterdir():
            left.unlink()
        root.rmdir()
        pages = _all_pages(lambda link: client.get(link).json(), pages[-1]["@odata.deltaLink"], lambda p: p.get("@odata.nextLink"))
        gone = [item for page in pages for item in page["value"]]
        assert {item["name"] for item in gone} == {"Delta", "a.txt", "c.txt", "d.txt"}
        assert all("deleted" in item for item in gone)
        assert "b.txt" not in {item["name"] for item in client.get(f"/drives/{drive}/{ROOT}/delta").json()["value"]}
        latest = client.get(f"/drives/{drive}/{ROOT}/delta?token=latest").json()
        assert (latest["value"], "@odata.deltaLink" in latest) == ([], True)
        assert client.get(f"/drives/{drive}/{ROOT}/delta?token=999999").status_code == 410
        assert client.get(f"/drives/{drive}/{ROOT}/delta?token=x").status_code == 400


def test_a_list_shows_fields_when_they_are_expanded(federation: Federation) -> None:
    with _graph(federation) as client:
        site = client.get("/sites/federation.example:/sites/education_inspection").json()["id"]
        (found,) = client.get(f"/sites/{site}/lists").json()["value"]
        address = f"/sites/{site}/lists/{found['id']}/items"
        assert "fields" not in client.get(address).json()["value"][0]
        pages = _all_pages(lambda link: client.get(link).json(), f"{address}?expand=fields&$top=3", lambda p: p.get("@odata.nextLink"))
        assert [item["fields"]["id"] for page in pages for item in page["value"]] == [f"V{n}" for n in range(1, 8)]
        kept = client.get(address, params={"$expand": "fields($select=Outcome)", "$filter": "fields/Outcome eq 'no'"}).json()["value"]
        assert [item["fields"] for item in kept] == [{"Outcome": "no"}] * 3
        assert client.get(f"/sites/{site}/lists/visits").json()["id"] == found["id"]
        assert client.get(address, params={"$top": "5001"}).status_code == 400


def test_graph_refuses(federation: Federation) -> None:
    own = federation.of("education_inspection")
    fields = {"grant_type": "client_credentials", "client_id": own["CLIENT_ID"], "client_secret": own["CLIENT_SECRET"]}
    assert post(own["TOKEN_URL"], data=fields).json()["error"] == "invalid_scope"
    scope = {"scope": "https://graph.microsoft.com/.default"}
    assert post(own["TOKEN_URL"], data=fields | scope | {"client_secret": "wrong"}).status_code == 401
    other_tenant = own["TOKEN_URL"].replace(own["TOKEN_URL"].split("/")[4], "another")
    assert post(other_tenant, data=fields | scope).status_code == 400
    assert get(f"{own['URL']}/sites/federation.example:/sites/education_inspection").status_code == 401
    with _graph(federation) as client:
        site = client.get("/sites/federation.example:/sites/education_inspection").json()["id"]
        drive = client.get(f"/sites/{site}/drive").json()["id"]
        for path in (
            "/sites/federation.example:/sites/culture_archives",
            "/sites/other.example:/sites/education_inspection",
            f"/drives/b!other/{ROOT}/delta",
            f"/drives/{drive}/items/01NOTHING",
            f"/drives/{drive}/root:/..%2f..%2f..%2frunning%2faddresses.json",
            f"/drives/{drive}/root:/../lists/visits.ndjson",
            f"/sites/{site}/lists/..%2fx/items",
        ):
            assert client.get(path).status_code == 404, path
    assert get(f"{own['URL'].removesuffix('/v1.0')}/download/x/y").status_code == 401


def test_graph_throttles_now_and_then(federation: Federation) -> None:
    service = federation.folder / "graph/education_inspection/service.json"
    before = service.read_bytes()
    service.write_text('{"throttle_every": 4}')
    with _graph(federation) as client:
        answers = [client.get("/sites/federation.example:/sites/education_inspection") for _ in range(8)]
    service.write_bytes(before)
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) == 2
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"]["code"] == "activityLimitReached"


def test_what_no_source_is_called_is_not_there(federation: Federation) -> None:
    url = federation.of("control")["URL"].removesuffix("/-")
    for path in ("", "running", "share/culture_libraries/visits.csv", "culture_libraries", "..%2frunning%2faddresses.json", "nothing/x"):
        assert get(f"{url}/{path}").status_code == 404

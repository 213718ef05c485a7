"""Portals of open data that break off, miscount, or keep their files elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyceph.connectors.ckan import CkanConnector
from polyceph.connectors.opendatasoft import OpendatasoftConnector
from polyceph.core.model.contract import Column
from polyceph.errors import Conflict, Denied, Invalid, Unavailable
from polyceph.testing.faulty_web import Answer, Asked, Faulty, doc, serving

if TYPE_CHECKING:
    from conftest import Loads

Row = dict[str, Any]
COLUMNS = (Column("id", "integer", required=True, primary_key=True), Column("name", "string"))
API = "/api/explore/v2.1/catalog/datasets/clubs"


@pytest.fixture
def server() -> Iterator[Faulty]:
    with serving() as found:
        yield found


@pytest.fixture
def rows(loads: Callable[..., Loads]) -> Loads:
    return loads(COLUMNS)


def ids(loads: Loads) -> list[int]:
    return [row["id"] for row in loads.rows()]


def lines(*numbers: int) -> bytes:
    return "".join(json.dumps({"id": number, "name": f"n{number}"}) + "\n" for number in numbers).encode()


def opendatasoft(server: Faulty) -> OpendatasoftConnector:
    fields = [
        {"name": "id", "type": "int", "label": "id", "annotations": [{"name": "id"}]},
        {"name": "name", "type": "text", "label": "Nom", "description": "<p>Nom &amp; sigle</p>"},
        {"name": "tags", "type": "text", "label": "Mots", "annotations": {"multivalued": []}},
    ]
    metas = {
        "default": {"title": "Clubs", "description": "<b>Tous</b> les clubs", "keyword": ["sport", "club"], "data_processed": "2026-01-01"}
    }
    server.on(API, doc({"dataset_id": "clubs", "metas": metas, "fields": fields}))
    server.on(f"{API}/records", doc({"total_count": 3, "results": []}))
    given = {"url": server.url, "requests_per_second": 1000, "retries": 1, "timeout_s": 2}
    return OpendatasoftConnector(OpendatasoftConnector.source_options.model_validate(given), base=Path())


def test_an_export_that_breaks_off_is_asked_anew(server: Faulty, rows: Loads) -> None:
    connector = opendatasoft(server)
    server.on(f"{API}/exports/jsonl", Answer(lines(1, 2, 3), cut=30), Answer(lines(1, 2, 3)))
    rows.load(connector, {"dataset": "clubs"})
    assert ids(rows) == [1, 2, 3]


def test_an_export_that_always_breaks_off_loads_nothing(server: Faulty, rows: Loads) -> None:
    connector = opendatasoft(server)
    server.on(f"{API}/exports/jsonl", Answer(lines(1, 2, 3), cut=30))
    with pytest.raises(Unavailable):
        rows.load(connector, {"dataset": "clubs"})
    assert rows.lake.cursor(rows.contract.dataset) is None


def test_an_export_that_ends_too_early_without_saying_so_is_noticed(server: Faulty, rows: Loads) -> None:
    connector = opendatasoft(server)
    server.on(f"{API}/exports/jsonl", Answer(lines(1, 2)), Answer(lines(1, 2, 3)))
    rows.load(connector, {"dataset": "clubs"})
    assert ids(rows) == [1, 2, 3]


def test_an_export_that_never_holds_what_the_portal_says_is_refused(server: Faulty, rows: Loads) -> None:
    connector = opendatasoft(server)
    server.on(f"{API}/exports/jsonl", Answer(lines(1, 2)))
    with pytest.raises(Conflict, match="gave 2 rows, and the portal says 3"):
        rows.load(connector, {"dataset": "clubs"})


def test_the_catalogue_is_put_into_plain_words(server: Faulty, tmp_path: Path) -> None:
    sample = opendatasoft(server).sample({"dataset": "clubs"}, rows=5, workspace=tmp_path)
    assert sample.description == "Clubs\nTous les clubs\nKeywords: sport, club"
    number, name, tags = sample.columns
    assert (number.logical_type, number.primary_key, number.required) == ("integer", True, True)
    assert name.description == "Nom: Nom & sigle"
    assert tags.logical_type == "array"


# CKAN


def resource(server: Faulty, url: str, **more: Any) -> Row:
    found = {"id": "r1", "name": "Clubs", "url": url, "format": "csv", "url_type": "upload", "datastore_active": True, **more}
    server.on("/api/3/action/resource_show", doc({"success": True, "result": found}))
    return {"resource": "r1"}


def ckan(server: Faulty, **more: Any) -> CkanConnector:
    given = {"url": server.url, "requests_per_second": 1000, "retries": 1, "timeout_s": 2, **more}
    return CkanConnector(CkanConnector.source_options.model_validate(given), base=Path())


CSV = b"id;name\n1;a\n2;b\n"


def test_a_file_that_breaks_off_is_fetched_anew_and_kept_as_it_came(server: Faulty, rows: Loads) -> None:
    options = resource(server, f"{server.url}/files/clubs.csv")
    server.on("/files/clubs.csv", Answer(CSV, cut=10), Answer(CSV))
    [delivery] = ckan(server).deliveries(rows.demand(options))
    assert (delivery.origin, delivery.originals[0].sha256) == ("clubs.csv", hashlib.sha256(CSV).hexdigest())
    rows.lake.load(delivery, rows.contract, rows.commit)
    assert ids(rows) == [1, 2]


def test_a_file_on_another_host_is_fetched_only_where_that_is_declared(
    server: Faulty, rows: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_TOKEN", "a token of ours")
    auth = {"kind": "api_key", "key_env": "PORTAL_TOKEN", "header": "Authorization"}
    options = resource(server, f"http://localhost:{server.port}/files/clubs.csv")
    server.on("/files/clubs.csv", Answer(CSV))
    with pytest.raises(Denied, match="localhost, which is not declared"):
        rows.load(ckan(server, auth=auth), options)
    rows.load(ckan(server, auth=auth, hosts=["localhost"]), options)
    assert ids(rows) == [1, 2]
    assert [one.headers.get("Authorization") for one in server.asked if one.path == "/files/clubs.csv"] == [None]


def test_an_unchanged_upload_is_not_fetched_and_a_link_is_looked_at(server: Faulty, rows: Loads) -> None:
    options = resource(server, f"{server.url}/clubs.csv", last_modified="2026-01-01T00:00:00")
    server.on("/clubs.csv", Answer(CSV))
    rows.load(ckan(server), options)
    assert rows.load(ckan(server), options) == []
    assert server.paths().count("/clubs.csv") == 1
    resource(server, f"{server.url}/clubs.csv", last_modified="2026-01-01T00:00:00", url_type=None)
    assert rows.load(ckan(server), options) == []
    assert server.paths().count("/clubs.csv") == 2


@pytest.mark.parametrize(("form", "told"), [("PDF", "format PDF"), ("", "format unknown")])
def test_a_format_that_is_not_read_is_told(server: Faulty, rows: Loads, form: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        rows.load(ckan(server), resource(server, f"{server.url}/clubs.x", format=form))


def test_the_datastore_is_paged_and_its_own_number_left_out(server: Faulty, rows: Loads) -> None:
    found = [{"_id": number, "id": number, "name": f"n{number}"} for number in range(1, 8)]

    def answer(asked: Asked) -> Answer:
        begin = int(asked.query["offset"][0])
        fields = [{"id": "_id", "type": "int"}, {"id": "id", "type": "numeric"}, {"id": "name", "type": "text", "info": {"label": "Nom"}}]
        return doc({"success": True, "result": {"fields": fields, "records": found[begin : begin + 3], "total": len(found)}})

    server.by("/api/3/action/datastore_search", answer)
    options = {**resource(server, ""), "read": "datastore"}
    rows.load(ckan(server), options)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]
    assert server.asked[-1].query["sort"] == ["_id"]
    del found[2]
    rows.load(ckan(server), options)
    gone = rows.lake.query(f"SELECT id FROM meuse.raw.{rows.contract.dataset.name} WHERE _change = 'removed'")
    assert gone.to_pylist() == [{"id": 3}]


def test_what_is_no_portal_is_told(server: Faulty, rows: Loads) -> None:
    server.on("/api/3/action/resource_show", doc({"hello": "world"}))
    with pytest.raises(Invalid, match="no answer of CKAN"):
        rows.load(ckan(server), {"resource": "r1"})

"""The connector `sap` against the federation's OData service, and against scripted answers for what that one does not do."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.sap import SapConnector
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column

CANARY = "canary-word-7291"
LINES = (
    Column("year", "integer", required=True, primary_key=True, source_name="Year"),
    Column("article", "string", required=True, primary_key=True, source_name="Article"),
    Column("service", "string", source_name="Service"),
    Column("label", "string", source_name="Label"),
    Column("voted_eur", "number", "decimal(18,2)", source_name="VotedEur"),
)
COMMITMENTS = (
    *LINES[:2],
    Column("quarter", "integer", required=True, primary_key=True, source_name="Quarter"),
    Column("committed_eur", "number", "decimal(18,2)", source_name="CommittedEur"),
    Column("updated_at", "timestamp", "timestamptz", source_name="UpdatedAt"),
)


def sap(url: str, base: Path = Path(), **more: Any) -> SapConnector:
    auth = {"kind": "basic", "user_env": "SAP_USER", "password_env": "SAP_PASSWORD"}
    options = {"url": url, "auth": auth, "requests_per_second": 500, "retries": 3} | more
    return SapConnector(SapConnector.source_options.model_validate(options), base=base)


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAP_USER", "reader")
    monkeypatch.setenv("SAP_PASSWORD", CANARY)


@pytest.fixture
def enter(services: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SapConnector]:
    def connector(name: str = "data_office_finance", **more: Any) -> SapConnector:
        own = services.of(name)
        monkeypatch.setenv("SAP_USER", own["USER"])
        monkeypatch.setenv("SAP_PASSWORD", own["PASSWORD"])
        return sap(own["URL"], **more)

    return connector


def expected(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Return the generator's rows in the contract's types."""

    def value(column: Column, found: Any) -> Any:
        if found is None:
            return None
        if column.logical_type == "number":
            return Decimal(str(found)).quantize(Decimal("0.01"))
        return datetime.fromisoformat(found) if column.logical_type == "timestamp" else found

    made = [{c.name: value(c, row[c.source_name or c.name]) for c in columns} for row in rows]
    return sorted(made, key=lambda row: tuple(row[c.name] for c in columns if c.primary_key))


@pytest.mark.parametrize(("entity_set", "columns"), [("BudgetLines", LINES), ("Commitments", COMMITMENTS)])
def test_each_entity_set_of_the_federation_is_loaded_row_for_row_and_once(
    services: Any, loads: Any, enter: Callable[..., SapConnector], entity_set: str, columns: tuple[Column, ...]
) -> None:
    promise = loads.contract(*columns)
    [report] = loads.load(enter(), promise, {"entity_set": entity_set})
    written = services.rows(f"odata/data_office_finance/{entity_set}.ndjson")
    assert report.rows == len(written) > 250
    assert loads.current(promise) == expected(written, columns)
    assert loads.load(enter(), promise, {"entity_set": entity_set}) == []


@pytest.mark.parametrize("version", ["2.0", "4.0"])
def test_what_changes_is_loaded_by_the_delta_link_alone(
    services: Any, loads: Any, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"finance_delta_{version[0]}"
    services.copy("odata", "data_office_finance", name, version=version, auth="none")
    connector = sap(services.of(name)["URL"])
    path, promise = f"odata/{name}/Commitments.ndjson", loads.contract(*COMMITMENTS)
    options = {"entity_set": "Commitments", "changes": "delta"}
    [first] = loads.load(connector, promise, options)
    rows = services.rows(path)
    assert loads.current(promise) == expected(rows, COMMITMENTS)
    rows[3] |= {"CommittedEur": "1.07", "UpdatedAt": "2026-02-10T06:00:00+00:00"}
    new = {"Year": 2026, "Article": "11.01.00", "Quarter": 1, "CommittedEur": "5.5", "UpdatedAt": "2026-02-11T06:00:00.250000+00:00"}
    rows.append(new)
    services.put(path, rows)
    [second] = loads.load(connector, promise, options)
    assert (first.rows, second.rows) == (len(rows) - 1, 2)
    assert loads.changes(promise, second.key) == {"added": 1, "changed": 1}
    assert loads.current(promise) == expected(rows, COMMITMENTS)
    assert loads.load(connector, promise, options) == []


def test_newer_entities_are_found_by_a_property_with_an_overlap(services: Any, loads: Any) -> None:
    for version in ("2.0", "4.0"):
        name = f"finance_since_{version[0]}"
        services.copy("odata", "data_office_finance", name, version=version, auth="none")
        connector = sap(services.of(name)["URL"])
        path, promise = f"odata/{name}/Commitments.ndjson", loads.contract(*COMMITMENTS)
        options = {"entity_set": "Commitments", "since": "UpdatedAt", "overlap_seconds": 86_400 * 10}
        loads.load(connector, promise, options)
        rows = services.rows(path)
        newest = max(row["UpdatedAt"] for row in rows)
        rows[-1] |= {"CommittedEur": "3.25"}
        late = {"Year": 2026, "Article": "late", "Quarter": 1, "CommittedEur": "5.5", "UpdatedAt": newest.replace("-10T", "-04T")}
        services.put(path, [*rows, late])
        again = loads.load(connector, promise, options)
        assert [report.rows for report in again if report.is_new] == [2]
        assert loads.current(promise) == expected([*rows, late], COMMITMENTS)
        assert sum(report.rows for report in loads.load(connector, promise, options)) == 0


def test_tables_and_sample_tell_types_keys_and_labels(scripted: Callable[[], Any], tmp_path: Path) -> None:
    service = typed(scripted(), v2=True)
    [table] = sap(service.url, services=("SRV",)).tables()
    assert (table.name, dict(table.options), table.description) == ("SRV/Staff", {"service": "SRV", "entity_set": "Staff"}, "Personnel")
    sample = sap(service.url).sample(table.options, rows=1, workspace=tmp_path)
    found = {c.name: (c.logical_type, c.physical_type, c.required, c.primary_key, c.description) for c in sample.columns}
    assert found["Id"] == ("integer", None, True, True, "")
    assert found["Pay"] == ("number", "decimal(16,3)", False, False, "Traitement")
    assert found["Born"] == ("date", None, False, False, "")
    assert found["Changed"] == ("timestamp", "timestamptz", False, False, "")
    [row] = pa.RecordBatchReader.from_stream(sample.rows).read_all().to_pylist()
    assert row["Pay"] == Decimal("1234.500")
    assert row["Born"] == date(1969, 12, 30)


def test_the_federations_tables_can_be_sampled(enter: Callable[..., SapConnector], tmp_path: Path) -> None:
    connector = enter()
    tables = list(connector.tables())
    assert [one.name for one in tables] == ["BudgetLines", "Commitments"]
    sample = connector.sample(tables[0].options, rows=5, workspace=tmp_path)
    assert len(pa.RecordBatchReader.from_stream(sample.rows).read_all()) == 5
    assert [c.name for c in sample.columns if c.primary_key] == ["Year", "Article"]


V2 = """<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:sap="http://www.sap.com/Protocols/SAPData">
<edmx:DataServices><Schema Namespace="S" xmlns="http://schemas.microsoft.com/ado/2008/09/edm"><EntityType Name="Person"><Key>
<PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Int64" Nullable="false"/>
<Property Name="Pay" Type="Edm.Decimal" Precision="16" Scale="3" sap:label="Traitement"/>
<Property Name="Born" Type="Edm.DateTime" sap:display-format="Date"/><Property Name="Begins" Type="Edm.Time"/>
<Property Name="Changed" Type="Edm.DateTimeOffset"/><Property Name="Wall" Type="Edm.DateTime"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="Staff" EntityType="S.Person" sap:label="Personnel"/></EntityContainer></Schema>
</edmx:DataServices></edmx:Edmx>"""
V4 = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="S" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="Thing"><Key><PropertyRef Name="Id"/>
</Key><Property Name="Id" Type="Edm.Int64" Nullable="false"/></EntityType><EntityType Name="Person" BaseType="Self.Thing">
<Property Name="Pay" Type="Edm.Decimal" Precision="16" Scale="3"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="Staff" EntityType="Self.Person"/></EntityContainer>
<Annotations Target="Self.Person/Pay"><Annotation Term="com.sap.vocabularies.Common.v1.Label" String="Traitement"/></Annotations></Schema>
</edmx:DataServices></edmx:Edmx>"""
PERSON = {
    "__metadata": {"uri": "x"},
    "Id": "9007199254740993",
    "Pay": "1234.500",
    "Born": "/Date(-172800000)/",
    "Begins": "PT07H05M09S",
    "Changed": "/Date(1719828000123+0120)/",
    "Wall": "/Date(1719828000123)/",
}
STAFF = (Column("Id", "integer", required=True, primary_key=True), Column("Pay", "number", "decimal(16,3)"))


def typed(service: Any, *, v2: bool = False) -> Any:
    service.answer("/SRV/$metadata", (V2 if v2 else V4).encode(), content_type="application/xml")
    if v2:
        service.answer("/SRV/Staff", {"d": {"results": [PERSON]}})
    return service


def test_values_of_version_2_are_exact(scripted: Callable[[], Any], loads: Any) -> None:
    service = typed(scripted(), v2=True)
    more = (Column("Born", "date"), Column("Begins", "time"), Column("Changed", "timestamp", "timestamptz"), Column("Wall", "timestamp"))
    promise = loads.contract(*STAFF, *more)
    loads.load(sap(service.url), promise, {"service": "SRV", "entity_set": "Staff"})
    [row] = loads.current(promise)
    moment = datetime(2024, 7, 1, 10, 0, 0, 123000, tzinfo=UTC)
    assert row == {
        "Id": 9007199254740993,
        "Pay": Decimal("1234.500"),
        "Born": date(1969, 12, 30),
        "Begins": time(7, 5, 9),
        "Changed": moment,
        "Wall": moment.replace(tzinfo=None),
    }


def delta(service: Any, rows: list[Mapping[str, Any]], token: str = "", following: str = "2", status: int = 200) -> None:
    path = f"/SRV/Staff?token={token}" if token else "/SRV/Staff"
    service.answer(path, {"value": rows, "@odata.deltaLink": f"{service.url}/SRV/Staff?token={following}"}, status)


OPTIONS = {"service": "SRV", "entity_set": "Staff"}
REMOVED = {
    "4.01": {"@removed": {"reason": "deleted"}, "Id": 2},
    "id": {"@removed": {"reason": "changed"}, "@odata.id": "http://other.example/SRV/Staff(2)"},
    "4.0": {"@odata.context": "$metadata#Staff/$deletedEntity", "id": "Staff(Id=2)", "reason": "deleted"},
}


@pytest.mark.parametrize("form", REMOVED)
def test_a_deletion_ends_its_key(scripted: Callable[[], Any], loads: Any, form: str) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    delta(service, [{"Id": 1, "Pay": 1.5}, {"Id": 2, "Pay": 2}])
    delta(service, [REMOVED[form], {"Id": 3, "Pay": 3}], "2", "3")
    delta(service, [], "3", "3")
    loads.load(sap(service.url), promise, OPTIONS)
    [report] = loads.load(sap(service.url), promise, OPTIONS)
    assert loads.changes(promise, report.key) == {"removed": 1, "added": 1}
    assert [row["Id"] for row in loads.current(promise)] == [1, 3]
    assert loads.load(sap(service.url), promise, OPTIONS) == []


def test_a_list_of_nothing_but_deletions_is_loaded(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    delta(service, [{"Id": 1, "Pay": 1.5}, {"Id": 2, "Pay": 2}])
    delta(service, [REMOVED["4.01"]], "2", "3")
    loads.load(sap(service.url), promise, OPTIONS)
    [report] = loads.load(sap(service.url), promise, OPTIONS)
    assert loads.changes(promise, report.key) == {"removed": 1}


def test_an_expired_link_means_the_whole_compared_by_key(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    delta(service, [{"Id": 1, "Pay": 1.5}, {"Id": 2, "Pay": 2}])
    delta(service, [{"Id": 2, "Pay": 7}, {"Id": 3, "Pay": 3}], following="9")
    service.answer("/SRV/Staff?token=2", {"error": {}}, 410)
    delta(service, [], "9", "9")
    loads.load(sap(service.url), promise, OPTIONS)
    [report] = loads.load(sap(service.url), promise, OPTIONS)
    assert loads.changes(promise, report.key) == {"removed": 1, "changed": 1, "added": 1}
    assert "expired" in " ".join(note.text for note in report.notes)
    assert loads.load(sap(service.url), promise, OPTIONS) == []


def test_another_contract_does_not_go_on_with_the_old_link(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(STAFF[0])
    delta(service, [{"Id": 1, "Pay": 1.5}])
    loads.load(sap(service.url), promise, OPTIONS)
    wider = loads.contract(*STAFF)
    demand = loads.demand(wider, OPTIONS)
    [delivery] = sap(service.url).deliveries(replace(demand, cursor=loads.lake.cursor(promise.dataset)))
    assert delivery.mode == "diff"
    assert service.asked("token=2") == []


def test_without_the_entity_sets_key_the_whole_is_compared(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(STAFF[0], replace(STAFF[1], primary_key=True))
    delta(service, [{"Id": 1, "Pay": 1.5}])
    loads.load(sap(service.url), promise, OPTIONS)
    assert loads.lake.cursor(promise.dataset) is None
    with pytest.raises(Invalid, match="contract's key"):
        loads.load(sap(service.url), promise, OPTIONS | {"changes": "delta"})


def test_part_of_an_entity_is_refused_instead_of_emptying_the_rest(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    delta(service, [{"Id": 1, "Pay": 1.5}])
    delta(service, [{"Id": 1}], "2", "3")
    loads.load(sap(service.url), promise, OPTIONS)
    with pytest.raises(Invalid, match="without Pay"):
        loads.load(sap(service.url), promise, OPTIONS)


@pytest.mark.parametrize("kind", ["@odata.nextLink", "@odata.deltaLink"])
def test_a_link_to_another_host_is_refused_and_gets_no_password(scripted: Callable[[], Any], loads: Any, kind: str) -> None:
    service, foreign, promise = typed(scripted()), scripted(), loads.contract(*STAFF)
    service.answer("/SRV/Staff", {"value": [{"Id": 1, "Pay": 1}], kind: f"{foreign.url}/SRV/Staff?more"})
    for hosts in ((), ("127.0.0.1", "localhost")):
        with pytest.raises(Denied, match="next part"):
            loads.load(sap(service.url, hosts=hosts), promise, OPTIONS)
    assert foreign.requests == []


def test_pages_in_a_circle_are_refused(scripted: Callable[[], Any], loads: Any) -> None:
    service = typed(scripted())
    service.answer("/SRV/Staff", {"value": [{"Id": 1, "Pay": 1}], "@odata.nextLink": "Staff?page=2"})
    service.answer("/SRV/Staff?page=2", {"value": [], "@odata.nextLink": "Staff?page=2"})
    with pytest.raises(Invalid, match="leads back"):
        loads.load(sap(service.url), loads.contract(*STAFF), OPTIONS)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "prolog", [LAUGHS, '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>', '<!DOCTYPE x SYSTEM "http://x/y.dtd">']
)
def test_metadata_with_a_document_type_is_refused(scripted: Callable[[], Any], prolog: str, encoding: str) -> None:
    service = scripted()
    service.answer("/$metadata", f'<?xml version="1.0" encoding="{encoding}"?>{prolog}{V4}'.encode(encoding))
    with pytest.raises(Invalid, match="document type"):
        list(sap(service.url).tables())
    assert len(service.requests) == 1


def test_what_is_not_there_is_said_with_what_is_near(scripted: Callable[[], Any], loads: Any) -> None:
    service = typed(scripted())
    with pytest.raises(NotFound, match="no entity set") as caught:
        loads.load(sap(service.url), loads.contract(*STAFF), {"service": "SRV", "entity_set": "Staf"})
    assert "Staff" in str(caught.value.problems[0])
    with pytest.raises(Invalid, match="no property 'Payy'") as wrong:
        loads.load(sap(service.url), loads.contract(STAFF[0], Column("Payy", "string")), OPTIONS)
    assert "Pay" in str(wrong.value.problems[0])


def test_faults_are_survived_and_nothing_comes_twice(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    service.answer("/SRV/Staff", b"", 429, retry_after="0")
    service.answer("/SRV/Staff", {"value": [{"Id": 1, "Pay": 1}], "@odata.nextLink": "Staff?page=2"})
    service.answer("/SRV/Staff?page=2", b"", 503)
    service.answer("/SRV/Staff?page=2", {"value": [{"Id": 2, "Pay": 2}]})
    [report] = loads.load(sap(service.url), promise, OPTIONS)
    assert (report.rows, len(loads.current(promise))) == (2, 2)


def test_a_connection_that_breaks_loads_nothing_and_the_next_run_all(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = typed(scripted()), loads.contract(*STAFF)
    service.answer("/SRV/Staff", {"value": [{"Id": 1, "Pay": 1}], "@odata.nextLink": "Staff?page=2"})
    for _ in range(5):
        service.answer("/SRV/Staff?page=2", b'{"value": [', 0)
    service.answer("/SRV/Staff?page=2", {"value": [{"Id": 2, "Pay": 2}]})
    for _ in range(6):
        try:
            reports = loads.load(sap(service.url), promise, OPTIONS)
            break
        except Unavailable:
            assert loads.lake.is_loaded(promise.dataset, "any") is False
    assert (sum(report.rows for report in reports), len(loads.current(promise))) == (2, 2)


def test_no_secret_is_said(scripted: Callable[[], Any], loads: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for status in (401, 403, 404, 418, 500):
        service = scripted()
        service.answer("/SRV/$metadata", CANARY.encode(), status)
        with pytest.raises(PolycephError) as caught:
            loads.load(sap(service.url, retries=0), loads.contract(*STAFF), OPTIONS)
        said.append(f"{caught.value} {caught.value.hint}")
    assert isinstance(caught.value, Unavailable)
    everything = " ".join(said) + caplog.text
    assert CANARY not in everything
    assert base64.b64encode(f"reader:{CANARY}".encode()).decode() not in everything


def test_a_wrong_password_is_the_configurations_fault(enter: Callable[..., SapConnector], monkeypatch: pytest.MonkeyPatch) -> None:
    connector = enter()
    monkeypatch.setenv("SAP_PASSWORD", CANARY)
    with pytest.raises(Misconfigured, match="does not accept") as caught:
        list(connector.tables())
    assert CANARY not in str(caught.value)

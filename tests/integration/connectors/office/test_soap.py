"""The connector `soap` against the federation's SOAP service, and against scripted answers for what that one does not do."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest
from defusedxml.ElementTree import fromstring

from polyceph.connectors.soap import SoapConnector
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, Unavailable
from polyceph.sdk import Column

CANARY = "canary-word-5502"
ALLOTMENTS = (
    Column("year", "integer", required=True, primary_key=True, source_name="Year"),
    Column("institution", "string", required=True, primary_key=True, source_name="Institution"),
    Column("allotment_eur", "number", "decimal(14,2)", source_name="AllotmentEur"),
    Column("decree", "string", source_name="Decree"),
)


def soap(url: str, base: Path = Path(), **more: Any) -> SoapConnector:
    options = {"url": url, "requests_per_second": 500, "retries": 2} | more
    return SoapConnector(SoapConnector.source_options.model_validate(options), base=base)


def expected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [
        {
            "year": row["Year"],
            "institution": row["Institution"],
            "allotment_eur": Decimal(row["AllotmentEur"]).quantize(Decimal("0.01")),
            "decree": row["Decree"],
        }
        for row in rows
    ]
    return sorted(made, key=lambda row: (row["year"], row["institution"]))


@pytest.mark.parametrize("port", ["soap", "soap12"])
def test_the_operation_of_the_federation_is_loaded_row_for_row_and_once(services: Any, loads: Any, port: str) -> None:
    connector, promise = soap(services.of("higher_education_budget")["URL"]), loads.contract(*ALLOTMENTS)
    options = {"operation": "GetAllotments", "port": port}
    [report] = loads.load(connector, promise, options)
    written = services.rows("soap/higher_education_budget/GetAllotments.ndjson")
    assert report.rows == len(written) > 300
    assert loads.current(promise) == expected(written)
    assert loads.load(connector, promise, options) == []


def test_arguments_choose_the_rows_and_what_is_gone_later_ends(services: Any, loads: Any) -> None:
    services.copy("soap", "higher_education_budget", "budget_changes")
    path = "soap/budget_changes/GetAllotments.ndjson"
    connector, promise = soap(services.of("budget_changes")["URL"]), loads.contract(*ALLOTMENTS)
    options = {"operation": "GetAllotments", "arguments": {"Year": 2025}}
    loads.load(connector, promise, options)
    rows = services.rows(path)
    assert loads.current(promise) == expected([row for row in rows if row["Year"] == 2025])
    rows[-1] |= {"AllotmentEur": "1.50"}
    services.put(path, rows[:-3] + rows[-1:])
    [report] = loads.load(connector, promise, options)
    assert loads.changes(promise, report.key) == {"removed": 2, "changed": 1}


def test_tables_and_sample_tell_operations_and_types(services: Any, tmp_path: Path) -> None:
    connector = soap(services.of("higher_education_budget")["URL"])
    [table] = connector.tables()
    assert (table.name, dict(table.options), table.description) == (
        "GetAllotments",
        {"operation": "GetAllotments"},
        "takes Year: xsd:int",
    )
    sample = connector.sample(table.options, rows=4, workspace=tmp_path)
    kinds = {c.name: (c.source_type, c.logical_type, c.physical_type) for c in sample.columns}
    assert kinds["Year"] == ("int", "integer", None)
    assert kinds["AllotmentEur"] == ("decimal", "number", "decimal(38,9)")
    assert len(pa.RecordBatchReader.from_stream(sample.rows).read_all()) == 4


def test_wrong_operations_and_arguments_are_said_with_what_there_is(services: Any, loads: Any) -> None:
    connector, promise = soap(services.of("higher_education_budget")["URL"]), loads.contract(*ALLOTMENTS)
    with pytest.raises(NotFound, match="GetAllotment'") as caught:
        loads.load(connector, promise, {"operation": "GetAllotment"})
    assert "GetAllotments" in str(caught.value.hint)
    with pytest.raises(Invalid, match="not what GetAllotments takes") as wrong:
        loads.load(connector, promise, {"operation": "GetAllotments", "arguments": {"Jahr": 2025}})
    assert "Year: xsd:int" in str(wrong.value.hint)


TYPES = {
    "Id": "int",
    "Pay": "decimal",
    "Born": "date",
    "Seen": "dateTime",
    "Begins": "time",
    "Active": "boolean",
    "Ratio": "double",
    "Note": "string",
}
ELEMENTS = "".join(f'<xs:element name="{name}" type="xs:{kind}" minOccurs="0" nillable="true"/>' for name, kind in TYPES.items())
ARGUMENTS = "".join(f'<xs:element name="{name}" type="xs:string" minOccurs="0"/>' for name in ("Page", "Size", "Since", "Key"))
SCHEMA = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
<xs:element name="Get"><xs:complexType><xs:sequence>{ARGUMENTS}</xs:sequence></xs:complexType></xs:element>
<xs:complexType name="Row"><xs:sequence>{ELEMENTS}</xs:sequence></xs:complexType>
<xs:element name="GetResponse"><xs:complexType><xs:sequence><xs:element name="Result"><xs:complexType><xs:sequence>
<xs:element name="Row" type="t:Row" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:sequence>
</xs:complexType></xs:element></xs:schema>"""


def wsdl(address: str, types: str) -> bytes:
    return f"""<?xml version="1.0"?><w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
xmlns:t="urn:t" xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><w:types>{types}</w:types>
<w:message name="In"><w:part name="p" element="t:Get"/></w:message>
<w:message name="Out"><w:part name="p" element="t:GetResponse"/></w:message>
<w:portType name="P"><w:operation name="Get"><w:input message="t:In"/><w:output message="t:Out"/></w:operation></w:portType>
<w:binding name="B" type="t:P"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="Get">
<s:operation soapAction="get"/><w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
</w:binding><w:service name="S"><w:port name="Q" binding="t:B"><s:address location="{address}"/></w:port></w:service>
</w:definitions>""".encode()


def described(service: Any, *, types: str = SCHEMA, address: str | None = None) -> Any:
    service.answer("/s?wsdl", wsdl(address or f"{service.url}/s", types), content_type="text/xml")
    return service


def reply(*rows: dict[str, str | None]) -> bytes:
    def cell(name: str, text: str | None) -> str:
        nil = ' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'
        return f"<{name}{nil}/>" if text is None else f"<{name}>{escape(text)}</{name}>"

    inner = "".join(f"<Row>{''.join(cell(*one) for one in row.items())}</Row>" for row in rows)
    return wrapped(f'<GetResponse xmlns="urn:t"><Result>{inner}</Result></GetResponse>')


def wrapped(inner: str) -> bytes:
    return f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{inner}</e:Body></e:Envelope>'.encode()


def fault(code: str, reason: str) -> bytes:
    return wrapped(f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>{reason}</faultstring></e:Fault>")


ID = Column("Id", "integer", required=True, primary_key=True)


def test_values_are_exact_and_absent_ones_empty(scripted: Callable[[], Any], loads: Any) -> None:
    service = described(scripted())
    first = {"Id": "1", "Pay": "12345678901234567.125", "Born": "2025-03-01+01:00", "Seen": "2025-03-01T10:00:00.500+02:00"}
    first |= {"Begins": "07:05:00", "Active": "0", "Ratio": "1.5E-3", "Note": "  ä <&> "}
    service.answer("/s", reply(first, {"Id": "2", "Pay": None}), content_type="text/xml")
    columns = (ID, Column("Pay", "number", "decimal(20,3)"), Column("Born", "date"), Column("Seen", "timestamp", "timestamptz"))
    columns += (Column("Begins", "time"), Column("Active", "boolean"), Column("Ratio", "number"), Column("Note", "string"))
    promise = loads.contract(*columns)
    loads.load(soap(f"{service.url}/s"), promise, {"operation": "Get"})
    one, two = loads.current(promise)
    assert one == {
        "Id": 1,
        "Pay": Decimal("12345678901234567.125"),
        "Born": date(2025, 3, 1),
        "Seen": datetime(2025, 3, 1, 8, 0, 0, 500_000, tzinfo=UTC),
        "Begins": time(7, 5),
        "Active": False,
        "Ratio": 0.0015,
        "Note": "  ä <&> ",
    }
    assert two == dict.fromkeys(one) | {"Id": 2}


@pytest.mark.parametrize(("column", "text"), [("Active", "yes?"), ("Pay", "1,234.5"), ("Born", "2025-02-30"), ("Pay", "1.2345")])
def test_a_value_that_is_none_of_its_type_refuses_the_answer(scripted: Callable[[], Any], loads: Any, column: str, text: str) -> None:
    service = described(scripted())
    service.answer("/s", reply({"Id": "1", column: text}), content_type="text/xml")
    kinds = {"Active": Column("Active", "boolean"), "Pay": Column("Pay", "number", "decimal(9,2)"), "Born": Column("Born", "date")}
    with pytest.raises(Invalid, match="refused"):
        loads.load(soap(f"{service.url}/s"), loads.contract(ID, kinds[column]), {"operation": "Get"})


def test_pages_are_called_until_a_short_one_and_since_goes_on(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = described(scripted()), loads.contract(ID, Column("Seen", "timestamp"))
    for rows in (
        [{"Id": "1", "Seen": "2025-01-01T00:00:00"}, {"Id": "2", "Seen": "2025-01-03T00:00:00"}],
        [{"Id": "3", "Seen": "2025-01-02T00:00:00"}],
        [{"Id": "2", "Seen": "2025-01-03T00:00:00"}, {"Id": "4", "Seen": "2025-01-04T00:00:00"}],
        [],
    ):
        service.answer("/s", reply(*rows), content_type="text/xml")
    arguments = {"Page": "{page}", "Size": 2, "Since": "{since}"}
    options = {"operation": "Get", "arguments": arguments, "since": "Seen", "page_size": 2, "begin": "2000-01-01T00:00:00"}
    loads.load(soap(f"{service.url}/s"), promise, options)
    [report] = loads.load(soap(f"{service.url}/s"), promise, options)
    assert loads.changes(promise, report.key) == {"added": 1}
    assert [row["Id"] for row in loads.current(promise)] == [1, 2, 3, 4]
    asked = [
        {one.tag.rpartition("}")[2]: one.text for one in fromstring(body)[0][0]}
        for method, _, _, body in service.requests
        if method == "POST"
    ]
    assert [(one["Page"], one["Since"]) for one in asked] == [
        ("1", "2000-01-01T00:00:00"),
        ("2", "2000-01-01T00:00:00"),
        ("1", "2025-01-03T00:00:00"),
        ("2", "2025-01-03T00:00:00"),
    ]


def test_a_service_that_gives_the_same_page_again_is_refused(scripted: Callable[[], Any], loads: Any) -> None:
    service = described(scripted())
    service.answer("/s", reply({"Id": "1"}), content_type="text/xml")
    with pytest.raises(Invalid, match="is the one before"):
        loads.load(soap(f"{service.url}/s"), loads.contract(ID), {"operation": "Get", "arguments": {"Page": "{page}"}})


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("Client", 500, Invalid), ("Client", 400, Invalid), ("Server", 500, Unavailable), ("FailedAuthentication", 500, Misconfigured)],
)
def test_faults_are_our_errors_and_repeat_no_secret(
    scripted: Callable[[], Any],
    loads: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: str,
    status: int,
    kind: type[Exception],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SOAP_USER", "reader")
    monkeypatch.setenv("SOAP_PASSWORD", CANARY)
    monkeypatch.setenv("SOAP_KEY", f"key-{CANARY}")
    service = described(scripted())
    service.answer("/s", fault(code, f"not with {CANARY} and key-{CANARY}"), status, content_type="text/xml")
    token = {"user_env": "SOAP_USER", "password_env": "SOAP_PASSWORD"}
    options = {"operation": "Get", "secret_arguments": {"Key": "SOAP_KEY"}}
    with pytest.raises(kind, match="not with") as caught:
        loads.load(soap(f"{service.url}/s", username_token=token), loads.contract(ID), options)
    assert CANARY in service.requests[-1][3].decode()
    assert CANARY not in f"{caught.value} {getattr(caught.value, 'hint', '')}"
    assert CANARY not in caplog.text


def test_the_user_stands_in_the_message_as_ws_security_says(
    scripted: Callable[[], Any], loads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOAP_USER", "reader")
    monkeypatch.setenv("SOAP_PASSWORD", CANARY)
    service = described(scripted())
    service.answer("/s", reply({"Id": "1"}), content_type="text/xml")
    token = {"user_env": "SOAP_USER", "password_env": "SOAP_PASSWORD", "is_digest": True}
    basic = {"kind": "basic", "user_env": "SOAP_USER", "password_env": "SOAP_PASSWORD"}
    loads.load(soap(f"{service.url}/s", username_token=token, auth=basic), loads.contract(ID), {"operation": "Get"})
    _, _, headers, body = service.requests[-1]
    found = {one.tag.rpartition("}")[2]: one.text or "" for one in fromstring(body).iter()}
    nonce = base64.b64decode(found["Nonce"])
    digest = hashlib.sha1(nonce + found["Created"].encode() + CANARY.encode(), usedforsecurity=False).digest()
    assert (found["Username"], found["Password"]) == ("reader", base64.b64encode(digest).decode())
    assert CANARY.encode() not in body
    assert headers["soapaction"] == '"get"'
    assert headers["authorization"].startswith("Basic ")


IMPORTING = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="urn:t" schemaLocation="{}"/></xs:schema>'


def test_schemas_are_imported_through_our_client(scripted: Callable[[], Any], loads: Any) -> None:
    service = described(scripted(), types=IMPORTING.format("types.xsd"))
    service.answer("/types.xsd", SCHEMA.encode(), content_type="text/xml")
    service.answer("/s", reply({"Id": "1"}), content_type="text/xml")
    promise = loads.contract(ID)
    loads.load(soap(f"{service.url}/s"), promise, {"operation": "Get"})
    assert loads.current(promise) == [{"Id": 1}]
    assert len(service.asked("/types.xsd")) == 1


@pytest.mark.parametrize("where", ["http://localhost:1/types.xsd", "file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_an_import_from_elsewhere_is_refused(scripted: Callable[[], Any], where: str) -> None:
    service = described(scripted(), types=IMPORTING.format(where))
    with pytest.raises(Denied):
        list(soap(f"{service.url}/s").tables())


def test_a_service_elsewhere_gets_no_call(scripted: Callable[[], Any], loads: Any) -> None:
    foreign = scripted()
    service = described(scripted(), address=f"{foreign.url}/s")
    with pytest.raises(Denied, match="own host"):
        loads.load(soap(f"{service.url}/s", hosts=("localhost",)), loads.contract(ID), {"operation": "Get"})
    assert foreign.requests == []
    service.answer("/s", reply({"Id": "1"}), content_type="text/xml")
    loads.load(soap(f"{service.url}/s", endpoint="/s"), loads.contract(ID), {"operation": "Get"})


HOSTILE = [
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>',
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    "<!DOCTYPE x>",
]


@pytest.mark.parametrize("prolog", HOSTILE)
@pytest.mark.parametrize("part", ["description", "schema", "answer"])
def test_hostile_xml_is_refused(scripted: Callable[[], Any], loads: Any, part: str, prolog: str) -> None:
    service = scripted()
    description = wsdl(f"{service.url}/s", IMPORTING.format("types.xsd"))
    evil = {"description": description, "schema": SCHEMA.encode(), "answer": reply({"Id": "1"})}
    evil[part] = prolog.encode() + evil[part].removeprefix(b'<?xml version="1.0"?>')
    for path, content in (("/s?wsdl", "description"), ("/types.xsd", "schema"), ("/s", "answer")):
        service.answer(path, evil[content], content_type="text/xml")
    with pytest.raises(Invalid, match="document type"):
        loads.load(soap(f"{service.url}/s"), loads.contract(ID), {"operation": "Get"})


@pytest.mark.parametrize("content", [b"", b"<html/>", b"no xml", b"\x00\xff"])
def test_what_is_no_description_is_said(scripted: Callable[[], Any], content: bytes) -> None:
    service = scripted()
    service.answer("/s?wsdl", content, content_type="text/xml")
    with pytest.raises((Invalid, Unavailable)):
        list(soap(f"{service.url}/s", retries=0).tables())


def test_a_busy_service_is_asked_again_and_a_broken_answer_loads_nothing_twice(scripted: Callable[[], Any], loads: Any) -> None:
    service, promise = described(scripted()), loads.contract(ID)
    service.answer("/s", b"", 503, retry_after="0")
    service.answer("/s", reply({"Id": "1"})[:40], 0)
    service.answer("/s", b"", 429, retry_after="0")
    service.answer("/s", reply({"Id": "1"}), content_type="text/xml")
    loads.load(soap(f"{service.url}/s", retries=5), promise, {"operation": "Get"})
    assert loads.current(promise) == [{"Id": 1}]

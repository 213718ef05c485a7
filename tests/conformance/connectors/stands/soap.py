"""The stand of the connector `soap`: a small SOAP 1.1 service, described in WSDL 1.1, with an operation for each table."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from polyceph.sdk import Column
from polyceph.testing.faulty_web import Answer, Asked
from stands.sql_text import kind_of
from stands.stand import Form, Table
from stands.web import WebStand

_PAGE = 5_000
_XSD = {
    "integer": "long",
    "decimal": "decimal",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "dateTime",
    "instant": "dateTime",
}
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_WSDL = (
    '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:stand" targetNamespace="urn:stand"><wsdl:types>'
    '<xsd:schema targetNamespace="urn:stand" elementFormDefault="qualified">{types}</xsd:schema></wsdl:types>{messages}'
    '<wsdl:portType name="P">{operations}</wsdl:portType><wsdl:binding name="B" type="t:P">'
    '<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</wsdl:binding>'
    '<wsdl:service name="S"><wsdl:port name="p" binding="t:B"><soap:address location="{address}"/></wsdl:port></wsdl:service>'
    "</wsdl:definitions>"
)
_TYPE = (
    '<xsd:element name="{n}"><xsd:complexType><xsd:sequence><xsd:element name="Page" type="xsd:int" minOccurs="0"/>'
    '<xsd:element name="Since" type="xsd:dateTime" minOccurs="0"/></xsd:sequence></xsd:complexType></xsd:element>'
    '<xsd:complexType name="{n}Row"><xsd:sequence>{fields}</xsd:sequence></xsd:complexType>'
    '<xsd:element name="{n}Response"><xsd:complexType><xsd:sequence>'
    '<xsd:element name="Row" type="t:{n}Row" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence></xsd:complexType></xsd:element>'
)


class SoapStand(WebStand):
    """Each table is an operation with the arguments Page and Since."""

    connector: ClassVar[str] = "soap"
    server: ClassVar[str] = "a small SOAP 1.1 service of the tests (http.server)"
    path: ClassVar[str] = "/service"
    types: ClassVar[tuple[str, ...]] = (*_XSD, "string")
    odd_table: ClassVar[str] = "Élèves_d_été"
    odd_columns: ClassVar[tuple[str, ...]] = ("Nom_de_l_élève", "prix-EUR", "GROß_Été")
    can_hold_nul: ClassVar[bool] = False

    def source(self, **changes: object) -> dict[str, object]:
        return super().source(**({"endpoint": changes["url"]} if "url" in changes else {}) | changes)

    def dataset(self, table: Table) -> dict[str, object]:
        return {"operation": table.name, "arguments": {"Page": "{page}"}, "page_size": _PAGE}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {"operation": table.name, "arguments": {"Since": "{since}"}, "since": column}

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        if asked.method == "GET":
            return self._xml(self._description())
        name = asked.headers["SOAPAction"].strip('"').encode("latin-1").decode("utf-8")
        table, sent = self.tables[name], asked.body.decode()
        since, page = _between(sent, "Since>"), int(_between(sent, "Page>") or 1)
        rows: Any = table.rows
        if since:
            at = table.names().index("changed")
            rows = [row for row in table.rows if row[at] >= datetime.fromisoformat(since)]
        made = "".join(_row(table, row) for row in rows[(page - 1) * _PAGE : page * _PAGE])
        inner = f"<List>{made}</List>" if table.form.reshaped else made
        body = f'<{name}Response xmlns="urn:stand">{inner}</{name}Response>'
        return self._xml(f'<s:Envelope xmlns:s="{_SOAP}"><s:Body>{body}</s:Body></s:Envelope>', form=table.form)

    def _xml(self, text: str, *, form: Form | None = None) -> Answer:
        encoding = "iso-8859-1" if form and form.recoded else "utf-8"
        content = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)
        return Answer(content, headers={"Content-Type": f"text/xml; charset={encoding}"})

    def _description(self) -> str:
        names = list(self.tables)
        types = "".join(_TYPE.format(n=name, fields=_fields(table)) for name, table in self.tables.items())
        pairs = [(f"{n}Request", n) for n in names] + [(f"{n}Answer", f"{n}Response") for n in names]
        messages = "".join(f'<wsdl:message name="{m}"><wsdl:part name="parameters" element="t:{e}"/></wsdl:message>' for m, e in pairs)
        operations = "".join(
            f'<wsdl:operation name="{n}"><wsdl:input message="t:{n}Request"/><wsdl:output message="t:{n}Answer"/></wsdl:operation>'
            for n in names
        )
        use = '<soap:body use="literal"/>'
        bound = "".join(
            f'<wsdl:operation name="{n}"><soap:operation soapAction="{n}"/><wsdl:input>{use}</wsdl:input><wsdl:output>{use}</wsdl:output>'
            "</wsdl:operation>"
            for n in names
        )
        address = f"http://127.0.0.1:{self.served.port}{self.path}"
        return _WSDL.format(types=types, messages=messages, operations=operations, bound=bound, address=address)


def _fields(table: Table) -> str:
    pairs = zip(table.names(), table.columns, strict=True)
    return "".join(f'<xsd:element name="{name}" type="xsd:{_XSD.get(kind_of(column), "string")}" minOccurs="0"/>' for name, column in pairs)


def _row(table: Table, row: tuple[Any, ...]) -> str:
    cells = zip(table.names(), row, table.columns, strict=True)
    return f"<Row>{''.join(_cell(name, value, column, table.form) for name, value, column in cells if value is not None)}</Row>"


def _cell(name: str, value: Any, column: Column, form: Form) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, datetime | time):
        text = value.isoformat()
    elif isinstance(value, date):
        text = value.strftime("%d/%m/%Y") if form.belgian_dates else value.isoformat()
    elif isinstance(value, Decimal):
        text = f"{value:f}".replace(".", ",") if form.decimal_comma else f"{value:f}"
    else:
        text = escape(str(value)).replace("\r", "&#13;")
    return f"<{name}>{text}</{name}>"


def _between(text: str, word: str) -> str | None:
    _, found, rest = text.partition(word)
    return rest.partition("<")[0] if found else None

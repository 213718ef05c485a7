"""A SOAP server of our own for the folders `soap/<source>`: document/literal wrapped, described by a WSDL at `?wsdl`.

Documentation followed: W3C "SOAP 1.1", "SOAP Version 1.2" and "WSDL 1.1", WS-I Basic Profile 1.1 for how documents are wrapped. An
operation answers the rows of `<operation>.ndjson`; its parameters, all optional, keep those rows whose columns of the same name have
these values. `service.json` has `namespace` and `operations` with `parameters`, `fields` (XML Schema types) and `row`, the name of a
row's element.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.rows import Row, Wish
from polyceph.testing.federation.servers.web import Source, read_body
from polyceph.testing.federation.servers.wsdl import wsdl
from polyceph.testing.federation.servers.xml_text import parsed, written

KIND = "soap"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
_TYPES = {SOAP_11: "text/xml", SOAP_12: "application/soap+xml"}


class Soap:
    """SOAP services."""

    def routes(self) -> list[BaseRoute]:
        """Return the one address: GET for the WSDL, POST for a call."""
        return [Route("/service", _described), Route("/service", _called, methods=["POST"])]

    def environment(self, source: Source) -> dict[str, str]:
        """Return the address; with `?wsdl` it describes itself."""
        return {"URL": f"{source.url}/service"}

    def error(self, request: Request, error: NotFound | Invalid) -> Response:  # noqa: ARG002
        """Return a fault that blames the caller."""
        return _fault(SOAP_11, error.message)


def _described(request: Request) -> Response:
    if "wsdl" not in {name.lower() for name in request.query_params}:
        raise NotFound("ask for ?wsdl, or post a call")
    source = Source.of(request)
    return Response(wsdl(source.service(), f"{source.url}/service", source.name), media_type="text/xml; charset=utf-8")


async def _called(request: Request) -> Response:
    version = SOAP_11
    try:
        version, call = _call(await read_body(request))
        return await run_in_threadpool(_answer, Source.of(request), version, call)
    except (Invalid, NotFound) as error:
        return _fault(version, error.message)


def _call(body: bytes) -> tuple[str, Element]:
    """Return the version of the envelope and the call in it."""
    root = parsed(body)
    for version in _TYPES:
        found = root.find(f"{{{version}}}Body") if root.tag == f"{{{version}}}Envelope" else None
        if found is not None and len(found) == 1:
            return version, found[0]
    raise Invalid("the message is no SOAP envelope with one call in its body")


def _answer(source: Source, version: str, call: Element) -> Response:
    service = source.service()
    namespace = str(service["namespace"])
    name = call.tag.removeprefix(f"{{{namespace}}}")
    operation = service["operations"].get(name)
    if operation is None:
        raise NotFound(f"there is no operation {name[:60]!r}")
    envelope, answered = _envelope(version, f"t:{name}Response", {"xmlns:t": namespace})
    for row in source.rows.of(source.root, name).select(_wish(call, namespace, operation)):
        _append(answered, operation, row)
    return _response(version, envelope, 200)


def _envelope(version: str, name: str, attributes: Mapping[str, str]) -> tuple[Element, Element]:
    """Return an envelope and the one element in its body."""
    envelope = Element("s:Envelope", {"xmlns:s": version})
    return envelope, SubElement(SubElement(envelope, "s:Body"), name, dict(attributes))


def _wish(call: Element, namespace: str, operation: Mapping[str, Any]) -> Wish:
    wanted = {}
    for one in call:
        name = one.tag.removeprefix(f"{{{namespace}}}")
        if name not in operation.get("parameters", {}):
            raise Invalid(f"there is no parameter {name[:60]!r}")
        if one.text is not None:
            wanted[name] = one.text.strip()
    if not wanted:
        return Wish()
    return Wish(f"{sorted(wanted.items())}", lambda row: all(_text(row.get(name)) == text for name, text in wanted.items()))


def _append(answered: Element, operation: Mapping[str, Any], row: Row) -> None:
    one = SubElement(answered, f"t:{operation.get('row', 'Row')}")
    for name in operation["fields"]:
        if row.get(name) is not None:
            SubElement(one, f"t:{name}").text = _text(row[name])


def _text(found: Any) -> str | None:
    if found is None:
        return None
    return str(found).lower() if isinstance(found, bool) else str(found)


def _fault(version: str, message: str) -> Response:
    envelope, fault = _envelope(version, "s:Fault", {})
    if version == SOAP_11:
        SubElement(fault, "faultcode").text = "s:Client"
        SubElement(fault, "faultstring").text = message
        return _response(version, envelope, 500)
    SubElement(SubElement(fault, "s:Code"), "s:Value").text = "s:Sender"
    SubElement(SubElement(fault, "s:Reason"), "s:Text", {"xml:lang": "en"}).text = message
    return _response(version, envelope, 400)


def _response(version: str, envelope: Element, status: int) -> Response:
    return Response(written(envelope), status, media_type=f"{_TYPES[version]}; charset=utf-8")

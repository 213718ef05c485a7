"""The WSDL of a SOAP service: document/literal wrapped, bindings for SOAP 1.1 and 1.2.

Documentation followed: W3C "Web Services Description Language (WSDL) 1.1" and its binding extension for SOAP 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from polyceph.testing.federation.servers.xml_text import written

_NAMESPACES = {
    "xmlns:wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "xmlns:soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "xmlns:soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "xmlns:xsd": "http://www.w3.org/2001/XMLSchema",
}
_BINDINGS = ("soap", "soap12")
_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"


def wsdl(service: Mapping[str, Any], address: str, name: str) -> bytes:
    """Return the description of the service that `service.json` holds."""
    namespace, operations = str(service["namespace"]), service["operations"]
    root = Element("wsdl:definitions", {**_NAMESPACES, "xmlns:tns": namespace, "name": name, "targetNamespace": namespace})
    schema = SubElement(SubElement(root, "wsdl:types"), "xsd:schema", {"targetNamespace": namespace, "elementFormDefault": "qualified"})
    for operation, described in operations.items():
        _elements(schema, operation, described)
    for operation in operations:
        for message, element in ((f"{operation}Request", operation), (f"{operation}Response", f"{operation}Response")):
            part = SubElement(root, "wsdl:message", {"name": message})
            SubElement(part, "wsdl:part", {"name": "parameters", "element": f"tns:{element}"})
    port = SubElement(root, "wsdl:portType", {"name": f"{name}_port"})
    for operation in operations:
        one = SubElement(port, "wsdl:operation", {"name": operation})
        SubElement(one, "wsdl:input", {"message": f"tns:{operation}Request"})
        SubElement(one, "wsdl:output", {"message": f"tns:{operation}Response"})
    for prefix in _BINDINGS:
        _binding(root, prefix, name, operations)
    found = SubElement(root, "wsdl:service", {"name": name})
    for prefix in _BINDINGS:
        one = SubElement(found, "wsdl:port", {"name": prefix, "binding": f"tns:{name}_{prefix}"})
        SubElement(one, f"{prefix}:address", {"location": address})
    return written(root)


def _elements(schema: Element, operation: str, described: Mapping[str, Any]) -> None:
    row = described.get("row", "Row")
    asked = _sequence(SubElement(schema, "xsd:element", {"name": operation}))
    for name, kind in described.get("parameters", {}).items():
        _element(asked, name, kind)
    row_type = f"{operation}{row}"
    columns = SubElement(SubElement(schema, "xsd:complexType", {"name": row_type}), "xsd:sequence")
    for name, kind in described["fields"].items():
        _element(columns, name, kind)
    answered = _sequence(SubElement(schema, "xsd:element", {"name": f"{operation}Response"}))
    SubElement(answered, "xsd:element", {"name": row, "type": f"tns:{row_type}", "minOccurs": "0", "maxOccurs": "unbounded"})


def _sequence(element: Element) -> Element:
    return SubElement(SubElement(element, "xsd:complexType"), "xsd:sequence")


def _element(parent: Element, name: str, kind: str) -> None:
    SubElement(parent, "xsd:element", {"name": name, "type": f"xsd:{kind.rpartition(':')[2]}", "minOccurs": "0"})


def _binding(root: Element, prefix: str, name: str, operations: Iterable[str]) -> None:
    binding = SubElement(root, "wsdl:binding", {"name": f"{name}_{prefix}", "type": f"tns:{name}_port"})
    SubElement(binding, f"{prefix}:binding", {"style": "document", "transport": _TRANSPORT})
    for operation in operations:
        one = SubElement(binding, "wsdl:operation", {"name": operation})
        SubElement(one, f"{prefix}:operation", {"soapAction": operation, "style": "document"})
        for way in ("input", "output"):
            SubElement(SubElement(one, f"wsdl:{way}"), f"{prefix}:body", {"use": "literal"})

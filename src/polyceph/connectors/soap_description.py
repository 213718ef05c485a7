"""What a WSDL says: operations, where they are called, what they take and answer. Read by zeep, fetched by our own client.

Zeep loads descriptions and writes messages. Answers are read by ourselves: zeep takes a text that is no value of its type for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from polyceph.connectors.soap_options import SoapDataset, SoapSource
from polyceph.connectors.validation import meant, nearest
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.xml_documents import parsed
from polyceph.sdk import Denied, Invalid, Misconfigured, NotFound

_MOST_DOCUMENTS = 200
_DEEPEST = 12
_LOGICAL = {"boolean": "boolean", "date": "date", "dateTime": "timestamp", "time": "time", "float": "number", "double": "number"}


@dataclass(frozen=True)
class Shape:
    """An element of an answer: its XML Schema type when it holds a text, its children when it does not."""

    kind: str = "string"
    children: Mapping[str, Shape] = field(default_factory=dict)
    is_list: bool = False
    is_optional: bool = True
    is_number: bool = False

    def logical(self) -> tuple[str, str | None]:
        """Return logical and physical type."""
        if self.is_list:
            return "array", None
        if self.children:
            return "object", None
        if self.kind == "decimal":
            return "number", "decimal(38,9)"
        return _LOGICAL.get(self.kind, "integer" if self.is_number else "string"), None

    def lists(self, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Shape]]:
        """Yield the lists in it that are in no other list, by dotted path."""
        for name, child in self.children.items():
            if child.is_list:
                yield ".".join((*path, name)), child
            else:
                yield from child.lists((*path, name))


@dataclass(frozen=True)
class Operation:
    """An operation of a port: zeep's objects for it, what it answers, and where it is called."""

    name: str
    service: str
    port: str
    address: str
    zeep: Any
    answer: Shape

    @property
    def takes(self) -> str:
        """Return the arguments in words: `Year: xsd:int`."""
        return str(self.zeep.input.signature()) or "nothing"

    def rows_at(self, records: str | None) -> tuple[str, Shape]:
        """Return the path to the rows, the declared one or the only list there is, and their shape; raise `Invalid` for any other."""
        lists = dict(self.answer.lists())
        if records is not None:
            shape = self.answer
            for part in records.split("."):
                shape = shape.children.get(part, Shape())
            return records, shape
        if len(lists) == 1:
            return next(iter(lists.items()))
        hint = f"name it with records; there are: {', '.join(lists)}" if lists else "name the path to them with records"
        raise Invalid(f"the answer of {self.name} has {len(lists)} lists of rows", hint=hint)


class _Documents:
    """What zeep calls a transport: loads the description and what it imports, from declared hosts and without a document type."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._count = 0

    def load(self, url: str) -> bytes:
        if urlsplit(url).scheme not in ("http", "https"):
            raise Denied("the description imports from somewhere that is no web address", hint="ask the owner of the service for another")
        self._count += 1
        if self._count > _MOST_DOCUMENTS:
            raise Invalid(f"the description imports more than {_MOST_DOCUMENTS} documents", hint="the service is at fault")
        content, _ = self._client.read(Call(url, headers={"Accept": "text/xml, application/xml"}))
        parsed(content, f"the answer of {self._client.shown(Call(url))}")
        return content


def operations(client: WebClient, source: SoapSource) -> list[Operation]:
    """Return the operations of all ports that speak SOAP over HTTP.

    Raises:
        Misconfigured: the extra is not installed.
        Invalid: the description is none, or declares a document type.
        Denied: it imports from a host that is not declared.
    """
    try:  # an extra: most domains have no SOAP service
        from zeep.exceptions import Error
        from zeep.settings import Settings
        from zeep.wsdl import Document
        from zeep.wsdl.bindings.soap import SoapBinding
    except ImportError as error:
        raise Misconfigured("connector soap needs the extra soap", hint="install polyceph[soap]") from error
    where, documents = _location(client, source), _untyped(_Documents(client))
    try:
        document = Document(where, documents, settings=Settings(forbid_dtd=True, forbid_entities=True, force_https=False))
    except (Error, AttributeError, KeyError, LookupError, TypeError, ValueError) as error:  # zeep's own, and what broken schemas do to it
        what = client.shown(Call(where))
        raise Invalid(f"{what} is no description that can be read: {type(error).__name__}", hint="check url and wsdl") from error
    found = []
    for service in document.services.values():
        for port in service.ports.values():
            if isinstance(port.binding, SoapBinding):
                address = port.binding_options["address"]
                found += [_operation(one, (service.name, port.name, address)) for one in _untyped(port.binding).all().values()]
    if not found:
        raise Invalid(f"{client.shown(Call(where))} describes no operation of SOAP over HTTP", hint="check url and wsdl")
    return found


def chosen(found: list[Operation], dataset: SoapDataset) -> Operation:
    """Return the operation that a dataset names.

    Raises:
        NotFound: there is none, with those that were probably meant.
        Invalid: several services have it.
    """
    named = [one for one in found if one.name == dataset.operation]
    fitting = [one for one in named if dataset.service in (None, one.service) and dataset.port in (None, one.port)]
    if not fitting:
        names = sorted({one.name for one in found})
        where = ", ".join(f"{one.service}/{one.port}" for one in named)
        hint = (
            f"it is in {where}"
            if named
            else meant(dataset.operation, names) or f"there are: {', '.join(nearest(dataset.operation, names))}"
        )
        raise NotFound(f"the service has no operation {dataset.operation!r}", hint=hint)
    services = sorted({one.service for one in fitting})
    if len(services) > 1:
        raise Invalid(
            f"{len(services)} services have the operation {dataset.operation}", hint=f"name one with service: {', '.join(services)}"
        )
    return fitting[0]


def _untyped(thing: object) -> Any:
    """Return the thing as what zeep, whose own types are incomplete, takes and gives."""
    return thing


def _location(client: WebClient, source: SoapSource) -> str:
    if source.wsdl.startswith("?"):
        return client.base_url + source.wsdl
    return source.wsdl if "://" in source.wsdl else f"{client.base_url}/{source.wsdl.lstrip('/')}"


def _operation(one: Any, where: tuple[str, str, str]) -> Operation:
    body = getattr(one.output, "body", None)
    answer = _complex(body.type, 0) if body is not None and getattr(body, "type", None) is not None else Shape()
    return Operation(one.name, *where, one, answer)


def _complex(kind: Any, depth: int) -> Shape:
    elements = getattr(kind, "elements", None) or []
    return Shape("", {name: _shape(element, depth + 1) for name, element in elements if depth < _DEEPEST and isinstance(name, str)})


def _shape(element: Any, depth: int) -> Shape:
    from zeep.xsd.types import builtins  # loaded already by whoever has such an element

    kind = getattr(element, "type", None)
    most = getattr(element, "max_occurs", 1)
    is_list, is_optional = most == "unbounded" or int(most) > 1, bool(getattr(element, "is_optional", True))
    if getattr(kind, "elements", None):
        return Shape("", _complex(kind, depth).children, is_list, is_optional)
    # A type of the service's own is derived from one of XML Schema's.
    own = next((one for one in type(kind).__mro__ if one.__module__ == builtins.__name__ and "_default_qname" in vars(one)), None)
    name = str(vars(own)["_default_qname"].localname) if own is not None else "string"
    is_number = own is not None and issubclass(own, builtins.Decimal | builtins.Float | builtins.Double)
    return Shape(name, {}, is_list, is_optional or bool(getattr(element, "nillable", False)), is_number)

"""XML that comes from a service, read without a document type: no entity is expanded, nothing outside the text is ever opened."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers.expat import ExpatError, ParserCreate

from polyceph.sdk import Invalid


class _DocumentTypeError(Exception):
    """The text declares a document type."""


def parsed(content: bytes, what: str) -> Element:
    """Return the root of a document.

    Raises:
        Invalid: it is no XML, or declares a document type: entities of any kind (XXE, "billion laughs") can only be declared there.
    """
    scanner = ParserCreate()
    scanner.StartDoctypeDeclHandler = _refuse
    try:
        scanner.Parse(content, True)
        return fromstring(content)  # noqa: S314  a text without a document type has no entities
    except _DocumentTypeError as error:
        raise Invalid(f"{what} declares a document type, which is not read", hint="ask the owner of the service for plain XML") from error
    except (ExpatError, ParseError, LookupError, ValueError) as error:
        raise Invalid(f"{what} is no XML", hint="check the address") from error


def local(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def _refuse(*_: object) -> None:
    raise _DocumentTypeError

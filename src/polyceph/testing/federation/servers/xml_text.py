"""How the servers write and read XML. Prefixes stand in the names of elements, declared by hand: values may refer to them."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from polyceph.errors import Invalid


def written(root: Element) -> bytes:
    """Return a document as UTF-8."""
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def parsed(content: bytes) -> Element:
    """Return the root of a document without a document type: no entity is ever expanded. Raise `Invalid` for anything else."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\x00" in content:
        raise Invalid("a message has no document type")
    try:
        return fromstring(content)  # noqa: S314
    except (ParseError, ValueError, LookupError) as error:  # an encoding that is unknown, or is not what it says
        raise Invalid("the message is no XML") from error

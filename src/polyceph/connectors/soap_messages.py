"""Calls and answers of SOAP 1.1 and 1.2: an envelope is written and sent, the body's answer becomes rows, a fault one of our errors.

Documentation followed: W3C "SOAP 1.1", "SOAP Version 1.2", and XML Schema part 2 for how values are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element

import httpx

from polyceph.connectors.soap_description import Operation, Shape
from polyceph.connectors.soap_options import UsernameToken
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.xml_documents import local, parsed
from polyceph.sdk import Invalid, Misconfigured, SecretStr, Unavailable, secret

_SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_ZONED_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)")
_FINE = re.compile(r"(\.\d{6})(\d+)")
_REASON = 300
_REFUSALS = ("FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable", "FailedCheck")


def envelope(operation: Operation, arguments: Mapping[str, Any], token: UsernameToken | None) -> tuple[bytes, dict[str, str]]:
    """Return the message of a call and its headers; raise `Invalid` when the arguments are not what the operation takes."""
    import zeep.wsse.username
    from zeep.exceptions import Error  # an extra, which has read the description already
    from zeep.wsdl.utils import etree_to_string

    try:
        made = operation.zeep.create(**arguments)
    except (Error, TypeError, ValueError, AttributeError, KeyError) as error:
        raise Invalid(f"the arguments are not what {operation.name} takes", hint=f"it takes {operation.takes}") from error
    content = made.content
    if token is not None:
        user, word = secret(token.user_env).get_secret_value(), secret(token.password_env).get_secret_value()
        signer: Any = zeep.wsse.username.UsernameToken
        content, _ = signer(user, word, use_digest=token.is_digest, zulu_timestamp=True).apply(content, {})
    action = operation.zeep.soapaction or ""
    if content.tag.startswith(f"{{{_SOAP_12}}}"):
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    else:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    write: Any = etree_to_string
    return write(content), headers


def answered(client: WebClient, call: Call, operation: Operation, secrets: Iterable[SecretStr]) -> Element:
    """Send a call and return the element in the answer's body.

    Raises:
        Invalid: a fault that blames the call, or something that is no answer.
        Misconfigured: a fault that says our sign-in is not taken.
        Unavailable: a fault that blames the service.
    """
    body, headers = client.read(Call(call.url, method="POST", headers=call.headers, content=call.content, is_answer=_is_fault))
    if "multipart/" in headers.get("content-type", ""):
        raise Invalid(f"{operation.name} answers with attachments, which are not read", hint="ask for an answer in one document")
    root = parsed(body, f"the answer of {operation.name}")
    inner = next((one for one in root if local(one.tag) == "Body"), None) if local(root.tag) == "Envelope" else None
    if inner is None or len(inner) == 0:
        raise Invalid(f"{operation.name} answers with no SOAP envelope, or an empty one", hint="check endpoint")
    if local(inner[0].tag) == "Fault":
        raise _fault(inner[0], operation, secrets)
    return inner[0]


def _is_fault(headers: httpx.Headers, status: int) -> bool:
    return status in (httpx.codes.BAD_REQUEST, httpx.codes.INTERNAL_SERVER_ERROR) and "xml" in headers.get("content-type", "")


def _fault(fault: Element, operation: Operation, secrets: Iterable[SecretStr]) -> Invalid | Misconfigured | Unavailable:
    codes = [(one.text or "").strip().rpartition(":")[2] for one in fault.iter() if local(one.tag) in ("faultcode", "Value")]
    reasons = [one.text for one in fault.iter() if local(one.tag) in ("faultstring", "Text") and one.text]
    reason = " ".join((reasons[0] if reasons else "no reason").split())
    for word in secrets:
        reason = reason.replace(word.get_secret_value(), "***")
    reason = reason[:_REASON]
    if any(code in _REFUSALS for code in codes):
        return Misconfigured(f"{operation.name} does not accept our sign-in: {reason}", hint="check auth and username_token")
    if any(code.startswith(("Client", "Sender", "VersionMismatch", "MustUnderstand")) for code in codes):
        return Invalid(f"{operation.name} refuses the call: {reason}", hint=f"check arguments; it takes {operation.takes}")
    return Unavailable(f"{operation.name} fails in the service: {reason}", hint="nothing was loaded; run it again later")


def rows(answer: Element, path: str, shape: Shape, described: Shape) -> list[Any]:
    """Return the rows at a dotted path below the answer; raise `Invalid`, with the names that are there, when an element of the way is not.

    An answer without one row has no element for it, so only the last element of the path may be absent; and then only where there is
    nothing in its place that the description, whose shape of the answer is `described`, does not know.
    """
    *way, last = path.split(".")
    here, around = answer, described
    for part in way:
        found = [one for one in here if local(one.tag) == part]
        if not found:
            there = ", ".join(dict.fromkeys(local(one.tag) for one in here)) or "nothing"
            raise Invalid(f"the answer has no {part!r} on the way to {path!r}", hint=f"there is: {there}")
        here, around = found[0], around.children.get(part, Shape())
    found = [one for one in here if local(one.tag) == last]
    is_strange = bool(around.children) and any(local(one.tag) not in around.children for one in here)
    if not found and len(here) and (is_strange or not shape.is_list):
        there = ", ".join(dict.fromkeys(local(one.tag) for one in here))
        raise Invalid(f"the answer has no rows at {path!r}", hint=f"there is: {there}")
    return [_value(one, shape, is_row=True) for one in found]


def _value(element: Element, shape: Shape, *, is_row: bool = False) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return None
    attributes = {f"@{local(name)}": text for name, text in element.attrib.items() if name not in (_NIL, _TYPE)}
    if len(element) == 0 and not shape.children and not attributes and not is_row:
        return _leaf(element.text or "", shape)
    made: dict[str, Any] = {}
    for one in element:
        name, inner = local(one.tag), shape.children.get(local(one.tag), Shape())
        value = _value(one, inner)
        if inner.is_list or name in made:
            before = made.get(name, [])
            made[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            made[name] = value
    return made | attributes


def _leaf(text: str, shape: Shape) -> Any:
    """Return a text as its type says; one that is no value of it stays a text, for the contract to refuse."""
    plain = text.strip()
    if shape.is_number:
        return Decimal(plain) if _NUMBER.fullmatch(plain) else plain
    if shape.kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(plain, plain)
    if shape.kind == "date":  # a day's zone does not make it another day
        day = _ZONED_DAY.fullmatch(plain)
        return day[1] if day else plain
    if shape.kind in ("dateTime", "time"):
        fine = _FINE.search(plain)
        if fine is not None and fine[2].strip("0"):
            raise Invalid("the answer has a moment that is finer than a microsecond", hint="the value cannot be kept; ask for coarser ones")
        return plain.replace(fine[0], fine[1]) if fine else plain
    return text

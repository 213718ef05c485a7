"""What the layers leave in an ASGI scope for those further in: the request's id, who asks, the site, the mounted app it is for."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from starlette.requests import HTTPConnection

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import NOBODY, Principal

Scope = MutableMapping[str, Any]

REQUEST = "polyceph.request"
PRINCIPAL = "polyceph.principal"
SITE = "polyceph.site"
ROUTE = "polyceph.route"
FORM = "polyceph.form"


def request_id(scope: Mapping[str, Any]) -> str:
    """Return the id of the request, as it stands in the access log and on error pages."""
    return str(scope.get(REQUEST, ""))


def principal_in(scope: Mapping[str, Any]) -> Principal:
    """Return who asks; nobody before the layer that knows her."""
    return cast("Principal", scope.get(PRINCIPAL, NOBODY))


def principal_of(request: HTTPConnection) -> Principal:
    """Return who asks."""
    return principal_in(request.scope)


def site_of(request: HTTPConnection) -> Site:
    """Return the site that serves the request."""
    return cast("Site", request.scope[SITE])


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """Return the value of a header, None when it is missing; the last one where it stands several times."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value.decode("latin-1")
    return found


def headers(scope: Mapping[str, Any], name: bytes) -> list[str]:
    """Return every value of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]

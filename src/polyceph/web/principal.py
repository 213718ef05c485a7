"""The layer that says who asks: a cookie of a session or a bearer token becomes `scope["polyceph.principal"]`, nobody included."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Protocol

from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.core.model.access import NOBODY, Principal
from polyceph.web.cookies import Cookies
from polyceph.web.scope import PRINCIPAL, headers

_BEARER = "bearer "
_LONGEST = 4096


class PrincipalOf(Protocol):
    """Who a session's cookie or a bearer token stands for; `NOBODY` for neither, both, or one that is not known. It may block."""

    def __call__(self, cookie: str | None, bearer: str | None) -> Principal:
        """Return the principal."""
        ...


class WhoAsks:
    """Put the principal into every http and websocket scope, whatever stood there before."""

    def __init__(self, app: ASGIApp, *, principal_of: PrincipalOf, cookies: Cookies) -> None:
        self._app = app
        self._principal_of = principal_of
        self._session = cookies.name("session")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan":
            cookie, bearer = cookie_in(scope, self._session), _bearer(scope)
            scope[PRINCIPAL] = NOBODY
            if cookie or bearer:
                scope[PRINCIPAL] = await run_sync(self._principal_of, cookie, bearer)
        await self._app(scope, receive, send)


def cookie_in(scope: Scope, name: str) -> str | None:
    """Return a cookie's value, None when it is missing, too long or stands twice with two values: which one counts would be a guess."""
    found: set[str] = set()
    for line in headers(scope, b"cookie"):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                found.add(_unquoted(value))
    value = found.pop() if len(found) == 1 else ""
    return value if 0 < len(value) <= _LONGEST else None


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return next((one.value for one in SimpleCookie(f"x={value}").values()), "")
    except CookieError:
        return ""


def _bearer(scope: Scope) -> str | None:
    found = headers(scope, b"authorization")
    if len(found) != 1 or not found[0].lower().startswith(_BEARER):
        return None
    token = found[0][len(_BEARER) :].strip()
    return token if 0 < len(token) <= _LONGEST else None

"""The layer that says who asks: a cookie of a session or a bearer token becomes `scope["polyceph.principal"]`, nobody included."""

from __future__ import annotations

from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

from anyio import create_task_group, sleep
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.core.model.access import NOBODY, Principal
from polyceph.errors import PolycephError
from polyceph.web.cookies import Cookies
from polyceph.web.scope import PRINCIPAL, headers

_BEARER = "bearer "
_LONGEST = 4096
_LOOKS_S = 5.0
_OVER = 4401
"""Why a socket is closed: its session is over, or means something else now."""


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
            if scope["type"] == "websocket" and scope[PRINCIPAL] is not NOBODY:
                await self._while_it_counts(scope, receive, send, (cookie, bearer))
                return
        await self._app(scope, receive, send)

    async def _while_it_counts(self, scope: Scope, receive: Receive, send: Send, proof: tuple[str | None, str | None]) -> None:
        """Serve a socket as long as who opened it stays who she is: it may last for days, her session and her roles need not."""
        failed: list[Exception] = []
        async with create_task_group() as both:

            async def look() -> None:
                # The store tells nobody when a session ends. One that cannot be asked counts as over: the browser comes back.
                with suppress(PolycephError):
                    while _same(scope[PRINCIPAL], await run_sync(self._principal_of, *proof)):  # noqa: ASYNC110
                        await sleep(_LOOKS_S)
                await send({"type": "websocket.close", "code": _OVER, "reason": "sign in again"})
                both.cancel_scope.cancel()

            async def serve() -> None:
                try:
                    await self._app(scope, receive, send)
                except Exception as error:  # noqa: BLE001 - raised below, alone and not in a group
                    failed.append(error)
                both.cancel_scope.cancel()

            both.start_soon(look)
            both.start_soon(serve)
        if failed:
            raise failed[0]


def _same(known: Principal, now: Principal) -> bool:
    return (known.standing, known.roles, known.scopes, known.emergencies) == (now.standing, now.roles, now.scopes, now.emergencies)


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

"""The layer that turns whatever goes wrong into an answer that says what to do: a page for people, `application/problem+json` for programs.

Never a stack trace, never more than the error itself says; the id of the request finds the rest in the log.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.logs import log
from polyceph.web.languages import N_
from polyceph.web.limits import TooLarge, TooMany
from polyceph.web.pages import NotSignedIn
from polyceph.web.render import render
from polyceph.web.scope import ROUTE, request_id

_STATUS: tuple[tuple[type[PolycephError], int], ...] = (
    (TooMany, 429),
    (TooLarge, 413),
    (NotSignedIn, 401),
    (Invalid, 400),
    (NotFound, 404),
    (Denied, 403),
    (Conflict, 409),
    (Unavailable, 503),
    (Misconfigured, 500),
)
_WORDS = {
    400: (N_("That cannot be done like this"), N_("What was sent cannot be used as it is.")),
    401: (N_("Please sign in"), N_("This needs somebody who is signed in.")),
    403: (N_("You may not do this"), N_("A rule of the platform says no.")),
    404: (N_("There is nothing here"), N_("It does not exist, or it is not yours to know of.")),
    405: (N_("That cannot be done here"), N_("This address does not take that.")),
    409: (N_("Somebody else was first"), N_("It was changed at the same moment. Load the page again and look at it once more.")),
    413: (N_("That is too large"), N_("Send something smaller.")),
    429: (N_("Too many requests"), N_("Wait a little, then try again.")),
    500: (N_("Something went wrong"), N_("It is not your doing. Try again; if it stays, tell the platform's engineers the number below.")),
    503: (N_("A service does not answer"), N_("Wait a minute and try again. If it stays, tell the platform's engineers the number below.")),
}
_WS_REFUSED = 1008


@dataclass(frozen=True)
class ErrorPage:
    """What a page about an error says: words for anybody, and the error's own."""

    status: int
    title: str
    meaning: str
    message: str
    hint: str | None


class ErrorPages:
    """Answer errors of everything inside; what had begun to be answered is broken off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] == "lifespan":
                raise
            _report(scope, error)
            if has_begun:
                raise
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _WS_REFUSED, "reason": ""})
                return
            # In a thread: the page shows the federation's title, for which the store may be asked.
            response = await run_in_threadpool(error_response, Request(scope, receive), error)
            await response(scope, receive, send)


def error_response(request: Request, error: Exception) -> Response:
    """Return the answer for an error, in the form that the request accepts."""
    status, headers = _status(error)
    title, meaning = _WORDS.get(status, _WORDS[500 if status >= 500 else 400])
    is_ours = isinstance(error, PolycephError) and status != 500
    message = error.message if is_ours and isinstance(error, PolycephError) else ""
    hint = error.hint if is_ours and isinstance(error, PolycephError) else None
    if _wants_page(request):
        response = render(request, "web/error.html", ErrorPage(status, title, meaning, message, hint), status=status)
    else:
        body = {"type": "about:blank", "title": title, "status": status, "detail": message or meaning, "request": request_id(request.scope)}
        response = JSONResponse(body | ({"hint": hint} if hint else {}), status, media_type="application/problem+json")
    response.headers.update(headers)
    return response


def _status(error: Exception) -> tuple[int, dict[str, str]]:
    if isinstance(error, HTTPException):
        allowed = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        return error.status_code, allowed
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, TooMany):
        return status, {"retry-after": str(error.seconds)}
    return status, {"www-authenticate": "Bearer"} if status == 401 else {}


def _wants_page(request: Request) -> bool:
    """Tell whether HTML is among what is accepted; a program that says nothing gets JSON."""
    return "text/html" in request.headers.get("accept", "")


def _report(scope: Scope, error: Exception) -> None:
    """Log what is not the client's doing: kinds of errors and places in code, never a message, which may hold data."""
    if _status(error)[0] < 500:
        return
    places = " < ".join(
        f"{one.filename.rpartition('polyceph/')[2]}:{one.lineno}" for one in reversed(traceback.extract_tb(error.__traceback__))
    )
    kinds = [type(error).__name__]
    while (error := error.__cause__) is not None:  # type: ignore[assignment]
        kinds.append(type(error).__name__)
    log.error("%s %s failed: %s at %s", request_id(scope), scope.get(ROUTE, "-"), " from ".join(kinds), places)

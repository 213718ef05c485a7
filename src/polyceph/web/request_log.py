"""The outermost layer: each request gets an id, and one line in the access log that says nothing about a person.

A line holds the method, the declared path of the route (never what stands in its places), the status and the time. No address of a
client, no query, no name: who did what is in the journal, where the law looks after it.
"""

from __future__ import annotations

import time
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polyceph.logs import log
from polyceph.web.scope import REQUEST, ROUTE

_HEADER = b"x-request-id"


class RequestLog:
    """Give each http and websocket scope an id, answer it as `X-Request-ID`, and log one line when it ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # What a client sends as an id is not taken over: it could forge another's, or break a line of the log.
        scope[REQUEST] = uuid4().hex
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, scope[REQUEST].encode())]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            shown = scope.get(ROUTE, "-")
            spent = (time.perf_counter() - began) * 1000
            log.info("%s %s %s %s %.1f ms", scope[REQUEST], scope.get("method", "WS"), shown, status or "-", spent)

"""Dagster's pages at `/dagster`, as an ASGI app: nobody reaches Dagster except through it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from dagster import DagsterInstance
from dagster._core.workspace.load_target import WorkspaceFileTarget, WorkspaceLoadTarget
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.core.model.access import NOBODY, Action, Principal, Question, Standing
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Event
from polyceph.gateway.guards import FORBIDDEN
from polyceph.gateway.limits import Limits
from polyceph.gateway.permissions import check_permissions, reason_of
from polyceph.gateway.routes import PREFIX, Access, access_of
from polyceph.gateway.server import GatewayServer, closed
from polyceph.gateway.sight import Doors
from polyceph.gateway.verdicts import DOOR
from polyceph.gateway.workspace import PRINCIPAL, REQUEST, GatewayContext
from polyceph.logs import log

SIGN_IN = "/sign-in"
_UNAUTHENTICATED = "UNAUTHENTICATED"
_CLOSED_SOCKET = 4403
_GOING_AWAY = 1001
_SOCKET_S = 300.0
"""How long a websocket lasts. What was decided at its beginning holds until then; Dagster's page opens the next by itself."""
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def dagster_app(
    doors: Doors, workspace: Path | WorkspaceLoadTarget, *, instance: DagsterInstance | None = None, limits: Limits | None = None
) -> ASGIApp:
    """Return Dagster behind our guards. The principal is `scope["polyceph.principal"]`, nobody when there is none.

    Args:
        doors: what decides, what time it is, and what records.
        workspace: the file that names the code servers, or what says how to reach them.
        instance: Dagster's instance, that of `DAGSTER_HOME` when None.
        limits: how much one request may ask.

    Raises:
        Misconfigured: Dagster has a field, route or permission that is not classified.
    """
    check_permissions()
    target = WorkspaceFileTarget([str(workspace)]) if isinstance(workspace, Path) else workspace
    context = GatewayContext(instance or DagsterInstance.get(), target, doors)
    server = GatewayServer(context, doors, limits or Limits())
    return Gateway(server, context, doors)


class Gateway:
    """The door: whoever has no role, and every path that is closed or oddly written, stops here."""

    def __init__(self, server: GatewayServer, context: GatewayContext, doors: Doors) -> None:
        self.context = context
        self.server = server
        self._app = server.create_asgi_app()
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._let_in(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _CLOSED_SOCKET})
        else:
            await refusal(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(_SOCKET_S):
                await self._app(scope, receive, send)
        except TimeoutError:
            await send({"type": "websocket.close", "code": _GOING_AWAY})

    def close(self) -> None:
        """Let go of the code servers."""
        self.context.__exit__(None, None, None)

    async def _refusal(self, scope: Scope) -> Response | None:
        principal: Principal = scope.get(PRINCIPAL, NOBODY)
        verdict = self._doors.decide(principal, Question(Action.PLATFORM_VIEW, self._doors.now()))
        access = access_of(scope["path"]) if not _is_odd(scope) else None
        if not verdict.allowed:
            return _stopped(scope, principal, verdict)
        if access is None:
            return _answer(404, "there is no such page", "NOT_FOUND")
        if access is Access.CLOSED:
            return await self._closed(scope, principal)
        return None

    async def _closed(self, scope: Scope, principal: Principal) -> Response:
        if scope.get("method") in _UNSAFE:
            path = str(scope["path"])[:200]
            event = Event(
                actor=principal.actor, door=DOOR, action="change.asked", subject_kind="orchestration", subject_id=path, allowed=False,
                policy="closed", reason="this door is closed", after={"field": path, "action": "closed"},
                correlation={"request": scope[REQUEST]} if scope.get(REQUEST) else {},
            )  # fmt: skip
            try:
                await run_in_threadpool(self._doors.record, event)
            except Exception as error:  # noqa: BLE001 - it is refused all the same
                log.error("a refused change could not be recorded: %s", type(error).__name__)
        return closed(HTTPConnection(scope))


def _is_odd(scope: Scope) -> bool:
    """Tell whether the path came in a writing that hides what it is: encoded separators, dots or percent signs."""
    raw = scope.get("raw_path", b"").split(b"?")[0].lower()
    return any(one in raw for one in (b"%2f", b"%5c", b"%2e", b"%25", b"%00", b"%3b", b"\\"))


def _stopped(scope: Scope, principal: Principal, verdict: Decision) -> Response:
    reason = reason_of(verdict.reason, verdict.hint)
    if principal.standing is Standing.ACTIVE:
        return _answer(403, reason, FORBIDDEN)
    headers = dict(scope.get("headers") or ())
    if scope["type"] == "http" and scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b""):
        return RedirectResponse(f"{SIGN_IN}?next={quote(PREFIX + '/', safe='')}", 303)
    return _answer(401, reason, _UNAUTHENTICATED)


def _answer(status: int, message: str, code: str) -> Response:
    return JSONResponse({"data": None, "errors": [{"message": message, "extensions": {"code": code}}]}, status)

"""Dagster's own webserver with our guards in it: its page, its interface, its files, each asked for by a principal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from dagster_webserver.webserver import DagsterWebserver
from graphene import Schema
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, execute, get_operation_ast, validate
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.websockets import WebSocket

from polyceph.core.model.access import Action
from polyceph.gateway.fields import check_fields
from polyceph.gateway.guards import FORBIDDEN, guard
from polyceph.gateway.limits import TOO_MUCH, Limits, parsed, too_much
from polyceph.gateway.log_sight import LogSight
from polyceph.gateway.redaction import redact
from polyceph.gateway.routes import PREFIX, check_routes
from polyceph.gateway.run_sight import domains_of_run
from polyceph.gateway.sight import Doors
from polyceph.gateway.workspace import GatewayContext, PersonalContext
from polyceph.logs import log

BAD_REQUEST = "BAD_REQUEST"
INTERNAL = "INTERNAL"
_OK, _BAD, _FORBIDDEN, _MISSING, _NOT_ALLOWED, _TOO_LARGE, _UNSUPPORTED = 200, 400, 403, 404, 405, 413, 415


class GatewayServer(DagsterWebserver[GatewayContext, PersonalContext]):
    """The webserver. Its schema, routes and permissions are compared with our classification when it is made."""

    def __init__(self, context: GatewayContext, doors: Doors, limits: Limits) -> None:
        self._doors = doors
        self._limits = limits
        super().__init__(context, PREFIX)

    def build_graphql_schema(self) -> Schema:
        """Return Dagster's schema with a guard at every root field. Raises when it has a field that is not classified."""
        schema = super().build_graphql_schema()
        check_fields(schema.graphql_schema)
        redact(schema.graphql_schema)
        guard(schema.graphql_schema, self._doors)
        return schema

    def build_routes(self) -> list[BaseRoute]:
        """Return Dagster's routes. Raises when it has one that is not classified."""
        routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        inner = next(one for one in routes if isinstance(one, Mount) and one.path == PREFIX)
        check_routes(inner.routes)
        return [inner]

    def handle_graphql_errors(self, errors: Sequence[GraphQLError]) -> list[Any]:
        """Return errors as they are told: refusals with their reason, everything else without what went on inside."""
        return [self._told(error) for error in errors]

    def _told(self, error: GraphQLError) -> Any:
        cause = error.original_error
        if cause is None or isinstance(cause, GraphQLError):
            told = error.formatted
            told.setdefault("extensions", {"code": BAD_REQUEST})
            return told
        reference = uuid4().hex[:12]
        log.error("a field of Dagster failed (%s, %s): %s", reference, error.path, type(cause).__name__, exc_info=cause)
        return {
            "message": f"this could not be answered; tell the platform's engineers the number {reference}",
            "path": error.path,
            "extensions": {"code": INTERNAL, "reference": reference},
        }

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """Answer one request of the interface: JSON by POST, a query by GET."""
        if request.method == "GET":
            return await self._asked(request, dict(request.query_params))
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _refused(_UNSUPPORTED, "requests are JSON", BAD_REQUEST)
        body = await _body(request, self._limits.body_bytes)
        if body is None:
            return _refused(_TOO_LARGE, f"a request has at most {self._limits.body_bytes} bytes", TOO_MUCH)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return _refused(_BAD, "the request is not JSON", BAD_REQUEST)
        return await self._asked(request, asked)

    async def _asked(self, request: Request, asked: Any) -> Response:
        if not isinstance(asked, dict):
            return _refused(_BAD, "one request at a time: batches are not answered", BAD_REQUEST)
        query, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
        if isinstance(variables, str):
            try:
                variables = json.loads(variables)
            except (ValueError, RecursionError):
                return _refused(_BAD, "variables are not JSON", BAD_REQUEST)
        if not isinstance(query, str) or not isinstance(variables, dict | None) or not isinstance(name, str | None):
            return _refused(_BAD, "a request has a query, and perhaps variables and operationName", BAD_REQUEST)
        return await run_in_threadpool(self._answer, request, query, variables, name)

    def _answer(self, request: Request, query: str, variables: dict[str, Any] | None, name: str | None) -> Response:
        try:
            document = self._checked(query)
        except GraphQLError as error:
            return JSONResponse({"data": None, "errors": self.handle_graphql_errors([error])}, _BAD)
        except _Invalid as invalid:
            return JSONResponse({"data": None, "errors": self.handle_graphql_errors(invalid.errors)}, _BAD)
        operation = get_operation_ast(document, name or None)
        if operation is None:
            return _refused(_BAD, "operationName says which operation of the request is meant", BAD_REQUEST)
        if operation.operation is OperationType.SUBSCRIPTION:
            return _refused(_BAD, "subscriptions come over the websocket", BAD_REQUEST)
        if request.method == "GET" and operation.operation is not OperationType.QUERY:
            return _refused(_NOT_ALLOWED, "what changes something is asked for by POST", BAD_REQUEST, {"Allow": "POST"})
        with self.request_context(request) as context:
            return asyncio.run(self._executed(context, document, variables, operation))

    async def _executed(
        self, context: PersonalContext, document: DocumentNode, variables: dict[str, Any] | None, operation: OperationDefinitionNode
    ) -> Response:
        try:
            result: Any = execute(
                schema=self._graphene_schema.graphql_schema, document=document, context_value=context, variable_values=variables,
                operation_name=operation.name.value if operation.name else None,
            )  # fmt: skip
            result = await result if asyncio.iscoroutine(result) or asyncio.isfuture(result) else result
        except RecursionError:
            return JSONResponse(
                {"data": None, "errors": self.handle_graphql_errors([too_much("the variables are nested too deeply")])}, _BAD
            )
        answer = {"data": result.data}
        if result.errors:
            answer["errors"] = self.handle_graphql_errors(result.errors)
        # what was executed is answered in the body; only a request that could not be executed at all is a bad one
        is_bad = result.data is None and result.errors and all(error.path is None for error in result.errors)
        return JSONResponse(answer, _BAD if is_bad else _OK)

    def _checked(self, query: str) -> DocumentNode:
        document = parsed(query, self._limits)
        errors = validate(self._graphene_schema.graphql_schema, document, rules=self._graphql_validation_rules, max_errors=20)
        if errors:
            raise _Invalid(errors)
        return document

    async def execute_graphql_subscription(
        self, websocket: WebSocket, operation_id: str, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> tuple[Any, Any]:
        """Start a subscription. Nothing else is answered over the websocket."""
        try:
            document = self._checked(query)
            operation = get_operation_ast(document, operation_name or None)
        except GraphQLError as error:
            return None, self._told(error)
        except _Invalid as invalid:
            return None, self._told(invalid.errors[0])
        except (RecursionError, TypeError, AttributeError):
            return None, self._told(too_much("this is not a request that can be read"))
        if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
            return None, self._told(GraphQLError("only subscriptions are answered over the websocket", extensions={"code": BAD_REQUEST}))
        return await super().execute_graphql_subscription(websocket, operation_id, query, variables, operation_name)

    async def graphql_ws_endpoint(self, websocket: WebSocket) -> None:
        """Answer subscriptions; a message that is not one of the protocol ends the connection."""
        try:
            await super().graphql_ws_endpoint(websocket)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            await _close(websocket)
        except RuntimeError:  # the browser went away while something was sent
            return

    async def download_debug_file_endpoint(self, request: Request) -> Response:
        """Answer with the whole log of a run (`run.logs`)."""
        return await run_in_threadpool(self._debug_file, request)

    def _debug_file(self, request: Request) -> Response:
        with self.request_context(request) as context:
            run = context.instance.get_run_by_id(request.path_params["run_id"])
            if run is None or not context.sight.in_each(Action.RUN_LOGS, domains_of_run(run)):
                return _refused(_MISSING, "there is no such run, or its logs are not for you to see", FORBIDDEN)
            return debug_file(context, run)

    async def download_captured_logs_endpoint(self, request: Request) -> Response:
        """Answer with what a step of a run wrote (`run.logs`)."""
        return await run_in_threadpool(self._captured_file, request)

    def _captured_file(self, request: Request) -> Response:
        *key, extension = request.path_params["path"].split("/")
        with self.request_context(request) as context:
            manager = context.instance.compute_log_manager
            path = manager.local_path(key, extension) if isinstance(manager, LogSight) else None
            if path is None:
                return _refused(_MISSING, "there is no such output, or it is not for you to see", FORBIDDEN)
            return FileResponse(path, filename=f"{'__'.join(key)}.{extension}", media_type="text/plain")

    async def download_notebook(self, request: Request) -> Response:
        """Refuse."""
        return closed(request)

    async def webserver_info_endpoint(self, _request: Request) -> Response:
        """Refuse."""
        return closed(_request)

    async def report_asset_materialization_endpoint(self, request: Request) -> JSONResponse:
        """Refuse."""
        return closed(request)

    async def report_asset_check_endpoint(self, request: Request) -> JSONResponse:
        """Refuse."""
        return closed(request)

    async def report_asset_observation_endpoint(self, request: Request) -> JSONResponse:
        """Refuse."""
        return closed(request)


class _Invalid(Exception):
    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(str(errors[0].message))
        self.errors = errors


def debug_file(context: PersonalContext, run: Any) -> Response:
    """Return the debug file of a run as Dagster makes it."""
    import gzip
    import io

    from dagster._core.debug import DebugRunPayload

    result = io.BytesIO()
    with gzip.GzipFile(fileobj=result, mode="wb") as file:
        DebugRunPayload.build(context.instance, run).write(file)  # type: ignore[no-untyped-call]
    return Response(result.getvalue(), media_type="application/gzip")


def closed(_: HTTPConnection) -> JSONResponse:
    """Return the refusal of a route that is closed to everybody."""
    return _refused(_FORBIDDEN, "this door is closed: polyceph answers it elsewhere", FORBIDDEN)


def _refused(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"data": None, "errors": [{"message": message, "extensions": {"code": code}}]}, status, headers)


async def _body(request: Request, most: int) -> bytes | None:
    """Return the body, None when it is larger than allowed; no more than that is ever held."""
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > most:
            return None
    return bytes(held)


async def _close(websocket: WebSocket) -> None:
    from starlette.websockets import WebSocketState

    if websocket.application_state is not WebSocketState.DISCONNECTED:
        await websocket.close(1003)

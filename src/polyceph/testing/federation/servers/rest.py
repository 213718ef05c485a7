"""A REST server of our own for the folders `rest/<source>`: JSON over HTTP, described by the source's `service.json`.

`GET /<collection>` pages through `<collection>.ndjson`, `GET /<collection>/<key>` is one row. The ways in are OAuth2 client
credentials (`POST /oauth/token`), an API key in the header `X-API-Key`, basic authentication, or none. `paging` says how to page:
`page` (`page`, `page_size`), `offset` (`offset`, `limit`), `cursor` (`cursor`, `page_size`) or `link` (`page`, `page_size`, and the header
Link of RFC 8288). More than `page_size` rows at once are refused. `since` leaves the rows whose `updated` is that moment or later,
oldest first. Refusals are RFC 9457 problems; 429 and 503 say when to come again (RFC 9110, Retry-After). `token_seconds` is how long
a token is good.
"""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import moment
from polyceph.testing.federation.servers.rows import EVERYTHING, Row, Wish
from polyceph.testing.federation.servers.tokens import basic, bearer, equal, form, granted, token_answer
from polyceph.testing.federation.servers.web import Source, guarded, read_body, whole_number

KIND = "rest"
_TOKEN_SECONDS = 300
_PAGE_SIZE = 100
_SIZE_NAMES = {"offset": "limit"}


class Rest:
    """REST services."""

    def routes(self) -> list[BaseRoute]:
        """Return the token endpoint, the collections and their rows."""
        return [
            Route("/oauth/token", _token, methods=["POST"]),
            Route("/{collection}", guarded(_refusal, _page)),
            Route("/{collection}/{key}", guarded(_refusal, _one)),
        ]

    def environment(self, source: Source) -> dict[str, str]:
        """Return where the service is, and its client. For an API key the secret is the key, for basic it is the password."""
        client = {"CLIENT_ID": source.client.id, "CLIENT_SECRET": source.client.secret}
        return {"URL": source.url, "TOKEN_URL": f"{source.url}/oauth/token"} | client

    def error(self, request: Request, error: NotFound | Invalid) -> Response:  # noqa: ARG002
        """Return a problem."""
        return _problem(404 if isinstance(error, NotFound) else 400, error.message)


async def _token(request: Request) -> Response:
    source = Source.of(request)
    refused = granted(source.client, form(request, await read_body(request)), request)
    if refused is not None:
        return refused
    seconds = int(source.service().get("token_seconds", _TOKEN_SECONDS))
    return token_answer(source.tokens.issue(source.name, time.time() + seconds), seconds)


def _page(request: Request) -> Response:
    source = Source.of(request)
    service = source.service()
    name = request.path_params["collection"]
    described = _described(service, name)
    selection = source.rows.of(source.root, name).select(_wish(described, request.query_params.get("since")))
    paging = service.get("paging", "page")
    most = int(service.get("page_size", _PAGE_SIZE))
    size_name = _SIZE_NAMES.get(paging, "page_size")
    size = whole_number(request.query_params.get(size_name), most, size_name)
    if not 1 <= size <= most:
        raise Invalid(f"{size_name} must be between 1 and {most}, not {size}")
    begin = _begin(paging, request.query_params, size)
    rows, total = selection.page(begin, size), len(selection)
    content = _enveloped(rows, described.get("rows", ""), _around(paging, begin, size, total))
    headers = _links(request, source, begin // size + 1, math.ceil(total / size)) if paging == "link" else {}
    return JSONResponse(content, headers=headers)


def _one(request: Request) -> Response:
    source = Source.of(request)
    service = source.service()
    name, key = request.path_params["collection"], request.path_params["key"]
    column = _described(service, name).get("key")
    for row in source.rows.of(source.root, name).select(EVERYTHING):
        if column is not None and str(row.get(column)) == key:
            return JSONResponse(row)
    raise NotFound(f"{name} has no {key!r}")


def _refusal(request: Request) -> Response | None:
    """Return why a request is not answered: not allowed in, too many, or one of the occasional faults."""
    source = Source.of(request)
    service = source.service()
    refused = _unauthorised(request, source, service.get("auth", "oauth2"))
    if refused is not None:
        return refused
    rate = float(service.get("rate_per_second", 0))
    wait = source.pace.wait_seconds(rate, time.monotonic()) if rate > 0 else 0.0
    if wait > 0:
        return _problem(429, "too many requests", {"Retry-After": str(math.ceil(wait))})
    if source.pace.is_faulty(int(service.get("fault_every", 0))):
        return _problem(503, "the service is being restarted", {"Retry-After": "1"})
    return None


def _unauthorised(request: Request, source: Source, way: str) -> Response | None:
    if way == "none":
        return None
    if way == "basic":
        good, challenge, why = source.client.is_(basic(request)), f'Basic realm="{source.name}"', "user or password is wrong"
    elif way == "api_key":
        good, challenge, why = equal(request.headers.get("x-api-key", ""), source.client.secret), "X-API-Key", "the API key is wrong"
    else:
        token = bearer(request)
        refused = source.tokens.refusal(token, source.name, time.time()) if token else "There is no access token"
        error = f', error="invalid_token", error_description="{refused}"' if token else ""
        good, challenge, why = refused is None, f'Bearer realm="{source.name}"{error}', str(refused)
    return None if good else _problem(401, why, {"WWW-Authenticate": challenge})


def _described(service: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = service.get("collections", {}).get(name)
    if not isinstance(found, dict):
        raise NotFound(f"there is no collection {name!r}")
    return found


def _wish(described: Mapping[str, Any], since: str | None) -> Wish:
    if since is None:
        return EVERYTHING
    column = described.get("updated")
    if column is None:
        raise Invalid("this collection does not say when its rows changed: since cannot be used")
    begin = moment(since.replace(" ", "+"))  # a + that was not percent-encoded

    def changed(row: Row) -> datetime:
        return moment(str(row[column]))

    return Wish(f"since {begin.isoformat()}", lambda row: changed(row) >= begin, changed)


def _begin(paging: str, parameters: Mapping[str, str], size: int) -> int:
    if paging == "offset":
        return whole_number(parameters.get("offset"), 0, "offset")
    if paging == "cursor":
        return _read_cursor(parameters["cursor"]) if "cursor" in parameters else 0
    page = whole_number(parameters.get("page"), 1, "page")
    if page < 1:
        raise Invalid("page must be 1 or more")
    return (page - 1) * size


def _around(paging: str, begin: int, size: int, total: int) -> dict[str, Any]:
    if paging == "page":
        return {"page": begin // size + 1, "pages": math.ceil(total / size), "total": total}
    if paging == "offset":
        return {"offset": begin, "limit": size, "total": total}
    if paging == "cursor":
        return {"next_cursor": _cursor(begin + size) if begin + size < total else None}
    return {}


def _cursor(at: int) -> str:
    return base64.urlsafe_b64encode(f"at {at}".encode()).decode()


def _read_cursor(text: str) -> int:
    try:
        word, _, at = base64.urlsafe_b64decode(text).decode().partition(" ")
    except (binascii.Error, ValueError) as error:
        raise Invalid("this cursor is not of this service") from error
    if word != "at":
        raise Invalid("this cursor is not of this service")
    return whole_number(at, 0, "cursor")


def _enveloped(rows: list[Row], path: str, around: Mapping[str, Any]) -> Any:
    if not path:
        return {"items": rows, **around} if around else rows
    content: Any = rows
    for part in reversed(path.split(".")):
        content = {part: content}
    return {**around, **content}


def _links(request: Request, source: Source, page: int, pages: int) -> dict[str, str]:
    targets = {"first": 1, "prev": page - 1, "next": page + 1, "last": pages}
    kept = {name: value for name, value in request.query_params.items() if name != "page"}
    address = f"{source.url}/{request.path_params['collection']}"
    links = (f'<{address}?{urlencode(kept | {"page": at})}>; rel="{name}"' for name, at in targets.items() if 1 <= at <= pages)
    return {"Link": ", ".join(links)}


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"status": status, "title": detail}, status, headers, media_type="application/problem+json")

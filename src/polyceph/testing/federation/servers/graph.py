"""A server of our own that speaks a part of Microsoft Graph, version 1.0, for the folders `graph/<source>`: sites.

Documentation followed: Microsoft Graph REST API v1.0 on site, drive, driveItem (delta, content), list and listItem, its pages on paging
and on throttling, and the Microsoft identity platform on client credentials. `POST /<tenant>/oauth2/v2.0/token` (scope `…/.default`);
the site is `federation.example:/sites/<source>`; its drive is `library/`, its lists are `lists/<list>.ndjson` (the fields of an item are
the row's columns). `root/delta`, and `items/delta` of a list, page through everything, then say what changed and what was deleted; a
file's content is a 302 to an address that needs no token for some minutes. Each 20th request is throttled: 429 with Retry-After
(`throttle_every` in a `service.json`; 0: never).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import ODATA, condition
from polyceph.testing.federation.servers.graph_drive import ROOT, Item, Library
from polyceph.testing.federation.servers.graph_list import ListLog, as_columns
from polyceph.testing.federation.servers.graph_shapes import (
    HOST_NAME,
    as_drive,
    as_item,
    as_list,
    as_list_item,
    as_site,
    download_url,
    drive_id,
    mime,
    shown_moment,
    site_id,
    tenant,
    uuid_of,
)
from polyceph.testing.federation.servers.rows import Wish, names
from polyceph.testing.federation.servers.systems import inside
from polyceph.testing.federation.servers.tokens import bearer, form, granted, token_answer
from polyceph.testing.federation.servers.web import Source, guarded, read_body, whole_number

KIND = "graph"
_TOKEN_SECONDS = 3599
_PAGE, _MOST = 200, 5_000
_THROTTLE_EVERY = 20
_V1 = "/v1.0"
_ROOT = "root"
"""The segment that names the top of a drive."""
_EXPAND = re.compile(r"fields(?:\(\$?select=(?P<columns>[\w,]+)\))?")


class Graph:
    """Sites, each with one library and its lists."""

    def __init__(self) -> None:
        self._libraries: dict[str, Library] = {}
        self._logs: dict[tuple[str, str], ListLog] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the token endpoint, downloads, and what is below `/v1.0`."""
        site, drive = f"{_V1}/sites/{{site}}", f"{_V1}/drives/{{drive}}"
        guarded_routes: dict[str, Callable[[Request], Response]] = {
            f"{_V1}/sites/{{host}}:/sites/{{name}}": _site_by_path,
            site: _site,
            f"{site}/drive": self._drive,
            f"{site}/drives": self._drives,
            f"{site}/lists": _lists,
            f"{site}/lists/{{list}}": _list,
            f"{site}/lists/{{list}}/columns": _list_columns,
            f"{site}/lists/{{list}}/items": _list_items,
            f"{site}/lists/{{list}}/items/delta": self._list_delta,
            drive: self._drive,
            f"{drive}/root": self._item,
            f"{drive}/{_ROOT}/children": self._children,
            f"{drive}/{_ROOT}/delta": self._delta,
            f"{drive}/root:/{{path:path}}": self._item,
            f"{drive}/items/{{item}}": self._item,
            f"{drive}/items/{{item}}/children": self._children,
            f"{drive}/items/{{item}}/content": self._content,
        }
        open_routes = [Route("/{tenant}/oauth2/v2.0/token", _token, methods=["POST"]), Route("/download/{token}/{item}", self._download)]
        return [*open_routes, *(Route(path, guarded(_refusal, answer)) for path, answer in guarded_routes.items())]

    def environment(self, source: Source) -> dict[str, str]:
        """Return where version 1.0 begins, the token endpoint of the tenant, and the registered application."""
        client = {"CLIENT_ID": source.client.id, "CLIENT_SECRET": source.client.secret}
        return {"URL": f"{source.url}{_V1}", "TOKEN_URL": f"{source.url}/{tenant(source)}/oauth2/v2.0/token"} | client

    def error(self, request: Request, error: NotFound | Invalid) -> Response:  # noqa: ARG002
        """Return an error as Graph does."""
        if isinstance(error, NotFound):
            return _error(404, "itemNotFound", "The resource could not be found.")
        return _error(400, "invalidRequest", error.message)

    def _library(self, source: Source) -> Library:
        return self._libraries.setdefault(source.name, Library(source.root / "library", source.state))

    def _drive(self, request: Request) -> Response:
        source = Source.of(request)
        _check(request, drive=drive_id(source), site=site_id(source))
        return JSONResponse(as_drive(source))

    def _drives(self, request: Request) -> Response:
        source = Source.of(request)
        _check(request, site=site_id(source))
        return JSONResponse({"value": [as_drive(source)]})

    def _item(self, request: Request) -> Response:
        path = request.path_params.get("path", "")
        for ending, answer in ((":/children", self._children), (":/content", self._content)):
            if path.endswith(ending):
                request.path_params["path"] = path.removesuffix(ending)
                return answer(request)
        source = Source.of(request)
        return JSONResponse(as_item(source, self._wanted(request), self._library(source).items()))

    def _children(self, request: Request) -> Response:
        source = Source.of(request)
        folder, items = self._wanted(request), self._library(source).items()
        children = [one for one in items.values() if one.parent == folder.path and one.path != ROOT and not one.is_deleted]
        begin, size = _skip(request), _top(request)
        shown = [as_item(source, one, items) for one in sorted(children, key=lambda one: one.name)[begin : begin + size]]
        return JSONResponse(_paged(request, shown, begin + size if begin + size < len(children) else None))

    def _content(self, request: Request) -> Response:
        source, item = Source.of(request), self._wanted(request)
        if item.is_folder:
            raise Invalid("Cannot download a folder.")
        return RedirectResponse(download_url(source, item), 302)

    def _download(self, request: Request) -> Response:
        source, item = Source.of(request), request.path_params["item"]
        refused = source.tokens.refusal(request.path_params["token"], f"{source.name} {item}", time.time())
        if refused is not None:
            return _error(401, "unauthenticated", refused)
        found = _by_id(self._library(source), item)
        return FileResponse(inside(source.root, f"library/{found.path}"), media_type=mime(found), filename=found.name)

    def _delta(self, request: Request) -> Response:
        """Say what is there, or what changed after the token; a page at a time, in the order of the changes."""
        source = Source.of(request)
        _check(request, drive=drive_id(source))
        items = self._library(source).items()
        newest = max(one.number for one in items.values())
        since, until, begin = _delta_state(request, newest)
        if since > newest or until > newest:
            again = f"{source.url}{_V1}/drives/{drive_id(source)}/{_ROOT}/delta"
            return _error(410, "resyncRequired", "Resync required. Begin again without a token.", {"Location": again})
        kept = [one for one in items.values() if since < one.number <= until and (since or not one.is_deleted)]
        page = sorted(kept, key=lambda one: one.number)[begin : begin + _top(request)]
        end = begin + len(page)
        token = f"{since}-{until}-{end}" if end < len(kept) else f"{until}"
        link = f"{source.url}{_V1}/drives/{drive_id(source)}/{_ROOT}/delta?{urlencode(_kept(request) | {'token': token}, safe='$')}"
        name = "@odata.nextLink" if end < len(kept) else "@odata.deltaLink"
        return JSONResponse({"value": [as_item(source, one, items) for one in page], name: link})

    def _list_delta(self, request: Request) -> Response:
        """Say which items there are, or which changed after the token, deleted ones too; a page at a time."""
        source, name = Source.of(request), _list_name(request)
        items = {str(row.get("id", at)): (at, row) for at, row in enumerate(source.rows.of(source.root / "lists", name).select(Wish()), 1)}
        memory = source.state.with_name(f"{source.state.stem}.{name}.list.json")
        log = self._logs.setdefault((source.name, name), ListLog(memory))
        changes = log.changes({identity: row for identity, (_, row) in items.items()})
        newest = max((one.number for one in changes.values()), default=0)
        since, until, begin = _delta_state(request, newest)
        here = f"{source.url}{_V1}/sites/{quote(site_id(source), safe=',')}/lists/{request.path_params['list']}/items/delta"
        if since > newest or until > newest:
            return _error(410, "resyncRequired", "Resync required. Begin again without a token.", {"Location": here})
        kept = [
            (one.number, identity) for identity, one in changes.items() if since < one.number <= until and (since or not one.is_deleted)
        ]
        page = sorted(kept)[begin : begin + _top(request)]
        end, more = begin + len(page), _expanded(request.query_params.get("$expand", ""))
        changed = shown_moment(inside(source.root, f"lists/{name}.ndjson").stat().st_mtime)
        shown = [
            as_list_item(items[key][1], items[key][0], changed, more) if key in items else {"id": key, "deleted": {"state": "deleted"}}
            for _, key in page
        ]
        is_last = end >= len(kept)
        link = f"{here}?{urlencode(_kept(request) | {'token': str(until) if is_last else f'{since}-{until}-{end}'}, safe='$')}"
        return JSONResponse({"value": shown, "@odata.deltaLink" if is_last else "@odata.nextLink": link})

    def _wanted(self, request: Request) -> Item:
        source = Source.of(request)
        _check(request, drive=drive_id(source))
        library, given = self._library(source), request.path_params
        if "item" in given and given["item"] != "root":
            return _by_id(library, given["item"])
        found = library.items().get(given.get("path", ROOT).strip("/"))
        if found is None or found.is_deleted:
            raise NotFound("item")
        return found


def _refusal(request: Request) -> Response | None:
    source = Source.of(request)
    token = bearer(request)
    refused = source.tokens.refusal(token, source.name, time.time()) if token else "Access token is empty."
    if refused is not None:
        return _error(401, "InvalidAuthenticationToken", refused, {"WWW-Authenticate": 'Bearer realm=""'})
    if source.pace.is_faulty(int(source.service().get("throttle_every", _THROTTLE_EVERY))):
        return _error(429, "activityLimitReached", "The request has been throttled.", {"Retry-After": "1"})
    return None


async def _token(request: Request) -> Response:
    source = Source.of(request)
    fields = form(request, await read_body(request))
    if request.path_params["tenant"] != tenant(source):
        return JSONResponse({"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found."}, 400)
    refused = granted(source.client, fields, request)
    if refused is not None:
        return refused
    if not fields.get("scope", "").endswith("/.default"):
        return JSONResponse({"error": "invalid_scope", "error_description": "AADSTS70011: The provided scope is not valid."}, 400)
    seconds = int(source.service().get("token_seconds", _TOKEN_SECONDS))
    return token_answer(source.tokens.issue(source.name, time.time() + seconds), seconds, ext_expires_in=seconds)


def _site_by_path(request: Request) -> Response:
    source = Source.of(request)
    _check(request, host=HOST_NAME, name=source.name)
    return JSONResponse(as_site(source))


def _site(request: Request) -> Response:
    source = Source.of(request)
    _check(request, site=site_id(source))
    return JSONResponse(as_site(source))


def _lists(request: Request) -> Response:
    source = Source.of(request)
    _check(request, site=site_id(source))
    return JSONResponse({"value": [as_list(source, name) for name in names(source.root / "lists")]})


def _list(request: Request) -> Response:
    return JSONResponse(as_list(Source.of(request), _list_name(request)))


def _list_columns(request: Request) -> Response:
    source = Source.of(request)
    return JSONResponse({"value": as_columns(source.rows.of(source.root / "lists", _list_name(request)).select(Wish()))})


def _list_items(request: Request) -> Response:
    """Return items; their columns only when `fields` is expanded, as Graph does."""
    source, asked = Source.of(request), request.query_params
    name = _list_name(request)
    path = inside(source.root, f"lists/{name}.ndjson")
    changed = shown_moment(path.stat().st_mtime)
    where = asked.get("$filter", "")
    holds = condition(where, ODATA) if where else None
    # A column of an item is asked for as fields/Column.
    wish = Wish(where, (lambda row: holds({**row, "fields": row})) if holds else None)
    found = source.rows.of(source.root / "lists", name).select(wish)
    begin, size, columns = _skip(request), _top(request), _expanded(asked.get("$expand") or asked.get("expand") or "")
    shown = [as_list_item(row, begin + at, changed, columns) for at, row in enumerate(found.page(begin, size), 1)]
    return JSONResponse(_paged(request, shown, begin + size if begin + size < len(found) else None))


def _expanded(text: str) -> list[str] | None:
    """Return the columns to show: none of them (None), or the named ones, or all (an empty list)."""
    match = _EXPAND.fullmatch(text)
    if text and match is None:
        raise Invalid(f"Could not expand {text[:60]!r}; write fields or fields($select=A,B)")
    return None if match is None else (match["columns"] or "").split(",") if match["columns"] else []


def _list_name(request: Request) -> str:
    source, wanted = Source.of(request), request.path_params["list"]
    _check(request, site=site_id(source))
    for name in names(source.root / "lists"):
        if wanted in (name, uuid_of(source, f"list {name}")):
            return name
    raise NotFound("list")


def _by_id(library: Library, wanted: str) -> Item:
    for one in library.items().values():
        if one.id == wanted and not one.is_deleted:
            return one
    raise NotFound("item")


def _delta_state(request: Request, newest: int) -> tuple[int, int, int]:
    """Return from which change to which, and how many of these were shown already."""
    token = request.query_params.get("token", "")
    if token == "latest":  # noqa: S105 -- a word of the API
        return newest, newest, 0
    parts = [whole_number(part, 0, "token") for part in token.split("-")] if token else [0]
    if len(parts) not in (1, 3):
        raise Invalid("this token is not of this drive")
    return (parts[0], newest, 0) if len(parts) == 1 else (parts[0], parts[1], parts[2])


def _paged(request: Request, shown: Iterable[Any], further: int | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"value": list(shown)}
    if further is not None:
        source = Source.of(request)
        below = quote(request.url.path.partition(_V1)[2])
        answer["@odata.nextLink"] = f"{source.url}{_V1}{below}?{urlencode(_kept(request) | {'$skiptoken': str(further)}, safe='$')}"
    return answer


def _kept(request: Request) -> dict[str, str]:
    return {name: text for name, text in request.query_params.items() if name not in ("token", "$skiptoken")}


def _skip(request: Request) -> int:
    return whole_number(request.query_params.get("$skiptoken"), 0, "$skiptoken")


def _top(request: Request) -> int:
    size = whole_number(request.query_params.get("$top"), _PAGE, "$top")
    if not 1 <= size <= _MOST:
        raise Invalid(f"The limit of '{_MOST}' for Top query has been exceeded, or it is 0.")
    return size


def _check(request: Request, **expected: str) -> None:
    """Raise `NotFound` when a part of the path names another thing than there is."""
    for name, text in expected.items():
        if name in request.path_params and request.path_params[name].rstrip(":") != text:
            raise NotFound(name)


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)

"""A server of our own that speaks OData 4.0, or 2.0 as SAP Gateway does, for the folders `odata/<source>`. Read only.

Documentation followed: OASIS "OData Version 4.0" parts 1–2 and its JSON format, "OData Version 2.0" (odata.org), and SAP's help on
server-side paging, delta tokens and the header `X-CSRF-Token: Fetch`. Service document, `$metadata`, entity sets with `$top`, `$skip`,
`$select`, `$filter`, `$orderby`, `$count` (v2: `$inlinecount`), a single entity by its key, server-side paging (`@odata.nextLink`, v2
`__next`), and for sets that say when a row changed a delta link (`@odata.deltaLink` if the client prefers `odata.track-changes`, v2
`__delta`). Answers are JSON. `service.json` has `version` (4.0 or 2.0), `auth` (basic or none), `namespace`, `page_size`, and `entity_sets`
with `key`, `properties` (EDM types) and `updated`. What is deleted is not told: rows of these systems are only added and changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import ODATA, Condition, condition, moment, order
from polyceph.testing.federation.servers.edm import metadata
from polyceph.testing.federation.servers.rows import Row, Wish
from polyceph.testing.federation.servers.tokens import basic
from polyceph.testing.federation.servers.web import Source, guarded, whole_number

KIND = "odata"
_PAGE_SIZE = 100
_KNOWN = frozenset({"$top", "$skip", "$select", "$filter", "$orderby", "$count", "$inlinecount", "$format", "$skiptoken", "$deltatoken"})
_MOMENTS = ("Edm.DateTime", "Edm.DateTimeOffset", "Edm.Date")
_AS_TEXT_IN_V2 = ("Edm.Decimal", "Edm.Int64", "Edm.Double")
_KEY = re.compile(r"(?:(?P<name>\w+)\s*=\s*)?(?P<value>'(?:[^']|'')*'|[^',]+)\s*(?:,|$)")


@dataclass(frozen=True)
class EntitySet:
    """An entity set as `service.json` describes it."""

    name: str
    version: str
    namespace: str
    key: tuple[str, ...]
    properties: Mapping[str, str]
    updated: str | None

    @classmethod
    def of(cls, source: Source, name: str) -> EntitySet:
        """Return the set of that name; raise `NotFound` when the service has none."""
        service = source.service()
        written = service.get("entity_sets", {}).get(name)
        if not isinstance(written, dict):
            raise NotFound(f"Resource not found for the segment '{name[:60]}'")
        version, namespace = str(service.get("version", "4.0")), str(service.get("namespace", "Service"))
        return cls(name, version, namespace, tuple(written["key"]), written["properties"], written.get("updated"))

    @property
    def is_v2(self) -> bool:
        """Tell whether it is served in version 2."""
        return self.version.startswith("2")


class OData:
    """OData services."""

    def routes(self) -> list[BaseRoute]:
        """Return the service document, the metadata, entity sets and entities."""
        return [
            Route("/", guarded(_refusal, _service_document)),
            Route("/$metadata", guarded(_refusal, _metadata)),
            Route("/{set}/$count", guarded(_refusal, _count)),
            Route("/{set}({key})", guarded(_refusal, _entity)),
            Route("/{set}", guarded(_refusal, _entities), methods=["GET", "POST"]),
        ]

    def environment(self, source: Source) -> dict[str, str]:
        """Return the service's root, and user and password."""
        return {"URL": f"{source.url}/", "USER": source.client.id, "PASSWORD": source.client.secret}

    def error(self, request: Request, error: NotFound | Invalid) -> Response:
        """Return an error as the version writes it."""
        return _error(request, 404 if isinstance(error, NotFound) else 400, error.message)


def _service_document(request: Request) -> Response:
    source = Source.of(request)
    names = sorted(source.service().get("entity_sets", {}))
    if _is_v2(source):
        return _answer(request, {"d": {"EntitySets": names}})
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
    return _answer(request, {"@odata.context": f"{source.url}/$metadata", "value": sets})


def _metadata(request: Request) -> Response:
    source = Source.of(request)
    sets = [EntitySet.of(source, name) for name in sorted(source.service().get("entity_sets", {}))]
    described = [(one.name, one.key, one.properties) for one in sets]
    text = metadata(str(source.service().get("namespace", "Service")), described, is_v2=_is_v2(source))
    return Response(text, media_type="application/xml", headers=_headers(request))


def _count(request: Request) -> Response:
    source = Source.of(request)
    one = EntitySet.of(source, request.path_params["set"])
    found = len(source.rows.of(source.root, one.name).select(_wish(one, request.query_params)))
    return Response(str(found), media_type="text/plain", headers=_headers(request))


def _entity(request: Request) -> Response:
    source = Source.of(request)
    one = EntitySet.of(source, request.path_params["set"])
    wanted = _key(one, request.path_params["key"])
    for row in source.rows.of(source.root, one.name).select(Wish()):
        if all(str(row.get(name)) == text for name, text in wanted.items()):
            shown = _shown(one, source, row, _selected(one, request.query_params))
            context = {} if one.is_v2 else {"@odata.context": f"{source.url}/$metadata#{one.name}/$entity"}
            return _answer(request, {"d": shown} if one.is_v2 else context | shown)
    raise NotFound(f"Resource not found for the segment '{one.name}'")


def _entities(request: Request) -> Response:
    if request.method == "POST":
        return _error(request, 405, "This service is read only")
    source, asked = Source.of(request), request.query_params
    one = EntitySet.of(source, request.path_params["set"])
    for name in asked:
        if name.startswith("$") and name not in _KNOWN:
            raise Invalid(f"The system query option '{name[:40]}' is not supported")
    begin, newest = _begin(one, source, asked)
    found = source.rows.of(source.root, one.name).select(_wish(one, asked))
    left = whole_number(asked.get("$top"), len(found), "$top")
    size = min(left, int(source.service().get("page_size", _PAGE_SIZE)))
    selected = _selected(one, asked)
    rows = [_shown(one, source, row, selected) for row in found.page(begin, size)]
    if begin + size < len(found) and left > size:
        links = {"next": _next(source, one, asked, (begin + size, left - size, newest))}
    else:
        links = {"delta": _delta(source, one, asked, newest)} if newest and _is_tracked(one, request) else {}
    return _answer(request, _collection(source, one, rows, (len(found) if _wants_count(asked) else None, links)))


def _collection(source: Source, one: EntitySet, rows: list[Row], around: tuple[int | None, Mapping[str, str]]) -> dict[str, Any]:
    count, links = around
    if one.is_v2:
        counted = {} if count is None else {"__count": str(count)}
        return {"d": counted | {"results": rows} | {f"__{name}": link for name, link in links.items()}}
    counted_v4 = {} if count is None else {"@odata.count": count}
    context = {"@odata.context": f"{source.url}/$metadata#{one.name}"}
    return context | counted_v4 | {"value": rows} | {f"@odata.{name}Link": link for name, link in links.items()}


def _wish(one: EntitySet, asked: Mapping[str, str]) -> Wish:
    """Return the rows that are asked for; without an order in that of the key, so that pages do not overlap."""
    conditions: list[Condition] = []
    if asked.get("$filter"):
        conditions.append(condition(asked["$filter"], ODATA))
    token = _deltatoken(asked)
    if token is not None:
        if one.updated is None:
            raise Invalid(f"{one.name} has no changes to ask for")
        column, since = one.updated, moment(token)
        conditions.append(lambda row: moment(str(row[column])) > since)
    by = asked.get("$orderby") or ",".join(one.key)
    _check_columns(one, (part.split()[0] for part in by.split(",") if part.strip()))
    name = json.dumps([asked.get("$filter"), token, by])
    return Wish(name, lambda row: all(holds(row) for holds in conditions), order(by))


def _check_columns(one: EntitySet, names: Iterable[str]) -> None:
    for name in names:
        if name not in one.properties:
            raise Invalid(f"Property '{name[:60]}' not found in type '{one.namespace}.{one.name}'")


def _selected(one: EntitySet, asked: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in asked.get("$select", "").split(",") if name.strip()]
    _check_columns(one, (name for name in names if name != "*"))
    return list(one.properties) if not names or "*" in names else names


def _wants_count(asked: Mapping[str, str]) -> bool:
    return asked.get("$count") == "true" or asked.get("$inlinecount") == "allpages"


def _shown(one: EntitySet, source: Source, row: Row, selected: Iterable[str]) -> Row:
    if not one.is_v2:
        return {name: row.get(name) for name in selected}
    key = ",".join(f"{name}={_literal(row.get(name))}" if len(one.key) > 1 else _literal(row.get(name)) for name in one.key)
    uri = f"{source.url}/{one.name}({quote(key)})"
    shown = {name: _as_v2(row.get(name), one.properties[name]) for name in selected}
    return {"__metadata": {"id": uri, "uri": uri, "type": f"{one.namespace}.{one.name}"}} | shown


def _as_v2(found: Any, kind: str) -> Any:
    """Return a value as the JSON of version 2 has it: dates in milliseconds since 1970, decimals and long integers as text."""
    if found is None:
        return None
    if kind in _MOMENTS:
        return f"/Date({round(moment(str(found)).timestamp() * 1000)})/"
    return str(found) if kind in _AS_TEXT_IN_V2 else found


def _literal(found: Any) -> str:
    return str(found) if isinstance(found, int | float) else "'" + str(found).replace("'", "''") + "'"


def _key(one: EntitySet, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _KEY.finditer(text):
        value = match["value"].strip()
        found[match["name"] or one.key[0]] = value[1:-1].replace("''", "'") if value.startswith("'") else value
    if set(found) != set(one.key):
        raise Invalid(f"The key of {one.name} is {', '.join(one.key)}")
    return found


def _begin(one: EntitySet, source: Source, asked: Mapping[str, str]) -> tuple[int, str]:
    """Return where a page begins, and the newest moment of change there was when the first page was asked for (empty: none)."""
    if "$skiptoken" in asked:
        begin, _, newest = asked["$skiptoken"].strip("'").partition("~")
        return whole_number(begin, 0, "$skiptoken"), newest.replace(" ", "+")
    return whole_number(asked.get("$skip"), 0, "$skip"), _newest(one, source)


def _next(source: Source, one: EntitySet, asked: Mapping[str, str], further: tuple[int, int, str]) -> str:
    begin, left, newest = further
    kept = {name: text for name, text in asked.items() if name not in ("$skip", "$skiptoken", "$top")}
    # How many are still wanted goes on with the token: what the client asked for at first stays what it gets.
    top = {"$top": str(left)} if "$top" in asked else {}
    return f"{source.url}/{one.name}?{urlencode(kept | top | {'$skiptoken': f'{begin}~{newest}'}, safe='$!')}"


def _deltatoken(asked: Mapping[str, str]) -> str | None:
    text = asked.get("$deltatoken") or asked.get("!deltatoken")
    return text.strip("'").replace(" ", "+") if text else None


def _newest(one: EntitySet, source: Source) -> str:
    if one.updated is None:
        return ""
    column = one.updated
    rows = source.rows.of(source.root, one.name).select(Wish("newest last", None, lambda row: moment(str(row[column]))))
    last = rows.page(len(rows) - 1, 1)
    return (moment(str(last[0][column])) if last else datetime.fromtimestamp(0, UTC)).isoformat()


def _is_tracked(one: EntitySet, request: Request) -> bool:
    return one.is_v2 or "track-changes" in request.headers.get("prefer", "") or _deltatoken(request.query_params) is not None


def _delta(source: Source, one: EntitySet, asked: Mapping[str, str], newest: str) -> str:
    """Return the link that asks for what changed after the newest moment."""
    token = {"!deltatoken": f"'{newest}'"} if one.is_v2 else {"$deltatoken": newest}
    kept = {name: text for name, text in asked.items() if name in ("$filter", "$select", "$format")}
    return f"{source.url}/{one.name}?{urlencode(kept | token, safe='$!')}"


def _is_v2(source: Source) -> bool:
    return str(source.service().get("version", "4.0")).startswith("2")


def _refusal(request: Request) -> Response | None:
    source = Source.of(request)
    if source.service().get("auth", "basic") != "none" and not source.client.is_(basic(request)):
        return _error(request, 401, "Logon failed", {"WWW-Authenticate": f'Basic realm="{source.name}"'})
    if request.method == "POST" and request.headers.get("x-csrf-token") != _csrf(source):
        return _error(request, 403, "CSRF token validation failed", {"X-CSRF-Token": "Required"})
    return None


def _csrf(source: Source) -> str:
    return source.tokens.sign(f"csrf {source.name}")[:32]


def _headers(request: Request) -> dict[str, str]:
    source = Source.of(request)
    wants = request.headers.get("x-csrf-token", "").lower() == "fetch"
    token = {"X-CSRF-Token": _csrf(source), "Set-Cookie": f"session={_csrf(source)[:8]}; path=/; HttpOnly"} if wants else {}
    prefers = {"Preference-Applied": "odata.track-changes"} if "track-changes" in request.headers.get("prefer", "") else {}
    return {"DataServiceVersion": "2.0"} | token if _is_v2(source) else {"OData-Version": "4.0"} | token | prefers


def _answer(request: Request, content: Any) -> Response:
    kind = "application/json" if _is_v2(Source.of(request)) else "application/json;odata.metadata=minimal"
    return JSONResponse(content, headers=_headers(request), media_type=kind)


def _error(request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    text: Any = {"lang": "en", "value": message} if _is_v2(Source.of(request)) else message
    return JSONResponse({"error": {"code": str(status), "message": text}}, status, {**_headers(request), **(headers or {})})

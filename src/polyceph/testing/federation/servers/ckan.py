"""A server of our own that speaks the CKAN action API, version 3, for the folders `ckan/<source>`. Open to everybody.

Documentation followed: "API guide" and "DataStore extension" of CKAN. `package_list`, `package_show`, `package_search`, `resource_show`,
`datastore_search` (for resources in CSV; at most 32,000 rows) by GET or POST, and the resources' files for download. A source has one
package: `package.json`, whose `resources` have `id`, `name`, `format` and the `path` of a file beside it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import order
from polyceph.testing.federation.servers.rows import Row
from polyceph.testing.federation.servers.systems import digest, inside
from polyceph.testing.federation.servers.web import Source, read_json, whole_number

KIND = "ckan"
_MOST_ROWS, _DEFAULT_ROWS = 32_000, 100
_MOST_PACKAGES, _DEFAULT_PACKAGES = 1_000, 10
_TYPES = {"CSV": "text/csv", "JSON": "application/json", "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
Asked = Mapping[str, Any]


class Ckan:
    """Portals with one package each."""

    def routes(self) -> list[BaseRoute]:
        """Return the actions and the files."""
        return [
            Route("/api/3/action/{action}", _action, methods=["GET", "POST"]),
            Route("/api/action/{action}", _action, methods=["GET", "POST"]),
            Route("/dataset/{package}/resource/{resource}/download/{file}", _download),
        ]

    def environment(self, source: Source) -> dict[str, str]:
        """Return the portal's address; the actions begin at `/api/3/action` below it."""
        return {"URL": source.url}

    def error(self, request: Request, error: NotFound | Invalid) -> Response:
        """Return an error as the API does."""
        if isinstance(error, NotFound):
            return _failure(request, 404, {"__type": "Not Found Error", "message": f"Not found: {error.message}"})
        return _failure(request, 409, {"__type": "Validation Error", "message": error.message})


async def _action(request: Request) -> Response:
    action = _ACTIONS.get(request.path_params["action"])
    if action is None:
        return JSONResponse(f"Bad request - Action name not known: {request.path_params['action'][:60]}", 400)
    asked = await read_json(request) if request.method == "POST" else dict(request.query_params)
    result = await run_in_threadpool(action, Source.of(request), asked)
    return JSONResponse({"help": _help(request), "success": True, "result": result})


def _failure(request: Request, status: int, error: Mapping[str, str]) -> Response:
    return JSONResponse({"help": _help(request), "success": False, "error": dict(error)}, status)


def _help(request: Request) -> str:
    return f"{Source.of(request).url}/api/3/action/help_show?name={request.url.path.rpartition('/')[2]}"


def _package_list(source: Source, asked: Asked) -> list[str]:  # noqa: ARG001
    return [_package(source)["name"]]


def _package_show(source: Source, asked: Asked) -> dict[str, Any]:
    found = _package(source)
    if _wanted(asked, "id") not in (found["name"], found["id"]):
        raise NotFound("package")
    return found


def _package_search(source: Source, asked: Asked) -> dict[str, Any]:
    found = _package(source)
    words = [word.strip("*:").lower() for word in str(asked.get("q", "")).split()]
    text = json.dumps(found, ensure_ascii=False).lower()
    results = [found] if all(word in text for word in words) else []
    begin = whole_number(_text(asked, "start"), 0, "start")
    size = min(whole_number(_text(asked, "rows"), _DEFAULT_PACKAGES, "rows"), _MOST_PACKAGES)
    return {"count": len(results), "sort": "score desc", "facets": {}, "search_facets": {}, "results": results[begin : begin + size]}


def _resource_show(source: Source, asked: Asked) -> dict[str, Any]:
    return _resource(source, _wanted(asked, "id"))


def _datastore_search(source: Source, asked: Asked) -> dict[str, Any]:
    """Return rows of a CSV resource: all columns are texts, as they are in the file."""
    resource = _resource(source, _wanted(asked, "resource_id"))
    if not resource["datastore_active"]:
        raise NotFound("resource is not in the datastore")
    begin = whole_number(_text(asked, "offset"), 0, "offset")
    size = min(whole_number(_text(asked, "limit"), _DEFAULT_ROWS, "limit"), _MOST_ROWS)
    header, rows = _read(_file(source, resource["id"]))
    wanted, fields = _filters(asked, header), _fields(asked, header)
    found = [row for row in rows if all(str(row[column]) in values for column, values in wanted.items())]
    if asked.get("sort"):
        found.sort(key=order(str(asked["sort"])))
    typed = [{"id": name, "type": "int" if name == "_id" else "text"} for name in fields]
    records = [{name: row[name] for name in fields} for row in found[begin : begin + size]]
    base = f"/api/3/action/datastore_search?resource_id={resource['id']}&limit={size}"
    links = {"start": base, "next": f"{base}&offset={begin + size}"}
    answer = {"resource_id": resource["id"], "fields": typed, "records": records, "total": len(found), "limit": size, "_links": links}
    return answer | {"include_total": True, "records_format": "objects"} | ({"offset": begin} if begin else {})


_ACTIONS = {
    "package_list": _package_list,
    "package_show": _package_show,
    "package_search": _package_search,
    "resource_show": _resource_show,
    "datastore_search": _datastore_search,
}


def _download(request: Request) -> Response:
    source, given = Source.of(request), request.path_params
    package = _package(source)
    resource = _resource(source, given["resource"])
    path = _file(source, resource["id"])
    if given["package"] not in (package["name"], package["id"]) or given["file"] != path.name:
        raise NotFound("resource")
    return FileResponse(path, media_type=resource["mimetype"], filename=path.name)


def _package(source: Source) -> dict[str, Any]:
    """Return the package as `package_show` gives it."""
    written = source.document("package.json")
    name = str(written["name"])
    resources = [_as_resource(source, name, one) for one in written["resources"]]
    changed = max((one["last_modified"] for one in resources), default=None)
    state = {"state": "active", "private": False, "type": "dataset", "metadata_modified": changed, "num_resources": len(resources)}
    return {"id": name, "title": name, "tags": [], "extras": [], **written, **state, "resources": resources}


def _as_resource(source: Source, package: str, written: Mapping[str, Any]) -> dict[str, Any]:
    path = inside(source.root, str(written["path"]))
    found = path.stat()
    changed = datetime.fromtimestamp(found.st_mtime, UTC).replace(tzinfo=None).isoformat()
    form = str(written.get("format", path.suffix.lstrip("."))).upper()
    return {
        "id": written["id"],
        "name": written.get("name", path.name),
        "description": written.get("description", ""),
        "package_id": package,
        "format": form,
        "mimetype": _TYPES.get(form, "application/octet-stream"),
        "url": f"{source.url}/dataset/{package}/resource/{written['id']}/download/{path.name}",
        "url_type": "upload",
        "size": found.st_size,
        "hash": digest(path),
        "created": changed,
        "last_modified": changed,
        "state": "active",
        "datastore_active": form == "CSV",
    }


def _resource(source: Source, wanted: str) -> dict[str, Any]:
    for one in _package(source)["resources"]:
        if one["id"] == wanted:
            return dict(one)
    raise NotFound("resource")


def _file(source: Source, resource: str) -> Path:
    written = next(one for one in source.document("package.json")["resources"] if one["id"] == resource)
    return inside(source.root, str(written["path"]))


def _read(path: Path) -> tuple[list[str], list[Row]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    lines: Iterator[list[str]] = csv.reader(text.splitlines(), delimiter=max(";,\t|", key=first.count))
    header = ["_id", *next(lines, [])]
    return header, [dict(zip(header, [number, *cells], strict=False)) for number, cells in enumerate(lines, 1)]


def _filters(asked: Asked, header: list[str]) -> dict[str, set[str]]:
    given = asked.get("filters", {})
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise Invalid("filters is no JSON object") from error
    if not isinstance(found, dict) or not found.keys() <= set(header):
        raise Invalid(f"filters must name columns: {', '.join(header)}")
    return {column: set(map(str, values if isinstance(values, list) else [values])) for column, values in found.items()}


def _fields(asked: Asked, header: list[str]) -> list[str]:
    given = asked.get("fields")
    if not given:
        return header
    found = [str(one).strip() for one in (given if isinstance(given, list) else str(given).split(","))]
    unknown = sorted(set(found) - set(header))
    if unknown:
        raise Invalid(f"field {unknown[0]!r} does not exist in table")
    return found


def _wanted(asked: Asked, name: str) -> str:
    if not asked.get(name):
        raise Invalid(f"{name}: Missing value")
    return str(asked[name])


def _text(asked: Asked, name: str) -> str | None:
    return None if asked.get(name) is None else str(asked[name])

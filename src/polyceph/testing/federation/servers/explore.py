"""A server of our own that speaks the Opendatasoft (Huwise) Explore API v2.1, for the folders `explore/<source>`. Open to everybody.

Documentation followed: "Opendatasoft's Explore API Reference Documentation (v2.1)". `catalog/datasets`, a dataset with its fields,
its `records` (`limit` at most 100, `offset` + `limit` at most 10,000; `select`, `where`, `order_by`), its `exports` (csv, json, jsonl,
parquet). A dataset is `<dataset>.ndjson` with `<dataset>.meta.json`, whose `fields` have name, type and label. Grouping, facets and
geography are not offered.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.conditions import ODSQL, condition, order, value
from polyceph.testing.federation.servers.rows import Row, Selection, Wish, names
from polyceph.testing.federation.servers.systems import inside
from polyceph.testing.federation.servers.web import Source

KIND = "explore"
_BASE = "/api/explore/v2.1"
_DATASET = f"{_BASE}/catalog/datasets/{{dataset}}"
_MOST, _MOST_DEEP, _DEFAULT = 100, 10_000, 10
_NOT_OFFERED = frozenset({"group_by", "refine", "exclude"})
_CHUNK = 500


class Explore:
    """Portals of open data."""

    def routes(self) -> list[BaseRoute]:
        """Return the catalogue, datasets, records and exports."""
        return [
            Route(f"{_BASE}/catalog/datasets", _datasets),
            Route(_DATASET, _dataset),
            Route(f"{_DATASET}/records", _records),
            Route(f"{_DATASET}/exports", _formats),
            Route(f"{_DATASET}/exports/{{form}}", _export),
        ]

    def environment(self, source: Source) -> dict[str, str]:
        """Return the portal's address; the API begins at `/api/explore/v2.1` below it."""
        return {"URL": source.url}

    def error(self, request: Request, error: NotFound | Invalid) -> Response:  # noqa: ARG002
        """Return an error as the API does."""
        if isinstance(error, NotFound):
            return JSONResponse({"error_code": "NotFound", "message": error.message}, 404)
        return JSONResponse({"error_code": error.hint or "InvalidRESTParameterError", "message": error.message}, 400)


def _datasets(request: Request) -> Response:
    source = Source.of(request)
    begin, size = _window(request.query_params)
    found = names(source.root)
    return JSONResponse({"total_count": len(found), "results": [_described(source, name) for name in found[begin : begin + size]]})


def _dataset(request: Request) -> Response:
    return JSONResponse(_described(Source.of(request), request.path_params["dataset"]))


def _records(request: Request) -> Response:
    begin, size = _window(request.query_params)
    found = _found(request)
    return JSONResponse({"total_count": len(found), "results": [_picked(row, request) for row in found.page(begin, size)]})


def _formats(request: Request) -> Response:
    source, dataset = Source.of(request), request.path_params["dataset"]
    _described(source, dataset)
    address = f"{source.url}{_BASE}/catalog/datasets/{dataset}/exports"
    links = [{"rel": form, "href": f"{address}/{form}"} for form in _EXPORTS]
    return JSONResponse({"links": [{"rel": "self", "href": address}, *links]})


def _export(request: Request) -> Response:
    form = request.path_params["form"]
    if form not in _EXPORTS:
        raise Invalid(f"Invalid value for format API parameter: {form[:40]} was found but one of {', '.join(_EXPORTS)} is expected.")
    begin, size = _number(request.query_params, "offset", 0, 0, None), _number(request.query_params, "limit", -1, -1, None)
    if begin and (size < 0 or begin + size > _MOST_DEEP):
        raise _too_deep(begin + size if size >= 0 else -1)
    fields = _described(Source.of(request), request.path_params["dataset"])["fields"]
    found = _found(request)
    kept = Selection(found.path, found.starts[begin : begin + size if size >= 0 else None])
    rows = (_picked(row, request) for row in kept)
    return _EXPORTS[form](rows, _columns(fields, request), request.query_params)


def _window(parameters: Mapping[str, str]) -> tuple[int, int]:
    size = _number(parameters, "limit", _DEFAULT, -1, _MOST)
    begin = _number(parameters, "offset", 0, 0, None)
    size = _MOST if size < 0 else size
    if begin + size > _MOST_DEEP:
        raise _too_deep(begin + size)
    return begin, size


def _too_deep(found: int) -> Invalid:
    return Invalid(f"Invalid value for sum of offset + limit API parameter: {found} was found but <= {_MOST_DEEP} is expected.")


def _number(parameters: Mapping[str, str], name: str, default: int, least: int, most: int | None) -> int:
    text = parameters.get(name, str(default))
    wanted = f"{least} <= {name}" + ("" if most is None else f" <= {most}")
    try:
        found = int(text[:12])
    except ValueError:
        found = least - 1
    if found < least or (most is not None and found > most):
        raise Invalid(f"Invalid value for {name} API parameter: {text[:40]} was found but {wanted} is expected.")
    return found


def _described(source: Source, dataset: str) -> dict[str, Any]:
    """Return a dataset as the catalogue shows it."""
    if dataset not in names(source.root):
        raise NotFound(f"Unknown dataset: {dataset[:80]}")
    meta = dict(source.document(f"{dataset}.meta.json"))
    path = inside(source.root, f"{dataset}.ndjson")
    metas = dict(meta.get("metas", {}))
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    count = len(source.rows.of(source.root, dataset).select(Wish()))
    default = {"title": meta.get("title", dataset), **metas.get("default", {}), "modified": changed, "data_processed": changed}
    fields = [{"description": None, "annotations": {}, **one} for one in meta["fields"]]
    return {
        "dataset_id": dataset,
        "dataset_uid": f"da_{dataset}",
        "has_records": count > 0,
        "data_visible": True,
        "features": ["analyze"],
        "attachments": [],
        "metas": metas | {"default": default | {"records_count": count}},
        "fields": fields,
    }


def _found(request: Request) -> Selection:
    source, dataset, asked = Source.of(request), request.path_params["dataset"], request.query_params
    fields = {one["name"] for one in _described(source, dataset)["fields"]}
    unoffered = sorted(_NOT_OFFERED & asked.keys())
    if unoffered:
        raise Invalid(f"{unoffered[0]} is not offered by this server")
    where, by = asked.get("where", "").strip(), asked.get("order_by", "").strip()
    for path in _paths(asked):
        if path.split("/")[0] not in fields:
            raise Invalid(f'Unknown field: "{path[:60]}"', hint="ODSQLError")
    try:
        wish = Wish(json.dumps([where, by]), condition(where, ODSQL) if where else None, order(by) if by else None)
    except Invalid as error:
        raise Invalid(f"ODSQL query is malformed: {error.message}", hint="ODSQLError") from error
    return source.rows.of(source.root, dataset).select(wish)


def _paths(asked: Mapping[str, str]) -> Iterator[str]:
    yield from (column for column, _ in _selected(asked))
    yield from (part.split()[0].strip("`") for part in asked.get("order_by", "").split(",") if part.strip())


def _selected(asked: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the selected columns with their names in the answer; empty for all."""
    found = []
    for part in (one.strip() for one in asked.get("select", "").split(",")):
        words = part.split()
        if not words or words == ["*"]:
            continue
        if len(words) not in (1, 3) or words[1:2] not in ([], ["as"]) or not words[0].strip("`").replace("_", "").isalnum():
            raise Invalid(f"ODSQL query is malformed: {part[:60]!r} is no column", hint="ODSQLError")
        found.append((words[0].strip("`"), words[-1].strip("`")))
    return found


def _picked(row: Row, request: Request) -> Row:
    selected = _selected(request.query_params)
    return {name: value(row, column) for column, name in selected} if selected else row


def _columns(fields: Sequence[Mapping[str, str]], request: Request) -> list[Mapping[str, str]]:
    by_name = {one["name"]: one for one in fields}
    selected = _selected(request.query_params)
    return [dict(by_name[column], name=name) for column, name in selected] if selected else list(fields)


def _csv(rows: Iterator[Row], columns: Sequence[Mapping[str, str]], asked: Mapping[str, str]) -> Response:
    """Delimiter `;` and a byte order mark unless asked otherwise, as version 2.1 does."""
    header = [one.get("label", one["name"]) if asked.get("use_labels") == "true" else one["name"] for one in columns]
    delimiter, separator = asked.get("delimiter", ";")[:1] or ";", asked.get("list_separator", ",")
    quotes_all = asked.get("quote_all") == "true"

    def text(cells: Iterable[Sequence[Any]]) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL, lineterminator="\r\n").writerows(
            cells
        )
        return out.getvalue()

    def parts() -> Iterator[str]:
        yield ("\ufeff" if asked.get("with_bom", "true") == "true" else "") + text([header])
        for chunk in _chunks(rows):
            yield text([_cell(row.get(one["name"]), separator) for one in columns] for row in chunk)

    return StreamingResponse(parts(), media_type="text/csv; charset=utf-8")


def _cell(found: Any, separator: str) -> Any:
    if isinstance(found, dict) and found.keys() == {"lon", "lat"}:
        return f"{found['lat']}, {found['lon']}"
    if isinstance(found, list):
        return separator.join(map(str, found))
    if isinstance(found, bool | dict):
        return json.dumps(found, ensure_ascii=False)
    return found


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _json(rows: Iterator[Row], columns: Sequence[Mapping[str, str]], asked: Mapping[str, str]) -> Response:  # noqa: ARG001
    def parts() -> Iterator[str]:
        before = "["
        for row in rows:
            yield before + json.dumps(row, ensure_ascii=False)
            before = ","
        yield "]" if before == "," else "[]"

    return StreamingResponse(parts(), media_type="application/json; charset=utf-8")


def _jsonl(rows: Iterator[Row], columns: Sequence[Mapping[str, str]], asked: Mapping[str, str]) -> Response:  # noqa: ARG001
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return StreamingResponse(lines, media_type="application/jsonl; charset=utf-8")


def _parquet(rows: Iterator[Row], columns: Sequence[Mapping[str, str]], asked: Mapping[str, str]) -> Response:  # noqa: ARG001
    # Imported here: it weighs more than all servers together, and few ask for this format.
    import pyarrow as pa
    import pyarrow.parquet

    kinds = {"int": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us", "UTC")}
    whole = list(rows)
    arrays = {}
    for one in columns:
        kind = kinds.get(one["type"], pa.string())
        arrays[one["name"]] = pa.array([_typed(row.get(one["name"]), one["type"]) for row in whole], kind)
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table(arrays), sink)
    return Response(sink.getvalue(), media_type="application/vnd.apache.parquet")


def _typed(found: Any, kind: str) -> Any:
    if found is None:
        return None
    if kind in ("date", "datetime"):
        moment = datetime.fromisoformat(str(found))
        return moment.date() if kind == "date" else moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found if kind in ("int", "double", "boolean") else str(_cell(found, ","))


_EXPORTS = {"csv": _csv, "json": _json, "jsonl": _jsonl, "parquet": _parquet}

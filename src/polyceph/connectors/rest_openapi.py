"""What a service says it offers: the collections of its OpenAPI description (3.x or 2.0, as JSON). Reads no rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from polyceph.connectors.web.client import Call, WebClient
from polyceph.sdk import Invalid, SourceTable

_DEEPEST = 4


def collections(client: WebClient, address: str) -> Iterator[SourceTable]:
    """Yield the addresses that give lists: those to GET without parts to fill in.

    Raises:
        Invalid: the document is no description of OpenAPI.
    """
    call = Call(address)
    document = client.json(call)[0]
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        raise Invalid(f"{client.shown(call)} is no description of OpenAPI in JSON", hint="correct openapi of the source, or leave it out")
    prefix = _prefix(client, document)
    for path, item in document["paths"].items():
        operation = item.get("get") if isinstance(item, Mapping) else None
        if not isinstance(operation, Mapping) or "{" in path:
            continue
        records = _records(document, _schema(document, operation), 0)
        if records is not None:
            words = [str(operation.get(name) or "") for name in ("summary", "description")]
            options = {"path": prefix + path.lstrip("/"), **({"records": records} if records else {})}
            yield SourceTable(path.strip("/"), options, "\n".join(word for word in words if word))


def _prefix(client: WebClient, document: Mapping[str, Any]) -> str:
    """Return what stands between the source's url and the paths, where the description's server lies below the url."""
    servers = document.get("servers") or [{"url": document.get("basePath", "")}]
    base = urlsplit(str(servers[0].get("url", ""))).path.strip("/")
    own = urlsplit(client.base_url).path.strip("/")
    below = base[len(own) :].strip("/") if base.startswith(own) else ""
    return f"{below}/" if below else ""


def _schema(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    responses = operation.get("responses") or {}
    answer = _resolved(document, responses.get("200") or responses.get("default") or {})
    if "schema" in answer:
        return answer["schema"]
    for kind, content in (answer.get("content") or {}).items():
        if "json" in kind and isinstance(content, Mapping):
            return content.get("schema")
    return None


def _records(document: Mapping[str, Any], schema: Any, depth: int) -> str | None:
    """Return the path to the only list of objects in an answer, empty for the answer itself; None when there is none for certain."""
    schema = _resolved(document, schema)
    if schema.get("type") == "array":
        return ""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or depth >= _DEEPEST:
        return None
    found = []
    for name, inner in properties.items():
        path = _records(document, inner, depth + 1)
        if path is not None:
            found.append(f"{name}.{path}" if path else str(name))
    return found[0] if len(found) == 1 else None


def _resolved(document: Mapping[str, Any], found: Any) -> Mapping[str, Any]:
    """Return what a reference inside the document leads to; empty for one that leads elsewhere, or round in a circle."""
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping):
            return {}
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        there: Any = document if reference.startswith("#/") else {}
        for part in reference.removeprefix("#/").split("/"):
            there = there.get(unquote(part).replace("~1", "/").replace("~0", "~")) if isinstance(there, Mapping) else None
        found = there
    return {}

"""What a service says it offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyceph.connectors.rest import RestConnector
from polyceph.errors import Invalid
from polyceph.testing.faulty_web import Answer, Faulty, doc, serving


@pytest.fixture
def server() -> Iterator[Faulty]:
    with serving() as found:
        yield found


def offered(server: Faulty, document: Any, below: str = "") -> dict[str, dict[str, Any]]:
    server.on(f"{below}/openapi.json", document if isinstance(document, Answer) else doc(document))
    options = RestConnector.source_options.model_validate({"url": server.url + below, "openapi": "openapi.json", "retries": 0})
    return {table.name: dict(table.options) for table in RestConnector(options, base=Path()).tables()}


def answer(schema: Any) -> dict[str, Any]:
    return {"get": {"summary": "x", "responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}


ROWS = {"type": "array", "items": {"type": "object"}}


def test_lists_are_offered_with_the_path_to_their_rows(server: Faulty) -> None:
    page = {"type": "object", "properties": {"data": {"type": "object", "properties": {"items": ROWS}}, "total": {"type": "integer"}}}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "https://example.org/api/v1"}],
        "paths": {
            "/schools": answer(ROWS),
            "/pupils": answer({"$ref": "#/components/schemas/Page"}),
            "/pupils/{id}": answer(ROWS),
            "/health": answer({"type": "object", "properties": {"ok": {"type": "boolean"}}}),
            "/two": answer({"type": "object", "properties": {"a": ROWS, "b": ROWS}}),
            "/circle": answer({"$ref": "#/components/schemas/Circle"}),
            "/elsewhere": answer({"$ref": "https://example.org/schema"}),
            "/orders": {"post": {"responses": {}}},
        },
        "components": {"schemas": {"Page": page, "Circle": {"$ref": "#/components/schemas/Circle"}}},
    }
    assert offered(server, document, "/api") == {
        "schools": {"path": "v1/schools"},
        "pupils": {"path": "v1/pupils", "records": "data.items"},
    }


def test_the_older_form_is_read_too(server: Faulty) -> None:
    document = {"swagger": "2.0", "basePath": "/v2", "paths": {"/a": {"get": {"responses": {"200": {"schema": ROWS}}}}}}
    assert offered(server, document) == {"a": {"path": "v2/a"}}


@pytest.mark.parametrize("document", [{"hello": 1}, [], {"paths": []}])
def test_what_is_no_description_is_told(server: Faulty, document: Any) -> None:
    with pytest.raises(Invalid, match="no description of OpenAPI"):
        offered(server, document)

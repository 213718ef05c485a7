"""The stand of the connector `ckan`: a small portal that speaks CKAN's action API 3 and keeps uploaded files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from polyceph.testing.faulty_web import Answer, Asked
from stands.delimited import pieces
from stands.proxy import HOST
from stands.stand import Stand, Table
from stands.web import WebStand, json_answer


class CkanStand(WebStand):
    """One package whose resources are texts with a delimiter; a resource is known by its name."""

    connector: ClassVar[str] = "ckan"
    server: ClassVar[str] = "a small portal of the tests that speaks CKAN's action API (http.server)"
    cursor_column: ClassVar[Any] = Stand.cursor_column

    def start(self) -> Any:
        self.files: dict[str, bytes] = {}
        return super().start()

    def publish(self, table: Table) -> None:
        self.tables[table.name] = replace(table, rows=())
        self.files[table.name] = b"".join(pieces(table))

    def add(self, table: Table, rows: Any) -> None:
        self.publish(table.with_rows([*table.rows, *rows]))

    def dataset(self, table: Table) -> dict[str, object]:
        return {"package": "stand", "resource": table.name}

    def cursor_value(self, number: int) -> Any:
        return number

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        if parts[0] == "files":
            return Answer(self.files[parts[1]], headers={"Content-Type": "text/csv"})
        host = asked.headers.get("Host", f"{HOST}:{self.served.port}")
        resources = [self._resource(name, host) for name in self.files if name in self.tables]
        return json_answer({"success": True, "result": {"name": query["id"], "resources": resources}})

    def _resource(self, name: str, host: str) -> Mapping[str, Any]:
        content = self.files[name]
        digest = hashlib.sha256(content).hexdigest()
        own = {"id": hashlib.sha256(name.encode()).hexdigest()[:16], "name": name, "format": "CSV", "url_type": "upload"}
        return {**own, "url": f"http://{host}/files/{quote(name, safe='')}/{own['id']}.csv", "hash": digest, "size": len(content)}

"""The stand of the connector `rest`: a small service with pages by offset, a total, and a parameter for what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from polyceph.testing.faulty_web import Answer, Asked
from stands.stand import Table
from stands.web import WebStand, json_answer, objects, rows_since

_PAGE = 10_000


class RestStand(WebStand):
    """`GET /tables/<name>?offset=&limit=&since=`: `{"items": [...], "total": 3}`."""

    connector: ClassVar[str] = "rest"
    server: ClassVar[str] = "a small JSON service of the tests (http.server)"

    def dataset(self, table: Table) -> dict[str, object]:
        paging = {"style": "offset", "size": _PAGE, "total": "total"}
        return {"path": f"tables/{quote(table.name, safe='')}", "records": "items", "paging": paging}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {**self.dataset(table), "since": {"parameter": "since", "field": column}}

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        table = self.tables[parts[1]]
        rows: Any = rows_since(table, "changed", datetime.fromisoformat(query["since"])) if "since" in query else table.rows
        begin = int(query.get("offset", 0))
        items = objects(table, rows[begin : begin + int(query.get("limit", _PAGE))])
        if table.form.reshaped:
            return json_answer({"data": {"rows": items}, "count": len(rows)})
        return json_answer({"items": items, "total": len(rows)}, form=table.form)

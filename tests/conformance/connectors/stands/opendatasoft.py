"""The stand of the connector `opendatasoft`: a small service that speaks the Explore API 2.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import simplejson

from polyceph.testing.faulty_web import Answer, Asked
from stands.sql_text import kind_of
from stands.stand import Table
from stands.web import WebStand, json_answer, objects, rows_since

_FIELDS = {"integer": "int", "decimal": "double", "number": "double", "boolean": "boolean", "date": "date", "instant": "datetime"}
_SINCE = re.compile(r"`(\w+)` >= date'([^']+)'")


class OpendatasoftStand(WebStand):
    """A catalogue of datasets; `data_processed` changes with each publication."""

    connector: ClassVar[str] = "opendatasoft"
    server: ClassVar[str] = "a small service of the tests that speaks Explore 2.1 (http.server)"
    odd_table: ClassVar[str] = "eleves-d-ete_a@ville"
    odd_columns: ClassVar[tuple[str, ...]] = ("Nom de l'élève", 'a"b', "prix €", "GROß_Été")

    def start(self) -> Any:
        self.versions: dict[str, int] = {}
        return super().start()

    def publish(self, table: Table) -> None:
        super().publish(table)
        self.versions[table.name] = self.versions.get(table.name, 0) + 1

    def dataset(self, table: Table) -> dict[str, object]:
        return {"dataset": table.name}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {"dataset": table.name, "since": column}

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        table = self.tables[parts[5]]
        if len(parts) == 6:
            return json_answer(self._described(table))
        found = _SINCE.search(query.get("where", ""))
        rows: Any = rows_since(table, found[1], datetime.fromisoformat(found[2])) if found else table.rows
        if parts[6] == "records":
            return json_answer({"total_count": len(rows), "results": objects(table, rows[: int(query["limit"])])})
        lines = [simplejson.dumps(row, ensure_ascii=False, use_decimal=True) for row in objects(table, rows)]
        if table.form.reshaped:
            return Answer(f"[{','.join(lines)}]".encode())
        return Answer("".join(f"{line}\n" for line in lines).encode("iso-8859-1" if table.form.recoded else "utf-8"))

    def _described(self, table: Table) -> Mapping[str, Any]:
        pairs = zip(table.names(), table.columns, strict=True)
        fields = [{"name": name, "label": name, "type": _FIELDS.get(kind_of(column), "text")} for name, column in pairs]
        metas = {"default": {"records_count": len(table.rows), "data_processed": f"version {self.versions[table.name]}"}}
        return {"dataset_id": table.name, "fields": fields, "metas": metas}

"""The stand of the connector `sap`: a small OData 4 service, with pages and links for changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from polyceph.connectors.types import decimal_digits
from polyceph.sdk import Column
from polyceph.testing.faulty_web import Answer, Asked
from stands.behaviours import Behaviour
from stands.sql_text import kind_of
from stands.stand import Table
from stands.web import WebStand, json_answer, objects, text_of

_PAGE = 5_000
_EDM = {
    "integer": "Edm.Int64",
    "number": "Edm.Double",
    "boolean": "Edm.Boolean",
    "date": "Edm.Date",
    "time": "Edm.TimeOfDay",
    "timestamp": "Edm.String",
    "instant": "Edm.DateTimeOffset",
    "string": "Edm.String",
}
_HEAD = '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:DataServices>'
_SCHEMA = '<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Stand">'


class SapStand(WebStand):
    """Entity sets of one service; each publication is a version, and a link for changes tells what a later one brought."""

    connector: ClassVar[str] = "sap"
    server: ClassVar[str] = "a small OData 4 service of the tests (http.server): no SAP server was available"
    path: ClassVar[str] = "/service"
    types: ClassVar[tuple[str, ...]] = ("integer", "decimal", "number", "boolean", "date", "time", "instant", "string")
    odd_table: ClassVar[str] = "Élèves_d_été"
    odd_columns: ClassVar[tuple[str, ...]] = ("Nom_de_l_élève", "prix_EUR", "GROß_Été")
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {}

    def dataset(self, table: Table) -> dict[str, object]:
        return {"entity_set": table.name, "page_size": _PAGE, "changes": "whole"}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {"entity_set": table.name, "since": column, "overlap_seconds": 60}

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        if parts[1] == "$metadata":
            return Answer(self._metadata().encode(), headers={"Content-Type": "application/xml"})
        table = self.tables[parts[1]]
        rows: Any = table.rows
        if "$filter" in query:
            column, _, moment = query["$filter"].split(" ", 2)
            at = table.names().index(column)
            rows = [row for row in rows if row[at].isoformat() >= moment.replace("Z", "+00:00")]
        begin = int(query.get("$skiptoken", 0))
        wanted = query["$select"].split(",") if "$select" in query else table.names()
        items = [{name: row[name] for name in wanted} for row in objects(table, rows[begin : begin + _PAGE])]
        more = len(rows) > begin + _PAGE
        link = {"@odata.nextLink": f"{parts[1]}?$skiptoken={begin + _PAGE}&$select={','.join(wanted)}"} if more else {}
        if table.form.reshaped:  # as version 2 writes it
            return json_answer({"d": {"results": items}})
        return json_answer({"@odata.context": f"$metadata#{parts[1]}", "value": items, **link}, form=table.form)

    def _metadata(self) -> str:
        types, sets = "", ""
        for number, (name, table) in enumerate(self.tables.items()):
            properties = "".join(_property(label, column) for label, column in zip(table.names(), table.columns, strict=True))
            types += f'<EntityType Name="T{number}"><Key><PropertyRef Name="id"/></Key>{properties}</EntityType>'
            sets += f'<EntitySet Name="{name}" EntityType="Stand.T{number}"/>'
        return f'{_HEAD}{_SCHEMA}{types}<EntityContainer Name="C">{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>'


def _property(name: str, column: Column) -> str:
    digits = decimal_digits(column)
    kind = f'Edm.Decimal" Precision="{digits[0]}" Scale="{digits[1]}' if digits else _EDM[kind_of(column)]
    return f'<Property Name="{name}" Type="{kind}" Nullable="{text_of(not column.primary_key)}"/>'

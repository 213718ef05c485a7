"""The stand of the connector `sharepoint`: a small service that speaks Microsoft Graph for one document library."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from polyceph.testing.faulty_web import Answer, Asked
from stands.delimited import pieces
from stands.proxy import HOST
from stands.stand import Row, Stand, Table
from stands.web import WebStand, json_answer


class SharepointStand(WebStand):
    """Texts with a delimiter in a library; its delta tells every file that was written since."""

    connector: ClassVar[str] = "sharepoint"
    server: ClassVar[str] = "a small service of the tests that speaks Microsoft Graph for a library (http.server)"
    path: ClassVar[str] = "/v1.0"
    cursor_column: ClassVar[Any] = Stand.cursor_column

    def start(self) -> Any:
        self.files: dict[str, bytes] = {}
        self.written: list[tuple[str, bool]] = []
        return super().start()

    def publish(self, table: Table) -> None:
        self.tables[table.name] = replace(table, rows=())
        if f"{table.name}_more" in self.files:
            self._gone(f"{table.name}_more")
        self._put(table.name, table)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        self._put(f"{table.name}_more", table.with_rows(rows))

    def remove(self, name: str) -> None:
        self._gone(name)

    def move(self, table: Table, name: str) -> None:
        content = self.files[table.name]
        self._gone(table.name)
        self.files[name] = content
        self.written.append((name, True))

    def source(self, **changes: object) -> dict[str, object]:
        return super().source(**{"drive": "library", **changes})

    def dataset(self, table: Table) -> dict[str, object]:
        return {"path": f"{table.name}*.csv"}

    def cursor_value(self, number: int) -> Any:
        return number

    def _answer(self, asked: Asked) -> Answer:
        # As Graph's own download addresses do, these carry their permission and are asked without a sign-in.
        name = next((one for one in self.files if asked.path == f"/download/{_id(one)}"), None)
        return super()._answer(asked) if name is None else Answer(self.files[name], headers={"Content-Type": "text/csv"})

    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        host = asked.headers.get("Host", f"{HOST}:{self.served.port}")
        if parts[-1] == "delta":
            begin = int(query.get("token", 0))
            latest = dict(self.written[begin:])
            items = [self._item(name, is_there=is_there) for name, is_there in latest.items()]
            link = f"http://{host}{self.path}/drives/library/root/delta?token={len(self.written)}"
            return json_answer({"value": [{"id": "root", "name": "root", "root": {}, "folder": {}}, *items], "@odata.deltaLink": link})
        name = next(one for one in self.files if _id(one) == parts[4])
        address = f"http://{host}/download/{parts[4]}"
        return json_answer({**self._item(name, is_there=True), "@microsoft.graph.downloadUrl": address})

    def _put(self, name: str, table: Table) -> None:
        self.files[name] = b"".join(pieces(table))
        self.written.append((name, True))

    def _gone(self, name: str) -> None:
        del self.files[name]
        self.written.append((name, False))

    def _item(self, name: str, *, is_there: bool) -> dict[str, Any]:
        if not is_there:
            return {"id": _id(name), "deleted": {"state": "deleted"}}
        content = self.files[name]
        mark = hashlib.sha256(content).hexdigest()
        own = {"id": _id(name), "name": f"{name}.csv", "parentReference": {"id": "root", "driveId": "library"}, "size": len(content)}
        return {**own, "file": {}, "cTag": mark, "eTag": mark, "lastModifiedDateTime": "2026-03-29T01:00:00Z"}


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]

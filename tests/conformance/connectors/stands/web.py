"""What the stands of HTTP sources share: a server of the tests that answers from Python tables, and how a source reaches it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from urllib.parse import unquote

import simplejson

from polyceph.sdk import Column
from polyceph.testing.faulty_web import Answer, Answering, Asked, serving
from stands.proxy import HOST
from stands.stand import Form, Row, Stand, Table, set_secret

KEY = "a-key-that-is-right"


class _Everything(dict[str, Any]):
    """Every path, answered by one function."""

    def __init__(self, answering: Answering) -> None:
        super().__init__()
        self._answering = answering

    def get(self, path: str, default: object = None) -> Any:
        return self._answering


class WebStand(Stand):
    """Tables by name, and a server in this process that gives them to whoever shows the key."""

    path: ClassVar[str] = ""
    """Below which the service stands."""
    has_places: ClassVar[bool] = True
    can_hold_nul: ClassVar[bool] = True
    cursor_column: ClassVar[Column] = Column("changed", "timestamp", "timestamptz", required=True)

    def start(self) -> Self:
        self.tables: dict[str, Table] = {}
        self.served = self.tools.stack.enter_context(serving())
        self.served.answers = _Everything(self._answer)
        set_secret("CONFORMANCE_KEY", KEY)
        return self

    @abstractmethod
    def answer(self, asked: Asked, parts: list[str], query: dict[str, str]) -> Answer:
        """Answer a request whose key is right; raise KeyError for what is not there."""

    def publish(self, table: Table) -> None:
        self.tables[table.name] = table

    def remove(self, name: str) -> None:
        del self.tables[name]

    def source(self, **changes: object) -> dict[str, object]:
        auth = {"kind": "api_key", "key_env": "CONFORMANCE_KEY"}
        url = f"http://{HOST}:{self.served.port}{self.path}"
        return {"url": url, "auth": auth, "timeout_s": 60, "retries": 1, "requests_per_second": 1000, **changes}

    def at_port(self, port: int) -> dict[str, object]:
        return self.source(url=f"http://{HOST}:{port}{self.path}", timeout_s=2)

    def port(self) -> int:
        return self.served.port

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        word = "no-such-key"
        return self.source(auth={"kind": "api_key", "key_env": set_secret("CONFORMANCE_KEY_WRONG", word)}), word

    def cursor_value(self, number: int) -> Any:
        # Across the night in which clocks go back: an hour of it comes twice on the wall.
        return datetime(2026, 10, 24, 22, tzinfo=UTC) + timedelta(hours=number)

    def _answer(self, asked: Asked) -> Answer:
        if asked.headers.get("X-API-Key") != KEY:
            return json_answer({"error": f"the key {asked.headers.get('X-API-Key')} is not known"}, status=401)
        parts = [unquote(part) for part in asked.path.strip("/").split("/")]
        try:
            return self.answer(asked, parts, {name: values[0] for name, values in asked.query.items()})
        except KeyError as error:
            return json_answer({"error": {"code": "NotFound", "message": f"there is no {error}"}}, status=404)


def json_answer(document: Any, *, status: int = 200, form: Form | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON document, in another encoding where the form says so."""
    text = simplejson.dumps(document, ensure_ascii=False, use_decimal=True)
    if form is not None and form.recoded:
        return Answer(text.encode("iso-8859-1"), status, {"Content-Type": "application/json; charset=iso-8859-1", **(headers or {})})
    return Answer(text.encode(), status, headers or {})


def as_json(value: Any, form: Form) -> Any:
    """Return a value as a service writes it in JSON."""
    if isinstance(value, datetime | time):
        return value.isoformat()
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y") if form.belgian_dates else value.isoformat()
    if isinstance(value, Decimal) and form.decimal_comma:
        return f"{value:f}".replace(".", ",")
    return value


def objects(table: Table, rows: Any) -> list[dict[str, Any]]:
    """Return rows as JSON objects."""
    names, form = table.names(), table.form
    return [{name: as_json(value, form) for name, value in zip(names, row, strict=True)} for row in rows]


def rows_since(table: Table, column: str, moment: datetime) -> list[Row]:
    """Return the rows whose moment of change is not before another."""
    at = table.names().index(column)
    return [row for row in table.rows if row[at] >= moment]


def text_of(value: Any) -> str:
    """Return a JSON value as a text that holds it."""
    return json.dumps(value, ensure_ascii=False)

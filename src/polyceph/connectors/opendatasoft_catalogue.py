"""What a portal of Opendatasoft says of its datasets: description, fields with their types, when the data last changed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from polyceph.connectors.web.client import Call, WebClient
from polyceph.sdk import Invalid, SourceColumn, SourceTable

API = "api/explore/v2.1/catalog/datasets"
_PAGE, _DEEPEST = 100, 10_000
_TAG = re.compile(r"<[^>]+>")
_TYPES: Mapping[str, tuple[str, str | None]] = {
    "text": ("string", None),
    "int": ("integer", None),
    "double": ("number", None),
    "boolean": ("boolean", None),
    "date": ("date", None),
    "datetime": ("timestamp", "timestamptz"),
    "geo_point_2d": ("object", None),
    "geo_shape": ("object", None),
    "file": ("object", None),
}
_WORDS = (("publisher", "Publisher"), ("license", "Licence"), ("keyword", "Keywords"), ("theme", "Themes"), ("modified", "Modified"))


@dataclass(frozen=True)
class Described:
    """A dataset as the catalogue shows it."""

    name: str
    columns: tuple[SourceColumn, ...]
    description: str
    rows: int | None
    state: str | None
    """Changes when the data changes; None when the portal does not say."""

    def type_of(self, field: str) -> str:
        """Return the portal's type of a field; raise `Invalid` when there is no such field."""
        for column in self.columns:
            if column.name == field:
                return column.source_type
        there = ", ".join(column.name for column in self.columns)
        raise Invalid(f"dataset {self.name} has no field {field!r}", hint=f"its fields are {there}")


def described(client: WebClient, dataset: str) -> Described:
    """Return a dataset of the catalogue; raise `NotFound` when it is not there."""
    call = Call(f"{API}/{quote(dataset, safe='')}")
    return _described(client.json(call)[0], client.shown(call))


def catalogue(client: WebClient) -> Iterator[SourceTable]:
    """Yield the portal's datasets, as far as its API pages: ten thousand."""
    for begin in range(0, _DEEPEST, _PAGE):
        call = Call(API, {"limit": _PAGE, "offset": begin, "order_by": "dataset_id"})
        answer = client.json(call)[0]
        found = [_described(one, client.shown(call)) for one in answer.get("results", [])]
        yield from (SourceTable(one.name, {"dataset": one.name}, one.description, one.rows) for one in found)
        if begin + _PAGE >= int(answer.get("total_count", 0)) or not found:
            return


def _described(answer: Any, shown: str) -> Described:
    try:
        default = answer["metas"].get("default") or {}
        columns = tuple(_column(field) for field in answer["fields"])
        state = default.get("data_processed") or default.get("modified")
        rows = default.get("records_count")
        return Described(str(answer["dataset_id"]), columns, _description(default), rows, str(state) if state else None)
    except (KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"{shown} is no dataset of the Explore API 2.1", hint="give the portal's address as url, without /api") from error


def _column(field: Mapping[str, Any]) -> SourceColumn:
    marks = _annotations(field.get("annotations"))
    logical, physical = _TYPES.get(field["type"], (None, None))
    if "multivalued" in marks:
        logical, physical = "array", None
    label, said = str(field.get("label") or ""), _plain(field.get("description"))
    words = [word for word in (label if label != field["name"] else "", said if said != label else "") if word]
    return SourceColumn(
        name=str(field["name"]),
        source_type=str(field["type"]),
        logical_type=logical,
        physical_type=physical,
        required="id" in marks,
        primary_key="id" in marks,
        description=": ".join(words),
    )


def _annotations(given: Any) -> set[str]:
    if isinstance(given, Mapping):
        return set(given)
    return {str(one.get("name")) for one in given or () if isinstance(one, Mapping)}


def _description(default: Mapping[str, Any]) -> str:
    lines = [_plain(default.get("title")), _plain(default.get("description"))]
    for name, word in _WORDS:
        value = default.get(name)
        text = ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
        lines.append(f"{word}: {text}" if text else "")
    return "\n".join(line for line in lines if line)


def _plain(text: Any) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", str(text or ""))).split())

"""Values in one form, whether they were written by the generator or come from a lake: so that rows can be counted and summed up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from polyceph.core.model.contract import Column
from polyceph.testing.federation.pieces import MONTHS

Options = Mapping[str, Any]
_TRUTHS = {
    "true": True,
    "t": True,
    "1": True,
    "oui": True,
    "vrai": True,
    "false": False,
    "f": False,
    "0": False,
    "non": False,
    "faux": False,
}


def checksum(rows: Iterable[list[Any]]) -> str:
    """Return a digest of rows in any order."""
    whole = hashlib.sha256()
    for line in sorted(json.dumps(row, ensure_ascii=False) for row in rows):
        whole.update(line.encode() + b"\n")
    return whole.hexdigest()


def written(row: Mapping[str, Any], column: Column, options: Options) -> Any:
    """Return what a written row promises in a column; a name with dots leads into objects."""
    name = column.source_name or column.name
    found: Any = row.get(name, row.get(name.split(".")[0]))
    if name not in row:
        for step in name.split(".")[1:]:
            found = found[step] if found is not None else None
    return plain(found, column, options)


def plain(value: Any, column: Column, options: Options) -> Any:
    """Return a value of a column as JSON holds it: numbers as text of one form, moments in UTC, nothing for an empty text."""
    if value is None or value == "":
        return None
    match column.logical_type:
        case "integer":
            return int(_number(value, options))
        case "number":
            return repr(float(_number(value, options)))
        case "boolean":
            return value if isinstance(value, bool) else _TRUTHS[str(value).strip().lower()]
        case "date":
            return _day(value, options.get("date_format")).isoformat()
        case "timestamp":
            return _moment(value)
        case "object" | "array":
            found = json.loads(value) if isinstance(value, str) else value
            return json.dumps(found, sort_keys=True, default=float)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(value: Any, options: Options) -> Decimal:
    if not isinstance(value, str):
        return Decimal(str(value))
    text = value.strip()
    if thousands := options.get("thousands"):
        text = "".join(text.split()) if thousands == " " else text.replace(thousands, "")
    return Decimal(text.replace(options.get("decimal", "."), "."))


def _day(value: Any, form: str | None) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if form and "%B" in form:
        for number, month in enumerate(MONTHS, 1):
            text = text.lower().replace(month, f"{number:02d}")
        form = form.replace("%B", "%m")
    return datetime.strptime(text, form).replace(tzinfo=UTC).date() if form else date.fromisoformat(text[:10])


def _moment(value: Any) -> str:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None).isoformat()

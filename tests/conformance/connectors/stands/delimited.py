"""Tables as text with a delimiter: what the stands of files, CKAN and SharePoint put where people would."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from stands.stand import Form, Table

_BLOCK = 10_000


def write_text(path: Path, table: Table) -> None:
    """Write a table in one step, as a careful sender does."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        for piece in pieces(table):
            file.write(piece)
    beside.rename(path)


def pieces(table: Table) -> Iterator[bytes]:
    """Yield a table as encoded text, a block of rows at a time."""
    encoding, delimiter = ("utf-16-le", ";") if table.form.recoded else ("utf-8", ";")
    delimiter = "\t" if table.form.reshaped else delimiter
    if table.form.recoded:
        yield b"\xff\xfe"
    for begin in range(-1, len(table.rows), _BLOCK):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        if begin < 0:
            writer.writerow(table.names())
        writer.writerows([as_text(value, table.form) for value in row] for row in table.rows[max(begin, 0) : begin + _BLOCK])
        yield out.getvalue().encode(encoding)


def as_text(value: Any, form: Form) -> str:
    """Return a value as people write it in a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | time):
        return value.isoformat()
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y") if form.belgian_dates else value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", ",") if form.decimal_comma else f"{value:f}"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)

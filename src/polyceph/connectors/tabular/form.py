"""What a file looked like while it was read: its columns, how it was written down, and what the values of each column look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.sdk import Form, FormColumn

if TYPE_CHECKING:  # both report what they find into findings, which hold a form
    from polyceph.connectors.tabular.formats import ColumnFormat
    from polyceph.connectors.tabular.spool import Spool

_NUMBER = r"^[-+]?(?:0|[1-9][0-9 .,'’\x{00a0}\x{202f}]*|0[.,][0-9]+)(?:[eE][-+]?\d+)?\s*[%€]?$"
"""RE2: a number as people write it; a code with zeros before it is none."""
_DATE = r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ].*)?$"
_COMMA, _DOT = r"\d,(?:\d{1,2}|\d{4,})\D*$", r"\d\.(?:\d{1,2}|\d{4,})\D*$"
_LONGEST_NAME = 2_000
_ENOUGH_VALUES = 5
"""A column of fewer wrong values may be a slip; of so many and not one right value it is another column."""


@dataclass
class FormSeen:
    """What the reading of one file has seen of its form so far."""

    names: list[str] = field(default_factory=list)
    of: dict[int, int] = field(default_factory=dict)
    """Index of the contract's column → place in `names`."""
    types: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    table: str = ""
    asked: str = ""
    rows: int | None = None
    looks: dict[int, FormColumn] = field(default_factory=dict)
    """By place in `names`; the names in it do not matter."""

    def header(self, cells: Sequence[str], positions: Mapping[int, int], surplus: Sequence[int]) -> None:
        """Keep the columns of a header: those that are promised and those that are surplus."""
        kept = sorted({*positions.values(), *surplus})
        self.names = [cells[at][:_LONGEST_NAME] or f"(column {at + 1})" for at in kept]
        self.of = {index: kept.index(at) for index, at in positions.items()}

    def is_told(self, promised: int) -> bool:
        """Tell whether this is a form: at least half of what is promised was found, or a sheet was not.

        Otherwise the header may be a row of data, and nothing is said of it.
        """
        return bool(self.asked) or (bool(self.of) and 2 * len(self.of) >= promised)

    def form(self) -> Form:
        """Return the form."""
        columns = []
        for at, name in enumerate(self.names):
            one = self.looks.get(at, FormColumn(""))
            columns.append(FormColumn(name, self.types.get(name, ""), one.holds, one.written, one.filled, one.fits))
        return Form(tuple(columns), self.encoding, self.delimiter, self.table, self.asked, self.rows)


def look(seen: FormSeen, spool: Spool, formats: Sequence[ColumnFormat | None], wrong: set[tuple[int, str]]) -> None:
    """Look at the values that were spooled; `wrong` are the (row, column) that do not fit."""
    rejected = Counter(column for _, column in wrong)
    counts = [[0, 0] for _ in spool.columns]
    first: pa.RecordBatch | None = None
    seen.rows = 0
    for batch in spool.batches():
        first = batch if first is None else first
        seen.rows += len(batch)
        for i, count in enumerate(counts):
            count[0] += len(batch) - batch.column(f"t{i}").null_count
            count[1] += len(batch) - batch.column(f"n{i}").null_count
    for i, (column, (texts, natives)) in enumerate(zip(spool.columns, counts, strict=True)):
        bad = rejected[column.name]
        fits = not (bad >= max(_ENOUGH_VALUES, texts) and not natives)
        filled = None if bad or not seen.rows else round((texts + natives) / seen.rows, 3)
        holds, written = _values(first, i) if first is not None else ("", "")
        style = formats[i] if formats else None
        if style is not None and style.day is not None and style.day.order != "declared":
            written = style.day.order
        seen.looks[seen.of.get(i, i)] = FormColumn("", "", holds, written, filled, fits)


def _values(batch: pa.RecordBatch, index: int) -> tuple[str, str]:
    """Return what the values of a column look like, and how its dates or decimals are written; the first rows tell."""
    natives = batch.column(f"n{index}").drop_null()
    texts = batch.column(f"t{index}").drop_null()
    if len(natives) and not pa.types.is_string(natives.type):
        return (_of_type(natives.type), "") if not len(texts) else ("mixed", "")
    values = pc.utf8_trim_whitespace(pa.concat_arrays([texts, natives.cast(pa.string())]))
    if not len(values):
        return "", ""
    numbers, dates = _share(values, _NUMBER), _share(values, _DATE)
    comma, dot = _share(values, _COMMA), _share(values, _DOT)
    if dates == len(values):
        return "date", "ymd" if _share(values, r"^\d{4}") == len(values) else ""
    if numbers == len(values):
        return "number", "," if comma and not dot else "." if dot and not comma else ""
    return ("text" if not numbers and not dates else "mixed"), ""


def _share(values: Any, pattern: str) -> int:
    return pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0


def _of_type(kind: pa.DataType) -> str:
    if pa.types.is_temporal(kind):
        return "date"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) else "mixed"

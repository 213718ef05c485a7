"""The file between finding and converting: texts (and cells that already have a type) of one file as an Arrow file on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column

Locate = Callable[[int, int], dict[str, Any]]
"""(index of the contract's column, row number) → the fields of a `Problem` that say where."""
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Portion:
    """Some rows: their numbers in the origin, and per contract column the texts and the cells that already have the type."""

    rows: pa.Array
    texts: list[pa.Array]
    natives: list[pa.Array | None]


@dataclass(frozen=True)
class Spool:
    """Rows of one file, written once, read as often as needed. A cell is in `texts`, in `natives`, or empty in both."""

    path: Path
    columns: tuple[Column, ...]

    def write(self, portions: Iterable[Portion], dataset: FilesDataset) -> int:
        """Write all portions with empty cells as nulls; return the number of rows."""
        count = 0
        fields = [pa.field("row", pa.int64())]
        fields += [pa.field(f"t{i}", pa.string()) for i in range(len(self.columns))]
        fields += [pa.field(f"n{i}", arrow_type(c)) for i, c in enumerate(self.columns)]
        with pa.OSFile(str(self.path), "wb") as sink, pa.ipc.new_file(sink, pa.schema(fields)) as writer:
            for portion in portions:
                count += len(portion.rows)
                texts = [_without_empty(t, c, dataset) for t, c in zip(portion.texts, self.columns, strict=True)]
                natives = [
                    pa.nulls(len(portion.rows), arrow_type(c)) if n is None else n
                    for n, c in zip(portion.natives, self.columns, strict=True)
                ]
                writer.write_batch(pa.record_batch([portion.rows, *texts, *natives], schema=pa.schema(fields)))
        return count

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, mapped from the file instead of held in memory."""
        with pa.memory_map(str(self.path)) as source:
            reader = pa.ipc.open_file(source)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)

    def texts(self, index: int) -> Iterator[pa.Array]:
        """Yield the texts of one column, without nulls."""
        for batch in self.batches():
            found = batch.column(f"t{index}").drop_null()
            if len(found):
                yield found


def _without_empty(texts: pa.Array, column: Column, dataset: FilesDataset) -> pa.Array:
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.utf8_trim_whitespace(texts)
    kept = texts if column.logical_type == "string" else trimmed
    empty = pc.equal(pc.binary_length(trimmed), 0)
    if dataset.null_values:
        empty = pc.or_(empty, pc.is_in(trimmed, value_set=pa.array(dataset.null_values, pa.string())))
    return pc.if_else(pc.fill_null(empty, True), pa.scalar(None, pa.string()), kept)

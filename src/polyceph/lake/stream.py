"""An Arrow stream as a table of a DuckDB connection. An error of whoever makes the stream comes out as it was raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from polyceph.core.source_ports import ArrowStream

_NAME = "_polyceph_stream"
_SELECT = "SELECT * FROM _polyceph_stream"


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, rows: ArrowStream) -> Iterator[str]:
    """Give the SELECT that reads the stream, once."""
    raised: list[Exception] = []
    connection.register(_NAME, _reader(rows, raised))
    try:
        yield _SELECT
    except Exception as error:
        if raised and error is not raised[0]:
            raise raised[0] from error
        raise
    finally:
        connection.unregister(_NAME)


def _reader(rows: ArrowStream, raised: list[Exception]) -> pa.RecordBatchReader:
    reader = rows if isinstance(rows, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(rows)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except Exception as error:
            raised.append(error)
            raise

    return pa.RecordBatchReader.from_batches(reader.schema, batches())

"""Entering a server through a driver: telling one that does not answer from one that refuses, and rows of a DB-API cursor as batches."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from polyceph.connectors.sql.options import ServerAddress
from polyceph.sdk import Invalid, Misconfigured, Unavailable


class Cursor(Protocol):
    """What is used of a DB-API cursor (PEP 249)."""

    def fetchmany(self, size: int) -> Sequence[Sequence[object]]:
        """Return the next rows."""
        ...


def refuse_unreachable(address: ServerAddress, title: str) -> None:
    """Raise `Unavailable` when nothing answers at the address; drivers wait long, and say it in many ways."""
    try:
        socket.create_connection((address.host, address.port), timeout=address.connect_timeout_s).close()
    except OSError as error:
        raise Unavailable(
            f"the {title} server {address.shown} does not answer", hint="check host, port and network, or try later"
        ) from error


def missing_driver(package: str, extra: str) -> Misconfigured:
    """Return the error for a driver that is not installed."""
    return Misconfigured(f"the driver {package} is not installed", hint=f'install polyceph with its extra: "polyceph[{extra}]"')


def refused(address: ServerAddress, title: str, said: str) -> Misconfigured:
    """Return the error for a server that answers and says no."""
    hint = "check user, database and the variable of password_env"
    return Misconfigured(f"the {title} server refuses {address.shown}: {said}", hint=hint)


def row_batches(cursor: Cursor, width: int, *, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a cursor in batches whose columns are called c0, c1 …; a column of mixed types is `Invalid`."""
    names = [f"c{at}" for at in range(width)]
    while found := cursor.fetchmany(rows):
        try:
            arrays = [pa.array(list(values)) for values in zip(*found, strict=True)]
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise Invalid("the driver gives values of several types in one column", hint="cast the column in a query") from None
        yield pa.RecordBatch.from_arrays(arrays, names=names)

"""Rows that come as JSON objects, in pages: written to disk as they come, then converted to the contract like a file.

Memory stays flat: one page at a time. What is kept as the original is the rows as the service sent them, one JSON object a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal, Self

import simplejson as json
from pydantic import Field

from polyceph.connectors.tabular.options import FilesDataset, reading_digest
from polyceph.connectors.tabular.reading import Limits, SourceFile, try_file
from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.paths import rows_at
from polyceph.sdk import Admission, Arrival, Delivery, Demand, Follows, Invalid, Note, Options, Original

__all__ = ["RecordFile", "RecordsReading", "folder_of", "rows_at"]


class RecordsReading(Options):
    """How the values of JSON rows are read. Part of the options of every dataset that comes as JSON."""

    decimal: Literal[".", ","] | None = Field(default=None, description="decimal separator of numbers that come as text")
    thousands: Literal[".", ",", " ", "'", ""] | None = Field(default=None, description="thousands separator of numbers that come as text")
    date_format: str | None = Field(default=None, description="e.g. %d/%m/%Y; ISO 8601 needs none")
    timezone: str | None = Field(default=None, description="time zone of times that state none, e.g. Europe/Brussels")
    true_values: tuple[str, ...] = Field(default=(), description="texts that mean true")
    false_values: tuple[str, ...] = Field(default=(), description="texts that mean false")
    null_values: tuple[str, ...] = Field(default=(), description="texts that mean nothing, besides null and the empty text")
    ignore_columns: tuple[str, ...] = Field(default=(), description="fields that are left out on purpose")

    def as_file(self) -> FilesDataset:
        """Return the same as options of a file with one JSON object a line."""
        own = {name: getattr(self, name) for name in RecordsReading.model_fields}
        return FilesDataset(path="rows.ndjson", format="ndjson", compression="none", **own)


class RecordFile:
    """Collects the rows of one delivery in the load's workspace."""

    def __init__(self, demand: Demand, reading: RecordsReading, source: WebSource) -> None:
        self._demand, self._reading = demand, reading
        self._limits = Limits(source.memory_limit_mb, source.time_limit_s, source.disk_limit_mb)
        self._folder = demand.workspace / "records"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / "rows.ndjson"
        self._file: IO[bytes] = self._path.open("wb")
        self._digest = hashlib.sha256()
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[Any], where: str) -> None:
        """Write rows; raise `Invalid` for one that is no JSON object, naming the page in `where`."""
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                raise Invalid(f"{where}: row {number} is no object but {type(row).__name__}", hint="check the path to the rows")
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), use_decimal=True).encode() + b"\n"
            self._digest.update(line)
            self._file.write(line)
            self.rows += 1

    def delivery(
        self, origin: str, *, cursor: str | None = None, follows: Follows | None = None, notes: tuple[Note, ...] = ()
    ) -> Delivery | None:
        """Return the delivery of what was collected; None when the same content was the last to be loaded from this origin.

        With `follows` the delivery is a range of a cursor and is known by where it begins and ends; otherwise by its content.

        Raises:
            Invalid: rows do not keep the contract; every problem names a line, which is a row's number.
        """
        self._file.close()
        demand, dataset = self._demand, self._reading.as_file()
        digest = self._digest.hexdigest()
        key = self._key(digest, reading_digest(dataset), origin, cursor=cursor, follows=follows)
        if key is None:
            return None
        own = demand.contract.classification
        columns = tuple(replace(column, classification=column.classification or own) for column in demand.contract.columns)
        tried = try_file(
            SourceFile(self._path, origin, "ndjson", demand.tolerance), columns, dataset=dataset, folder=self._folder, limits=self._limits
        )
        original = Original(self._path, f"{demand.dataset.name}.ndjson", digest)
        if tried.form and demand.admits(Arrival(key, origin, tried.form, (original,))) is not Admission.LOAD:
            return None
        read = tried.read()
        return Delivery(key, read.rows, cursor, (original,), (*notes, *read.notes), origin, follows, rejects=read.rejects, form=read.form)

    def _key(self, digest: str, reading: str, origin: str, *, cursor: str | None, follows: Follows | None) -> str | None:
        demand = self._demand
        if follows is not None:
            identity = "\n".join((str(demand.dataset), origin, follows.cursor or "", cursor or "", digest))
            key = f"range-{sha256(identity.encode()).hexdigest()[:40]}"
        else:
            key = f"{digest}-{reading[:16]}"
        last = demand.last_key(origin)
        if last == key or (last or "").startswith(f"{key}-after-"):
            return None
        if last is not None and demand.is_loaded(key):
            # Content that comes back after other content is current again, so it is a delivery of its own.
            key = f"{key}-after-{sha256(last.encode()).hexdigest()[:16]}"
        return None if demand.is_loaded(key) else key


def folder_of(demand: Demand) -> Path:
    """Return a folder of the load's workspace for what a connector keeps while it reads."""
    folder = demand.workspace / "fetched"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

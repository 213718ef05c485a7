"""The connector `files`: texts, documents, tables and workbooks of a folder, a server or an object store, one delivery a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from polyceph.connectors.files_formats import is_pattern, kind_of
from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.files_places import FoundFile, place_of
from polyceph.connectors.tabular.options import FilesDataset, reading_digest
from polyceph.connectors.tabular.reading import SourceFile, packed_members, read_file
from polyceph.connectors.validation import validated
from polyceph.sdk import Delivery, Demand, Options, Original


class FilesConnector:
    """Reads files as people send them and reports everything it found out by itself.

    A file is known by the SHA-256 of its bytes and of how it is read: the same bytes are never delivered twice, the same name with
    new bytes is a new delivery. A file is copied before it is read, and read in a throw-away process. One value that does not fit
    the contract refuses the whole file, with the places of the first problems.
    """

    source_options: ClassVar[type[Options]] = FilesSource
    dataset_options: ClassVar[type[Options]] = FilesDataset
    summary: ClassVar[str] = (
        "CSV, TSV, fixed-width, JSON, NDJSON, XML, GeoJSON, GeoPackage, Parquet, Arrow, XLSX, XLSM, XLSB, XLS and ODS files"
        " of a folder, a server or an object store."
    )

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(FilesSource, options, "source of connector files")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery for each file that is not loaded yet, oldest first by modification, then by name.

        Raises:
            Invalid: options are wrong, or a file does not keep the contract; files before it have been yielded.
            NotFound: no file matches, or a sheet does not exist.
            Denied, Unavailable: the place may not be read or does not answer.
            Conflict: a file is being written all the time.
            Misconfigured: a secret is not set.
        """
        dataset = validated(FilesDataset, demand.options, f"options of {demand.dataset}")
        place = place_of(self._source, self._base)
        found = place.find(dataset.path)
        if not found and not dataset.may_be_absent:
            raise place.nothing(dataset.path)
        reading = reading_digest(dataset, demand.contract.columns)
        seen = _Seen.parse(demand.cursor, reading)
        for number, file in enumerate(found):
            if not place.is_local and seen.has(file):
                continue
            folder = demand.workspace / f"file_{number}"
            folder.mkdir(parents=True)
            original = place.fetch(file, folder)
            seen.add(file)
            parts = self._parts(file, original, dataset, reading)
            for part in parts:
                key = _key(part, demand)
                if key is None:
                    continue
                # What is remembered of the file covers all its parts, so it is kept with the last one only.
                kept = None if place.is_local or part is not parts[-1] else seen.text()
                yield self._delivery(demand, part, key=key, cursor=kept)

    def _parts(self, file: FoundFile, original: Original, dataset: FilesDataset, reading: str) -> list[_Part]:
        """Return what of a fetched file is a delivery of its own: the file, or each member of a zip that the dataset's glob names."""
        kind = kind_of(file.name, dataset)[1]
        if kind.compression != "zip" or not is_pattern(dataset.member):
            return [_Part(original, file.name, dataset, f"{original.sha256}-{reading[:16]}")]
        source = SourceFile(original.path, file.name, kind.format or "csv")
        found = packed_members(source, dataset.member or "", folder=original.path.parent, limits=self._source.limits())
        return [
            _Part(original, f"{file.name}/{name}", dataset.model_copy(update={"member": name}), f"{digest}-{reading[:16]}")
            for name, digest in found.items()
        ]

    def _delivery(self, demand: Demand, part: _Part, *, key: str, cursor: str | None) -> Delivery:
        kind, dataset = kind_of(part.original.name, part.dataset)
        source = SourceFile(part.original.path, part.name, kind, demand.tolerance)
        folder = part.original.path.parent / f"part_{sha256(part.name.encode()).hexdigest()[:16]}"
        folder.mkdir(exist_ok=True)
        # What a column does not say of itself its dataset says for it.
        own = demand.contract.classification
        columns = tuple(replace(column, classification=column.classification or own) for column in demand.contract.columns)
        reading = read_file(source, columns, dataset=dataset, folder=folder, limits=self._source.limits())
        return Delivery(key, reading.rows, cursor, (part.original,), reading.notes, part.name, rejects=reading.rejects)


@dataclass(frozen=True)
class _Part:
    """What becomes one delivery: the fetched file, the name people know it by, how to read it, and the key of its content."""

    original: Original
    name: str
    dataset: FilesDataset
    key: str


def _key(part: _Part, demand: Demand) -> str | None:
    """Return the delivery's key, None when this content is loaded and is what was last loaded under this name."""
    last = demand.last_key(part.name)
    if last == part.key or (last or "").startswith(f"{part.key}-after-"):
        return None
    key = part.key
    if last is not None and demand.is_loaded(key):
        # Content that comes back after other content is current again, so it is a delivery of its own.
        key = f"{key}-after-{sha256(last.encode()).hexdigest()[:16]}"
    return None if demand.is_loaded(key) else key


class _Seen:
    """The states of the remote files that were looked at, so that an unchanged file is not fetched again."""

    def __init__(self, reading: str, states: dict[str, str]) -> None:
        self._reading = reading
        self._states = states

    @classmethod
    def parse(cls, cursor: str | None, reading: str) -> _Seen:
        """Return what a cursor remembers; nothing when the files were read in another way then."""
        try:
            kept = json.loads(cursor) if cursor else {}
        except ValueError:
            kept = {}
        is_same = isinstance(kept, dict) and kept.get("reading") == reading[:16]
        return cls(reading[:16], dict(kept["files"]) if is_same else {})

    def has(self, file: FoundFile) -> bool:
        """Tell whether the file was looked at in this state."""
        return self._states.get(file.name) == file.state

    def add(self, file: FoundFile) -> None:
        """Remember the file's state."""
        self._states[file.name] = file.state

    def text(self) -> str:
        """Return the cursor."""
        return json.dumps({"reading": self._reading, "files": self._states}, sort_keys=True)

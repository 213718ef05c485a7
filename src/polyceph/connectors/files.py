"""The connector `files`: delimited texts, JSON, Parquet and workbooks of a folder or an object store, one delivery a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import ClassVar

from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.files_places import FoundFile, place_of
from polyceph.connectors.tabular.options import FilesDataset, Format, reading_digest
from polyceph.connectors.tabular.reading import SourceFile, Tried, try_file
from polyceph.connectors.validation import validated
from polyceph.sdk import Admission, Arrival, Delivery, Demand, Invalid, Options, Original, Problem

_FORMATS: dict[str, Format] = {
    "csv": "csv",
    "txt": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "json": "json",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "parquet": "parquet",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xlsb": "xlsx",
    "xls": "xls",
    "ods": "ods",
}


class FilesConnector:
    """Reads files as people send them and reports everything it found out by itself.

    A file is known by the SHA-256 of its bytes and of how it is read: the same bytes are never delivered twice, the same name with
    new bytes is a new delivery. A file is copied before it is read, and read in a throw-away process. One value that does not fit
    the contract refuses the whole file, with the places of the first problems.
    """

    source_options: ClassVar[type[Options]] = FilesSource
    dataset_options: ClassVar[type[Options]] = FilesDataset
    summary: ClassVar[str] = "CSV, TSV, JSON, NDJSON, Parquet, XLSX, XLSM, XLSB, XLS and ODS files of a folder or an object store."

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
        reading = reading_digest(dataset)
        seen = _Seen.parse(demand.cursor, reading)
        for number, file in enumerate(found):
            if not place.is_local and seen.has(file):
                continue
            folder = demand.workspace / f"file_{number}"
            folder.mkdir(parents=True)
            original = place.fetch(file, folder)
            key = f"{original.sha256}-{reading[:16]}"
            last = demand.last_key(file.name)
            if last == key or (last or "").startswith(f"{key}-after-"):
                seen.add(file)
                continue
            if last is not None and demand.is_loaded(key):
                # Content that comes back after other content is current again, so it is a delivery of its own.
                key = f"{key}-after-{sha256(last.encode()).hexdigest()[:16]}"
            if demand.is_loaded(key):
                seen.add(file)
                continue
            tried = self._tried(demand, file, original)
            said = demand.admits(Arrival(key, file.name, tried.form, (original,))) if tried.form else Admission.LOAD
            if said is not Admission.WAIT:  # what waits is looked at again
                seen.add(file)
            if said is Admission.LOAD:
                made, cursor = tried.read(), None if place.is_local else seen.text()
                yield Delivery(key, made.rows, cursor, (original,), made.notes, file.name, rejects=made.rejects, form=made.form)

    def _tried(self, demand: Demand, file: FoundFile, original: Original) -> Tried:
        dataset = validated(FilesDataset, demand.options, f"options of {demand.dataset}")
        kind, dataset = _kind(file, dataset)
        source = SourceFile(original.path, file.name, kind, demand.tolerance)
        folder, limits = original.path.parent, self._source.limits()
        # What a column does not say of itself its dataset says for it.
        own = demand.contract.classification
        columns = tuple(replace(column, classification=column.classification or own) for column in demand.contract.columns)
        return try_file(source, columns, dataset=dataset, folder=folder, limits=limits)


def _kind(file: FoundFile, dataset: FilesDataset) -> tuple[Format, FilesDataset]:
    """Return the format and the options with compression filled in, both from the name where they are not declared."""
    suffixes = [suffix.lstrip(".").casefold() for suffix in PurePosixPath(file.name).suffixes]
    packed = dataset.compression or {"gz": "gz", "zip": "zip"}.get(suffixes[-1] if suffixes else "", "none")
    inner = suffixes[:-1] if packed != "none" and suffixes and suffixes[-1] in ("gz", "zip") else suffixes
    if not inner and dataset.member:
        inner = [PurePosixPath(dataset.member).suffix.lstrip(".").casefold()]
    kind = dataset.format or _FORMATS.get(inner[-1] if inner else "")
    if kind is None:
        problem = Problem(
            "the name does not tell the format", value=file.name, allowed=tuple(f"format: {f}" for f in dict.fromkeys(_FORMATS.values()))
        )
        raise Invalid(f"the format of {file.name} is unknown", problems=[problem], hint="declare the format")
    return kind, dataset.model_copy(update={"compression": packed, "format": kind})


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

"""The connector `files`: texts, documents, tables and workbooks of a folder, a server or an object store, one delivery a file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from polyceph.connectors.files_after import archive, arrival, left, outside, quarantine, settled, together
from polyceph.connectors.files_entry import place_of
from polyceph.connectors.files_formats import is_pattern, kind_of
from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.files_places import FoundFile, Place
from polyceph.connectors.tabular.options import WORKBOOKS, FilesDataset, reading_digest
from polyceph.connectors.tabular.reading import Reading, SourceFile, Tried, file_parts, packed_members, sample_of, try_file
from polyceph.connectors.validation import validated
from polyceph.sdk import Admission, Arrival, Conflict, Delivery, Demand, Invalid, LoadMode, Options, Original, Sample, SourceTable

_LOOKED_INTO = 200
"""How many files of a source are opened to list their sheets and layers; the others are listed as they are."""


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
        found = outside(place.find(dataset.path), dataset)
        if not found and not dataset.may_be_absent:
            raise place.nothing(dataset.path)
        ready, young = settled(found, dataset, place.shown)
        reading = reading_digest(dataset)
        seen = _Seen.parse(demand.cursor, reading, {file.name for file in found})
        load = _Load(demand, dataset, place, reading, seen, young)
        for number, file in enumerate(ready):
            # What was loaded and not archived, because something broke between, is archived now.
            if place.is_local or dataset.archive or not seen.has(file):
                yield from self._file(load, file, demand.workspace / f"file_{number}")
        if load.refusals:
            raise together(load.refusals)

    def tables(self) -> Iterator[SourceTable]:
        """Yield the files of the source, and the sheets of its workbooks and the layers of its GeoPackages.

        Raises:
            Invalid: the place has no listing.
            NotFound, Denied, Misconfigured, Unavailable: it cannot be entered.
        """
        place = place_of(self._source, self._base)
        for number, file in enumerate(place.find("**")):
            yield from self._file_tables(place, file, is_looked_into=number < _LOOKED_INTO)

    def _file_tables(self, place: Place, file: FoundFile, *, is_looked_into: bool) -> Iterator[SourceTable]:
        try:
            kind, dataset = kind_of(file.name, FilesDataset(path=file.name))
        except Invalid:
            return  # of no format that is read
        told = [f"{file.size:,} bytes" if file.size is not None else "", f"written {file.moment:%Y-%m-%d %H:%M} UTC" if file.moment else ""]
        description = ", ".join(filter(None, told))
        option = "layer" if kind == "geopackage" else "sheet"
        names: list[str] = []
        if is_looked_into and kind in (*WORKBOOKS, "geopackage"):
            with tempfile.TemporaryDirectory(prefix="polyceph-look-") as folder:
                try:
                    original = place.fetch(file, Path(folder))
                    source = SourceFile(original.path, file.name, kind)
                    names = file_parts(source, dataset, folder=Path(folder), limits=self._source.limits())
                except Invalid as error:
                    description += f"; {error.message}"
        if len(names) < 2:
            yield SourceTable(file.name, {"path": file.name}, description)
        for name in names if len(names) > 1 else []:
            yield SourceTable(f"{file.name} {name}", {"path": file.name, option: name}, description)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:
        """Return the first rows of the newest file that a dataset's options name, read in the throw-away process too.

        Raises:
            Invalid: the file cannot be read, or an option has to say first where its rows are; the choices are listed.
            NotFound: no file matches, or a sheet or layer does not exist.
            Denied, Misconfigured, Unavailable: the place cannot be entered.
        """
        dataset = validated(FilesDataset, options, "options of the sample")
        place = place_of(self._source, self._base)
        found = outside(place.find(dataset.path), dataset)
        if not found:
            raise place.nothing(dataset.path)
        workspace.mkdir(parents=True, exist_ok=True)
        original = place.fetch(found[-1], workspace)
        part = self._parts(found[-1], original, dataset, "")[-1]
        kind, read_as = kind_of(original.name, part.dataset)
        folder = workspace / "sample"
        folder.mkdir()
        source = SourceFile(original.path, part.name, kind)
        sample = sample_of(source, read_as, rows, folder=folder, limits=self._source.limits())
        return replace(sample, notes=(*arrival(found[-1]), *sample.notes), description=part.name)

    def _file(self, load: _Load, file: FoundFile, folder: Path) -> Iterator[Delivery]:
        """Yield what is new of one file, and move it away behind that: when the next is asked for, the last one is committed."""
        dataset, place = load.dataset, load.place
        folder.mkdir(parents=True)
        original = self._fetched(load, file, folder)
        if original is None:
            return
        load.seen.add(file)
        part, waits = None, False
        try:
            parts = self._parts(file, original, dataset, load.reading)
            for part in parts:
                key = _key(part, load.demand)
                if key is None:
                    continue
                # What is remembered of the file covers all its parts, so it is kept with the last one only.
                kept = None if place.is_local or part is not parts[-1] else load.seen.text()
                tried = self._tried(load.demand, part)
                said = load.demand.admits(Arrival(key, part.name, tried.form, (original,))) if tried.form else Admission.LOAD
                waits = waits or said is Admission.WAIT
                if said is not Admission.LOAD:
                    continue
                delivery = _delivery(part, tried.read(), key=key, cursor=None if waits else kept)
                yield replace(delivery, notes=(*arrival(file), *delivery.notes, *left(load.young)))
        except Invalid as error:
            if dataset.quarantine is None:
                raise
            load.seen.forget(file)
            load.refusals.append(error)
            quarantine(place, file, original, dataset.quarantine, why=self._why(load.demand, part, error))
            return
        if waits:
            load.seen.forget(file)  # its data owner has to decide: it is offered again, and stays where it is
        elif dataset.archive is not None:
            archive(place, file, original, dataset.archive)

    def _fetched(self, load: _Load, file: FoundFile, folder: Path) -> Original | None:
        """Return the copy of a file; None when it is being written and the dataset waits for that."""
        try:
            return load.place.fetch(file, folder)
        except Conflict:
            if not load.dataset.stable_s:
                raise
            load.young.append(file.name)
            return None

    def _why(self, demand: Demand, part: _Part | None, error: Invalid) -> str:
        """Return the reason for a refusal without any value of the file: it is read again as if every column were closed."""
        if part is None:
            return str(error)
        levels = type(demand.contract.classification)
        closed = tuple(replace(column, classification=levels("secret")) for column in demand.contract.columns)
        contract = replace(demand.contract, columns=closed)
        try:
            self._tried(replace(demand, contract=contract), part).read()
        except Invalid as told:
            return str(told)
        return f"{part.name} was refused"

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

    def _tried(self, demand: Demand, part: _Part) -> Tried:
        kind, dataset = kind_of(part.original.name, part.dataset)
        source = SourceFile(part.original.path, part.name, kind, demand.tolerance)
        folder = part.original.path.parent / f"part_{sha256(part.name.encode()).hexdigest()[:16]}"
        folder.mkdir(exist_ok=True)
        # What a column does not say of itself its dataset says for it.
        own = demand.contract.classification
        columns = tuple(replace(column, classification=column.classification or own) for column in demand.contract.columns)
        return try_file(source, columns, dataset=dataset, folder=folder, limits=self._source.limits())


def _delivery(part: _Part, made: Reading, *, key: str, cursor: str | None) -> Delivery:
    mode = LoadMode.DIFF if part.dataset.whole else LoadMode.APPEND
    return Delivery(key, made.rows, cursor, (part.original,), made.notes, part.name, mode=mode, rejects=made.rejects, form=made.form)


@dataclass(frozen=True)
class _Load:
    """What the files of one load share; `young` and `refusals` grow."""

    demand: Demand
    dataset: FilesDataset
    place: Place
    reading: str
    seen: _Seen
    young: list[str]
    refusals: list[Invalid] = field(default_factory=list)


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
    if last == part.key or (last or "").startswith((f"{part.key}-after-", f"{part.key}-as-")):
        return None
    key = part.key
    if last is None and part.dataset.whole and demand.is_loaded(key):
        # A later file with the content of an earlier one, and another between them: what it holds is current again.
        key = f"{key}-as-{sha256(part.name.encode()).hexdigest()[:16]}"
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
    def parse(cls, cursor: str | None, reading: str, names: Container[str]) -> _Seen:
        """Return what a cursor remembers of the files of these names; nothing when the files were read in another way then."""
        try:
            kept = json.loads(cursor) if cursor else {}
        except ValueError:
            kept = {}
        is_same = isinstance(kept, dict) and kept.get("reading") == reading[:16]
        return cls(reading[:16], {name: state for name, state in kept["files"].items() if name in names} if is_same else {})

    def has(self, file: FoundFile) -> bool:
        """Tell whether the file was looked at in this state."""
        return self._states.get(file.name) == file.state

    def add(self, file: FoundFile) -> None:
        """Remember the file's state."""
        self._states[file.name] = file.state

    def forget(self, file: FoundFile) -> None:
        """Look at the file again the next time."""
        self._states.pop(file.name, None)

    def text(self) -> str:
        """Return the cursor."""
        return json.dumps({"reading": self._reading, "files": self._states}, sort_keys=True)

"""The connector `ckan`: resources of a portal of CKAN, as the files they are or from its DataStore."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from polyceph.connectors.ckan_catalogue import API, ROW_NUMBER, Resource, catalogue, columns_of, find
from polyceph.connectors.ckan_options import CkanDataset, CkanSource
from polyceph.connectors.ckan_sample import file_sample
from polyceph.connectors.tabular.options import FilesDataset, Format, reading_digest
from polyceph.connectors.tabular.reading import Limits, SourceFile, read_file
from polyceph.connectors.validation import validated
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.json_samples import json_sample
from polyceph.connectors.web.paging import OffsetPaging, Page, Walk
from polyceph.connectors.web.paths import rows_at
from polyceph.connectors.web.records import RecordFile, RecordsReading, folder_of
from polyceph.connectors.web.steady import Keys, key_fields, unsteady
from polyceph.sdk import Conflict, Delivery, Demand, Invalid, LoadMode, Options, Original, Sample, SourceTable

_READINGS, _PAGE = 2, 5_000


class CkanConnector:
    """Reads one resource. A file is known by its bytes and by how it is read; the DataStore's rows by their content.

    A resource that the portal says is unchanged since the last load is not fetched. With a primary key only differences are kept.
    """

    source_options: ClassVar[type[Options]] = CkanSource
    dataset_options: ClassVar[type[Options]] = CkanDataset
    summary: ClassVar[str] = "Resources of a portal of CKAN: files of every format that files are read in, or rows of its DataStore."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(CkanSource, options, "source of connector ckan")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery with the whole resource, or nothing when it is unchanged.

        Raises:
            Invalid: options are wrong, the format cannot be read, or rows do not keep the contract.
            NotFound: the portal does not know the package or the resource.
            Denied: the portal refuses us, or keeps the file on a host that is not declared.
            Conflict: the DataStore changed during both readings.
            Unavailable, Misconfigured: it does not answer, or does not take our sign-in.
        """
        dataset = validated(CkanDataset, demand.options, f"options of {demand.dataset}")
        with WebClient(self._source, base=self._base) as client:
            resource = find(client, dataset.package, dataset.resource)
            state = _state(resource, dataset)
            if state is not None and state == demand.cursor:
                return
            reading = _Rows(client, resource, self._source)
            made = reading.stored(demand, dataset) if dataset.read == "datastore" else self._file(client, resource, demand, dataset)
        if made is not None:
            mode = LoadMode.DIFF if key_fields(demand.contract) else LoadMode.APPEND
            yield replace(made, cursor=state, mode=mode)

    def tables(self) -> Iterator[SourceTable]:
        """Yield the resources of all packages; raises like `deliveries`."""
        with WebClient(self._source, base=self._base) as client:
            yield from catalogue(client)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:
        """Return the first rows of the file, or of the DataStore with the types that the portal says; raises like `deliveries`."""
        dataset = validated(CkanDataset, options, "options of the sample")
        with WebClient(self._source, base=self._base) as client:
            resource = find(client, dataset.package, dataset.resource)
            if dataset.read == "datastore":
                return _Rows(client, resource, self._source).sample(rows)
            reading = _with_format(resource, dataset.as_file())
            client.fetch(Call(resource.url), workspace / "original", limit=self._source.disk_limit_mb << 20)
        return file_sample(SourceFile(workspace / "original", _file_name(resource), _format(reading)), reading, rows, self._limits())

    def _limits(self) -> Limits:
        return Limits(self._source.memory_limit_mb, self._source.time_limit_s, self._source.disk_limit_mb)

    def _file(self, client: WebClient, resource: Resource, demand: Demand, dataset: CkanDataset) -> Delivery | None:
        """Return the resource's file, read like any other file; None when it is loaded already."""
        reading = _with_format(resource, dataset.as_file())
        folder = folder_of(demand)
        name = _file_name(resource)
        limit = self._source.disk_limit_mb << 20
        digest = client.fetch(Call(resource.url), folder / "original", limit=limit)
        key, last = f"{digest}-{reading_digest(reading)[:16]}", demand.last_key(name)
        if last == key or (last or "").startswith(f"{key}-after-"):
            return None
        if last is not None and demand.is_loaded(key):
            # Content that comes back after other content is current again, so it is a delivery of its own.
            key = f"{key}-after-{sha256(last.encode()).hexdigest()[:16]}"
        own = demand.contract.classification
        columns = tuple(replace(column, classification=column.classification or own) for column in demand.contract.columns)
        file = SourceFile(folder / "original", name, _format(reading), demand.tolerance)
        read = read_file(file, columns, dataset=reading, folder=folder, limits=self._limits())
        return Delivery(key, read.rows, None, (Original(folder / "original", name, digest),), read.notes, name, rejects=read.rejects)


class _Rows:
    """The rows of a resource in the portal's DataStore."""

    def __init__(self, client: WebClient, resource: Resource, source: CkanSource) -> None:
        self._client, self._resource, self._source = client, resource, source
        if not resource.has_datastore:
            self._refusal: Invalid | None = Invalid(
                f"resource {resource.name} is not in the DataStore", hint="leave read out: it is a file"
            )
        else:
            self._refusal = None

    def stored(self, demand: Demand, dataset: CkanDataset) -> Delivery | None:
        """Return all rows, read once more when the table moved meanwhile."""
        reading = RecordsReading(**{name: getattr(dataset, name) for name in RecordsReading.model_fields})
        reason = None
        for _ in range(_READINGS):
            walk = self._walk(_PAGE)
            with RecordFile(demand, reading, self._source) as file, Keys(folder_of(demand), demand.contract) as keys:
                for page in walk.pages(self._page):
                    rows = [_without_number(row) for row in page.rows]
                    file.add(rows, f"{walk.address}, page {walk.number}")
                    keys.add(rows)
                reason = unsteady(walk.rows, walk.totals, keys.repeated)
                if reason is None:
                    return file.delivery(f"{self._resource.name} ({self._resource.id})", notes=tuple(walk.notes))
        raise Conflict(f"{self._resource.name} moved while it was read, twice: {reason}", hint="nothing was loaded; run it again")

    def sample(self, rows: int) -> Sample:
        """Return the first rows."""
        walk = self._walk(min(rows, _PAGE))
        page = next(walk.pages(self._page))
        columns = columns_of(page.document["result"]["fields"])
        return json_sample([_without_number(row) for row in page.rows], walk.address, columns=columns)

    def _walk(self, size: int) -> Walk:
        if self._refusal is not None:
            raise self._refusal
        call = Call(f"{API}/datastore_search", {"resource_id": self._resource.id, "sort": ROW_NUMBER})
        paging = OffsetPaging(style="offset", size=max(1, size), total="result.total")
        return Walk(paging, call, self._client.shown(call))

    def _page(self, call: Call) -> Page:
        document, headers = self._client.json(call)
        return Page(rows_at(document, "result.records", self._client.shown(call)), document, headers)


def _without_number(row: Any) -> Any:
    return {name: value for name, value in row.items() if name != ROW_NUMBER} if isinstance(row, Mapping) else row


def _file_name(resource: Resource) -> str:
    return PurePosixPath(unquote(urlsplit(resource.url).path)).name or resource.name


def _format(reading: FilesDataset) -> Format:
    if reading.format is None:
        raise Invalid("the format of the file is unknown", hint="declare the format")
    return reading.format


def _with_format(resource: Resource, reading: FilesDataset) -> FilesDataset:
    """Return the reading with format and compression filled in from what the portal says and the address ends with."""
    suffix = PurePosixPath(urlsplit(resource.url).path).suffix.casefold()
    packed = reading.compression or {".gz": "gz", ".zip": "zip"}.get(suffix, "none")
    kind = reading.format or resource.file_format()
    if kind is None:
        raise Invalid(
            f"resource {resource.name} is of the format {resource.format or 'unknown'}", hint="declare the format, or read: datastore"
        )
    return reading.model_copy(update={"compression": packed, "format": kind})


def _state(resource: Resource, dataset: CkanDataset) -> str | None:
    """Return the cursor: what the portal says of the resource's state, and what is asked of it; None when it says nothing."""
    if resource.state is None or dataset.read == "datastore":  # rows of the DataStore change one by one, and the resource does not tell
        return None
    reading = reading_digest(dataset)
    return json.dumps({"resource": resource.id, "state": resource.state, "reading": reading[:16]})

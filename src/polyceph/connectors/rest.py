"""The connector `rest`: rows of a service that answers with JSON, whole or what changed since the last load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from polyceph.connectors.rest_openapi import collections
from polyceph.connectors.rest_options import RestDataset, RestSource
from polyceph.connectors.validation import validated
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.json_samples import json_sample
from polyceph.connectors.web.lines import Lines
from polyceph.connectors.web.paging import NoPaging, OffsetPaging, Page, PagePaging, Walk, with_parameter
from polyceph.connectors.web.paths import rows_at
from polyceph.connectors.web.records import RecordFile, folder_of
from polyceph.connectors.web.since import Progress
from polyceph.connectors.web.steady import Keys, key_fields, unsteady
from polyceph.sdk import Conflict, Delivery, Demand, Follows, Invalid, LoadMode, Note, Options, Sample, SourceTable

_READINGS = 2


class RestConnector:
    """Reads a service page by page; all pages are one delivery, loaded whole or not at all.

    Without `since` the delivery is the whole, known by its content; with a primary key only differences are kept. With `since` it is
    the range from the last load's greatest moment, less the overlap, and the cursor is kept in the transaction of the rows. A source
    that moves while it is read is read once more, then refused.
    """

    source_options: ClassVar[type[Options]] = RestSource
    dataset_options: ClassVar[type[Options]] = RestDataset
    summary: ClassVar[str] = "Services that answer with JSON over HTTP: pages of any style, whole or what changed since the last load."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(RestSource, options, "source of connector rest")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery with everything, or with what changed; nothing when nothing did.

        Raises:
            Invalid: options are wrong, the paging goes in a circle, or rows do not keep the contract.
            NotFound: the service does not know the path.
            Denied: the account may not read it, or the service sends to a host that is not declared.
            Conflict: the source moved during both readings.
            Unavailable: it does not answer in spite of every attempt.
            Misconfigured: a secret is not set or not accepted.
        """
        dataset = validated(RestDataset, demand.options, f"options of {demand.dataset}")
        if dataset.since is not None and not key_fields(demand.contract):
            raise Invalid(
                f"{demand.dataset} has no primary key, and since reads rows that were read before",
                hint=f"set primaryKey: true on its columns in {demand.contract.place.file}",
            )
        with WebClient(self._source, base=self._base) as client:
            found = _Reading(client, dataset, self._source, demand).delivery()
        if found is not None:
            yield found

    def tables(self) -> Iterator[SourceTable]:
        """Yield the lists that the service's OpenAPI description names, nothing when none is declared; raises like `deliveries`."""
        if self._source.openapi is not None:
            with WebClient(self._source, base=self._base) as client:
                yield from collections(client, self._source.openapi)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:
        """Return the first rows that an address gives; raises like `deliveries`."""
        dataset = validated(RestDataset, options, "options of the sample")
        found: list[Any] = []
        with WebClient(self._source, base=self._base) as client:
            ask = Asking(client, dataset, workspace, limit=self._source.disk_limit_mb << 20)
            walk = ask.walk(None)
            for page in walk.pages(ask.page):
                found += page.rows
                if len(found) >= rows:
                    break
            return json_sample(found[:rows], client.shown(ask.call(None)), notes=tuple(walk.notes))


class Asking:
    """How one dataset's pages are asked for."""

    def __init__(self, client: WebClient, dataset: RestDataset, folder: Path, *, limit: int) -> None:
        self._client, self._dataset, self._folder, self._limit = client, dataset, folder, limit

    def call(self, since: Any) -> Call:
        """Return the request for the rows since a moment, for all without one."""
        dataset = self._dataset
        call = Call(dataset.path, dict(dataset.params), dataset.method, json=dataset.body)
        if dataset.method == "POST" and call.json is None:
            call = replace(call, json={})
        if since is None or dataset.since is None:
            return call
        return with_parameter(call, dataset.since.parameter, since, dataset.place())

    def walk(self, since: Any) -> Walk:
        """Return the way through all pages."""
        call = self.call(since)
        base = self._client.absolute(call.url).partition("?")[0]
        return Walk(self._dataset.paging, call, self._client.shown(call), self._dataset.place(), base)

    def page(self, call: Call) -> Page:
        """Return one page; raise `Invalid` when its rows are not where they should be."""
        shown = self._client.shown(call)
        if self._dataset.format == "json":
            document, headers = self._client.json(call)
            return Page(rows_at(document, self._dataset.records, shown), document, headers)
        path = self._folder / "answer.ndjson"
        digest, headers = self._client.store(call, path, limit=self._limit)
        return Page(Lines(path, shown), None, headers, digest)


class _Reading:
    """One load of one dataset."""

    def __init__(self, client: WebClient, dataset: RestDataset, source: RestSource, demand: Demand) -> None:
        self._client, self._dataset, self._source, self._demand = client, dataset, source, demand
        self._ask = Asking(client, dataset, folder_of(demand), limit=source.disk_limit_mb << 20)
        self._notes: tuple[Note, ...] = ()

    def delivery(self) -> Delivery | None:
        """Return what is to be loaded; None when it is nothing new."""
        reason = None
        for _ in range(_READINGS):
            progress = self._progress()
            with RecordFile(self._demand, self._dataset, self._source) as file:
                reason = self._read(file, progress)
                if reason is None:
                    return self._delivered(file, progress)
        shown = self._client.shown(self._ask.call(None))
        raise Conflict(f"{shown} moved while it was read, twice: {reason}", hint="nothing was loaded; run it again when it is quiet")

    def _progress(self) -> Progress | None:
        since = self._dataset.since
        return Progress(since, self._dataset.timezone, datetime.now(UTC), self._demand.cursor) if since else None

    def _read(self, file: RecordFile, progress: Progress | None) -> str | None:
        """Read all pages into the file; return what shows that the source moved meanwhile."""
        walk = self._ask.walk(progress.parameter() if progress else None)
        with Keys(folder_of(self._demand), self._demand.contract) as keys:
            for page in walk.pages(self._ask.page):
                where = f"{walk.address}, page {walk.number}"
                if progress is not None:
                    for number, row in enumerate(page.rows, 1):
                        progress.see(row, f"{where}, row {number}")
                file.add(self._filled(page.rows), where)
                keys.add(page.rows)
        self._notes = (*walk.notes, *self._blind(keys))
        is_list_of_changes = progress is not None and not isinstance(walk.paging, PagePaging | OffsetPaging)
        if is_list_of_changes:  # a row that changes while we read comes again, and the last one counts
            return unsteady(walk.rows - keys.repeated, walk.totals, 0)
        return unsteady(walk.rows, walk.totals, keys.repeated)

    def _filled(self, rows: Iterable[Any]) -> Iterable[Any]:
        if not self._dataset.absent_is_null:
            return rows
        names = [(column.source_name or column.name) for column in self._demand.contract.columns]
        empty = dict.fromkeys(name for name in names if "." not in name)
        return ({**empty, **row} if isinstance(row, Mapping) else row for row in rows)

    def _blind(self, keys: Keys) -> Iterator[Note]:
        paging = self._dataset.paging
        if not isinstance(paging, NoPaging) and paging.total is None and not keys.fields:
            yield Note("paging", "without total and without a primary key a row that moves from page to page is not noticed")

    def _delivered(self, file: RecordFile, progress: Progress | None) -> Delivery | None:
        origin = self._client.shown(self._ask.call(None))
        if progress is not None:
            if not file.rows:
                return None
            follows, notes = Follows(self._demand.cursor), (*self._notes, *progress.notes())
            made = file.delivery(origin, cursor=progress.reached(), follows=follows, notes=notes)
            return replace(made, mode=LoadMode.MERGE) if made else None
        if not file.rows and not self._dataset.may_be_empty:
            raise Invalid(f"{origin} gives no row at all", hint="if that may be, declare may_be_empty: true")
        made = file.delivery(origin, notes=self._notes)
        mode = LoadMode.DIFF if key_fields(self._demand.contract) else LoadMode.APPEND
        return replace(made, mode=mode) if made else None

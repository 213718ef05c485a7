"""The connector `opendatasoft`: datasets of a portal of Opendatasoft (Huwise), through its Explore API 2.1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from polyceph.connectors.opendatasoft_catalogue import API, Described, catalogue, described
from polyceph.connectors.opendatasoft_options import OpendatasoftDataset, OpendatasoftSource
from polyceph.connectors.validation import validated
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.json_samples import json_sample
from polyceph.connectors.web.lines import json_lines
from polyceph.connectors.web.records import RecordFile, folder_of
from polyceph.connectors.web.since import Progress, Since
from polyceph.connectors.web.steady import key_fields
from polyceph.sdk import Conflict, Delivery, Demand, Follows, Invalid, LoadMode, Options, Sample, SourceTable

_READINGS, _BLOCK, _PAGE, _DEEPEST = 2, 1_000, 100, 10_000


class OpendatasoftConnector:
    """Reads a dataset's export: one answer without a limit, which the portal makes from one state of the dataset.

    Rows are counted against what the portal says; an export that does not match is read once more, then refused. A dataset that was
    not processed since the last load is not read at all. `select` and `where` are worked out by the portal.
    """

    source_options: ClassVar[type[Options]] = OpendatasoftSource
    dataset_options: ClassVar[type[Options]] = OpendatasoftDataset
    summary: ClassVar[str] = "Datasets of a portal of Opendatasoft (Huwise): whole, or what changed since the last load."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(OpendatasoftSource, options, "source of connector opendatasoft")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery with everything, or with what changed; nothing when nothing did.

        Raises:
            Invalid: options are wrong, or rows do not keep the contract.
            NotFound: the portal does not know the dataset.
            Denied, Misconfigured: it refuses us.
            Conflict: the dataset changed during both readings.
            Unavailable: it does not answer in spite of every attempt.
        """
        dataset = validated(OpendatasoftDataset, demand.options, f"options of {demand.dataset}")
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
        """Yield the datasets of the portal's catalogue; raises like `deliveries`."""
        with WebClient(self._source, base=self._base) as client:
            yield from catalogue(client)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002  nothing to keep
        """Return the first rows, with the types, labels and descriptions of the catalogue; raises like `deliveries`."""
        dataset = validated(OpendatasoftDataset, options, "options of the sample")
        with WebClient(self._source, base=self._base) as client:
            about = described(client, dataset.dataset)
            call, found = _call(dataset, "records", None), []
            for begin in range(0, min(rows, _DEEPEST), _PAGE):
                page = replace(call, params={**(call.params or {}), "limit": min(_PAGE, rows - begin), "offset": begin})
                part = client.json(page)[0].get("results", [])
                found += part
                if not part:
                    break
            columns = (
                {column.name: column for column in about.columns}
                if not dataset.select or not found
                else {column.name: column for column in about.columns if column.name in found[0]}
            )
            return replace(json_sample(found, client.shown(call), columns=columns), description=about.description)


class _Reading:
    """One load of one dataset."""

    def __init__(self, client: WebClient, dataset: OpendatasoftDataset, source: OpendatasoftSource, demand: Demand) -> None:
        self._client, self._dataset, self._source, self._demand = client, dataset, source, demand

    def delivery(self) -> Delivery | None:
        """Return what is to be loaded; None when it is nothing new."""
        shown, rows, total = "", 0, 0
        for _ in range(_READINGS):
            about = described(self._client, self._dataset.dataset)
            state = self._state(about)
            if state is not None and state == self._demand.cursor:
                return None
            progress = self._progress(about)
            condition = _condition(self._dataset, about, progress)
            call = _call(self._dataset, "exports/jsonl", condition)
            shown = self._client.shown(call)
            with RecordFile(self._demand, self._dataset, self._source) as file:
                self._read(call, file, progress)
                rows, total = file.rows, self._count(condition)
                if rows == total:
                    return self._delivered(file, shown, state, progress)
        raise Conflict(
            f"{shown} gave {rows} rows, and the portal says {total}, twice", hint="nothing was loaded; run it again when it is quiet"
        )

    def _state(self, about: Described) -> str | None:
        """Return the cursor of a whole: when the portal processed the data, and what is asked of it."""
        if self._dataset.since is not None or about.state is None:
            return None
        columns = [(c.name, c.logical_type, c.physical_type, c.source_name) for c in self._demand.contract.columns]
        reading = sha256((self._dataset.model_dump_json() + repr(columns)).encode()).hexdigest()[:16]
        return json.dumps({"processed": about.state, "reading": reading})

    def _progress(self, about: Described) -> Progress | None:
        field = self._dataset.since
        if field is None:
            return None
        kind = about.type_of(field)
        if kind not in ("date", "datetime"):
            good = ", ".join(column.name for column in about.columns if column.source_type in ("date", "datetime"))
            raise Invalid(
                f"field {field} of {about.name} is of type {kind}, and since needs a date or datetime", hint=f"such are: {good or 'none'}"
            )
        given = {"parameter": "where", "field": field, "format": "date" if kind == "date" else "iso", "overlap": self._dataset.overlap}
        # A dataset that was read whole before has the cursor of a whole; what changed begins with everything then.
        cursor = None if (self._demand.cursor or "").startswith("{") else self._demand.cursor
        return Progress(Since.model_validate(given), self._dataset.timezone, datetime.now(UTC), cursor)

    def _read(self, call: Call, file: RecordFile, progress: Progress | None) -> None:
        shown, path = self._client.shown(call), folder_of(self._demand) / "export.jsonl"
        self._client.store(call, path, limit=self._source.disk_limit_mb << 20)
        block: list[Any] = []
        for number, row in enumerate(json_lines(path, shown), 1):
            if progress is not None:
                progress.see(row, f"{shown}, row {number}")
            block.append(row)
            if len(block) == _BLOCK:
                file.add(block, shown)
                block = []
        file.add(block, shown)
        path.unlink()

    def _count(self, condition: str | None) -> int:
        call = _call(self._dataset, "records", condition)
        answer = self._client.json(replace(call, params={**(call.params or {}), "limit": 1}))[0]
        try:
            return int(answer["total_count"])
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid(f"{self._client.shown(call)} does not say how many rows there are", hint="check the portal's address") from error

    def _delivered(self, file: RecordFile, origin: str, state: str | None, progress: Progress | None) -> Delivery | None:
        if progress is not None:
            if not file.rows:
                return None
            made = file.delivery(origin, cursor=progress.reached(), follows=Follows(self._demand.cursor), notes=progress.notes())
            return replace(made, mode=LoadMode.MERGE) if made else None
        if not file.rows and not self._dataset.may_be_empty:
            raise Invalid(f"{origin} gives no row at all", hint="if that may be, declare may_be_empty: true")
        made = file.delivery(origin, cursor=state)
        mode = LoadMode.DIFF if key_fields(self._demand.contract) else LoadMode.APPEND
        return replace(made, mode=mode) if made else None


def _call(dataset: OpendatasoftDataset, what: str, condition: str | None) -> Call:
    given = {"select": ", ".join(dataset.select), "where": condition if condition is not None else dataset.where}
    return Call(f"{API}/{quote(dataset.dataset, safe='')}/{what}", {name: value for name, value in given.items() if value})


def _condition(dataset: OpendatasoftDataset, about: Described, progress: Progress | None) -> str | None:
    begin = progress.parameter() if progress else None
    if begin is None:
        return dataset.where
    about.type_of(str(dataset.since))  # the name is one of the portal's own, so it can stand in its language
    changed = f"`{dataset.since}` >= date'{begin}'"
    return f"({dataset.where}) and {changed}" if dataset.where else changed

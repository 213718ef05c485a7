"""Files that wait for acceptance, read without being loaded: what a load would refuse in them. Nothing is written.

Loads DuckDB and Arrow: import it where something runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import yaml

from polyceph.bootstrap.domain import DomainRuntime, connector_of
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.core.source_ports import PLATFORM_KEYS, Delivery, Demand, Pushdown, Tolerance
from polyceph.errors import Invalid, NotFound, Problem
from polyceph.lake.check import StagedRows, repeated_values
from polyceph.lake.stream import registered

_ALL = Tolerance(share=1.0)
"""Every row that does not fit is set aside with its reason: a person mends a workbook in one go, not the first twenty cells of it."""
_AT_ONCE = 2


@dataclass(frozen=True)
class Reading:
    """How a dataset is loaded, as its `Ingest` declares it: the source and the connector's options."""

    source: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class Inspected:
    """What a load of one file would refuse; nothing when it would take the file."""

    path: str
    problems: tuple[Problem, ...]


def declared_reading(runtime: DomainRuntime, dataset: DatasetId) -> Reading:
    """Return how a raw dataset is loaded.

    Raises:
        NotFound: no `Ingest` of the domain loads it.
    """
    declared = runtime.domain.datasets.get(dataset)
    if declared is not None and declared.produced_by is not None:
        text = (runtime.settings.federation.resolve() / declared.produced_by.file).read_text(encoding="utf-8")
        for document in yaml.safe_load_all(text):
            attributes = (document or {}).get("attributes") or {}
            for entry in attributes.get("datasets") or ():
                if entry["name"] == dataset.name:
                    return Reading(attributes["source"], {key: value for key, value in entry.items() if key not in PLATFORM_KEYS})
    raise NotFound(f"no Ingest loads {dataset}", hint=f"declare it below {runtime.domain.folder}/defs")


def inspect(runtime: DomainRuntime, dataset: DatasetId, paths: Iterable[str]) -> tuple[Inspected, ...]:
    """Read files of a source of type `files` as if they were loaded into a dataset, and return what is wrong with each.

    `paths` are below the source's folder, one file each; everything else is as the dataset's contract and its `Ingest` say.
    """
    reading, contract = declared_reading(runtime, dataset), runtime.domain.contracts[dataset]
    connector = connector_of(runtime, reading.source)

    def one(path: str) -> Inspected:
        with tempfile.TemporaryDirectory(prefix="polyceph-inspect-") as workspace:
            options = {**reading.options, "path": path}
            demand = Demand(dataset, contract, options, None, lambda _key: False, Path(workspace), runtime.folder, tolerance=_ALL)
            try:
                problems = [problem for delivery in connector.deliveries(demand) for problem in _problems(delivery, contract)]
            except Invalid as error:
                problems = list(error.problems) or [Problem(error.message, file=path, hint=error.hint)]
        return Inspected(path, tuple(problems))

    # Each file is read in a process of its own, so threads that wait for two of them are enough to keep two cores busy.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(one, paths))


def _problems(delivery: Delivery, contract: Contract) -> Iterator[Problem]:
    """Yield what the connector has set aside, and what the load itself would refuse in the rows that are left: keys that occur twice."""
    rejects = pa.RecordBatchReader.from_stream(delivery.rejects).read_all().to_pylist() if delivery.rejects else []
    for one in rejects:
        yield Problem(one["rule"], file=delivery.origin, place=one["place"])
    yield from _repeated(delivery, contract)


def _repeated(delivery: Delivery, contract: Contract) -> list[Problem]:
    if isinstance(delivery.rows, Pushdown):  # files give rows; a database keeps its own keys
        return []
    with duckdb.connect() as connection, registered(connection, delivery.rows) as select:
        connection.execute(f"CREATE TABLE inspected AS {select}")
        count = connection.execute("SELECT count(*) FROM inspected").fetchone() or (0,)
        return [replace(p, file=delivery.origin) for p in repeated_values(connection, StagedRows("inspected", count[0], ()), contract)]

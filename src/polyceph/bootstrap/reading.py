"""Reads by a domain's own code: what it may read, whom to ask for more, and the record of it. Loads DuckDB and Arrow.

A reading that cannot be recorded hands out no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from polyceph.bootstrap.declared import domain_declarations
from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.reading import READ, Reading
from polyceph.core.policies.consumption import dataset_may_be_consumed, read_is_declared
from polyceph.errors import Invalid, NotFound
from polyceph.lake.recorded import Reader, read_table, write_parquet
from polyceph.settings import Databases, Settings


def reader(runtime: DomainRuntime, door: str, run: str, purpose: str | None = None) -> Reader:
    """Return who reads by a door of this domain, with its policies."""
    return Reader(door, run, purpose, partial(_may_read, runtime))


def query(runtime: DomainRuntime, sql: str, parameters: Sequence[object], *, reader: Reader) -> pa.Table:
    """Return the rows of a SELECT on the lakes; raises as `read_table`."""
    return read_table(runtime.lake, sql, parameters, reader=reader)


def export(runtime: DomainRuntime, dataset: DatasetId, path: Path, *, reader: Reader) -> int:
    """Write a dataset as one Parquet file, for a program that gets no credentials; return the number of rows."""
    return write_parquet(runtime.lake, dataset, path, reader=reader)


def say_sources(runtime: DomainRuntime, datasets: Iterable[DatasetId], run: str) -> None:
    """Record that dbt is about to read datasets of other domains: which columns and rows, it does not tell."""
    runtime.lake.outbox.say(Reading(READ, dataset, "dbt", run=run) for dataset in datasets)


def output_query(runtime: DomainRuntime, sql: str, parameters: Sequence[object], *, reader: Reader) -> pa.Table:
    """Return the rows of a query on the output database, read as the domain's role; values go in as `%s` parameters.

    Where the SQL does not tell what it reads, the record holds the digest of the statement without its literals.

    Raises:
        Unavailable: the reading cannot be recorded.
    """
    import polars as pl  # loading polars costs 0.2 s and few runs need it
    import psycopg

    address = runtime.process.address(Databases().output)
    options = f"-c search_path={runtime.domain.name} -c default_transaction_read_only=on"
    with psycopg.connect(**address.arguments(), options=options) as connection:
        table = pl.read_database(sql, connection, execute_options={"params": list(parameters)} if parameters else None).to_arrow()
    runtime.lake.outbox.say(_output_readings(runtime, sql, reader, table.num_rows))
    return table


def _output_readings(runtime: DomainRuntime, sql: str, reader: Reader, rows: int) -> list[Reading]:
    from polyceph.lake.output_reads import output_reads, statement_digest  # sqlglot costs 0.2 s and few runs need it

    said = Reading(READ, None, reader.door, run=reader.run, purpose=reader.purpose, rows=rows)
    promised = {d.name: [c.name for c in contract.columns] for d, contract in runtime.domain.contracts.items() if d.zone is Zone.OUTPUT}
    try:
        reads = output_reads(sql, runtime.domain.name, promised)
    except Invalid:
        return [replace(said, statement=statement_digest(sql))]
    return [replace(said, dataset=one.dataset, columns=one.columns) for one in reads]


def _may_read(runtime: DomainRuntime, dataset: DatasetId) -> Decision:
    """Return whether the domain declares that it reads a dataset; a refusal says whom to ask."""
    name = runtime.domain.name
    decision = read_is_declared(name, dataset, consumes=runtime.domain.consumes)
    if decision.allowed:
        return decision
    shared = dataset_may_be_consumed(name, dataset)
    return replace(decision if shared.allowed else shared, hint=_whom_to_ask(runtime.settings, dataset, shared.hint or decision.hint))


def _whom_to_ask(settings: Settings, dataset: DatasetId, what_to_do: str | None) -> str:
    try:
        domain = domain_declarations(settings, dataset.domain).domains[dataset.domain]
    except (Invalid, NotFound) as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    known = domain.datasets.get(dataset)
    owner, steward = (known.owner, known.steward) if known else (domain.owner, domain.steward)
    return f"its owner is {owner}, its steward {steward}: ask them; {what_to_do}, then run polyceph up"

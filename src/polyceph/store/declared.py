"""Brings domains and datasets in the store in step with what is declared: new, changed, gone. The transaction is the caller's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.federation import Federation
from polyceph.core.ports import FederationChange
from polyceph.store import rows
from polyceph.store.tables import dataset, domain

Key = TypeVar("Key", str, DatasetId)


def make_known(connection: Connection, federation: Federation, left_out: Collection[str]) -> FederationChange:
    """Add what is new, change what differs, mark as removed what is declared no more, and return all of it, sorted.

    Domains `left_out` and their datasets are not touched.
    """
    domains = {one.name: rows.domain_values(one) for one in federation.domains.values()}
    datasets = {one.id: rows.dataset_values(one) for owner in federation.domains.values() for one in owner.datasets.values()}
    known_domains: dict[str, Row[Any]] = {row.name: row for row in connection.execute(select(domain).where(domain.c.name.not_in(left_out)))}
    found = connection.execute(select(dataset).where(dataset.c.domain.not_in(left_out)))
    known_datasets = {rows.dataset_id(row): row for row in found}
    new, changed, gone = _difference(known_domains, domains)
    new_sets, changed_sets, gone_sets = _difference(known_datasets, datasets)
    _upsert(connection, domain, [domains[name] for name in (*new, *changed)])
    _upsert(connection, dataset, [datasets[name] for name in (*new_sets, *changed_sets)])
    _mark_removed(connection, domain, domain.c.name.in_(gone))
    keys = [(one.domain, one.zone.value, one.name) for one in gone_sets]
    _mark_removed(connection, dataset, tuple_(dataset.c.domain, dataset.c.zone, dataset.c.name).in_(keys))
    return FederationChange(new, changed, gone, new_sets, changed_sets, gone_sets)


def _difference(
    known: Mapping[Key, Row[Any]], declared: Mapping[Key, rows.Values]
) -> tuple[tuple[Key, ...], tuple[Key, ...], tuple[Key, ...]]:
    """Return the keys that come (also back), those that change and those that go."""
    living = {key for key, row in known.items() if row.removed_at is None}
    differing = [key for key in declared.keys() & living if any(getattr(known[key], n) != v for n, v in declared[key].items())]
    return tuple(sorted(declared.keys() - living)), tuple(sorted(differing)), tuple(sorted(living - declared.keys()))


def _upsert(connection: Connection, table: Table, values: list[rows.Values]) -> None:
    if not values:
        return
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    others = {name: statement.excluded[name] for name in values[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), values)


def _mark_removed(connection: Connection, table: Table, found: ColumnElement[bool]) -> None:
    connection.execute(update(table).where(found).values(removed_at=func.clock_timestamp()))

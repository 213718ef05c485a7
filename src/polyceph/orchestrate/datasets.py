"""Datasets as Dagster assets: keys, specs with owner, steward, zone, classification and columns, and what a run reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset
from polyceph.core.source_ports import LoadReport
from polyceph.errors import Invalid

TIMEZONE = "Europe/Brussels"
_DOMAIN_TAG = "domain"


def key_of(dataset: DatasetId) -> dg.AssetKey:
    """Return the asset key `[domain, zone, name]` of a dataset."""
    return dg.AssetKey([dataset.domain, str(dataset.zone), dataset.name])


def dataset_of(key: dg.AssetKey) -> DatasetId:
    """Return the dataset that an asset key names; raise `Invalid` when it is not `[domain, zone, name]`."""
    zones = ", ".join(Zone)
    if len(key.path) != 3 or key.path[1] not in set(Zone):
        raise Invalid(f"asset key {'/'.join(key.path)} does not name a dataset", hint=f"use key=[domain, zone, name]; zones are {zones}")
    return DatasetId(key.path[0], Zone(key.path[1]), key.path[2])


def local_dataset(domain: str, text: str) -> DatasetId:
    """Return the dataset named `zone.name` (of `domain`) or `domain.zone.name`."""
    parts = text.split(".")
    full = [domain, *parts] if len(parts) == 2 else parts
    return dataset_of(dg.AssetKey(full))


def spec_of(runtime: DomainRuntime, dataset: DatasetId, *, deps: Iterable[DatasetId] = (), kinds: Iterable[str] = ()) -> dg.AssetSpec:
    """Return the spec of a dataset with what its domain declares about it."""
    return dg.AssetSpec(key=key_of(dataset), deps=[key_of(d) for d in deps], kinds=set(kinds), **_declared(dataset, runtime))


def is_described(spec: dg.AssetSpec) -> bool:
    """Tell whether a spec already carries what its domain declares."""
    return _DOMAIN_TAG in spec.tags


def described(spec: dg.AssetSpec, runtime: DomainRuntime) -> dg.AssetSpec:
    """Return the spec with owner, steward, zone, classification, description, columns, contract and links."""
    named = dataset_of(spec.key)
    if named.domain != runtime.domain.name:
        return spec
    own = _declared(named, runtime)
    merged = {"tags": {**spec.tags, **own["tags"]}, "metadata": {**spec.metadata, **own["metadata"]}}
    return spec.replace_attributes(**{**own, **merged, "description": spec.description or own["description"]})


def _declared(named: DatasetId, runtime: DomainRuntime) -> dict[str, Any]:
    # A Python asset of bronze or silver need not be declared anywhere else: it inherits from its domain.
    dataset = runtime.domain.datasets.get(named) or Dataset(named, runtime.domain.owner, runtime.domain.steward, None)
    contract = dataset.contract
    tags = {"zone": str(named.zone), _DOMAIN_TAG: named.domain}
    return {
        "owners": list(dict.fromkeys(_emails(dataset, runtime))),
        "tags": tags | ({"classification": str(contract.classification)} if contract else {}),
        "description": (contract.description or contract.title) if contract else None,
        "metadata": _metadata(dataset, runtime),
        "group_name": str(named.zone),
    }


def _emails(dataset: Dataset, runtime: DomainRuntime) -> list[str]:
    return [runtime.federation.people[person].email for person in (dataset.owner, dataset.steward)]


def _metadata(dataset: Dataset, runtime: DomainRuntime) -> dict[str, Any]:
    people = runtime.federation.people
    found: dict[str, Any] = {"owner": people[dataset.owner].name, "steward": people[dataset.steward].name}
    if dataset.contract is None:
        return found
    contract = dataset.contract
    found |= {"contract": f"{contract.id} {contract.version}", "contract file": str(contract.place), "contract status": contract.status}
    found |= {name: dg.MetadataValue.url(url) for name, url in contract.links.items()}
    return found | {"dagster/column_schema": _promised_columns(contract)}


def _promised_columns(contract: Contract) -> dg.TableSchema:
    return dg.TableSchema(columns=[_column(column, column.logical_type) for column in contract.columns])


def _column(column: Column, kind: str) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=kind,
        description=column.description or None,
        constraints=dg.TableColumnConstraints(nullable=not column.required, unique=column.unique),
        tags={"personal_data": str(column.personal_data).replace(" ", "_")},
    )


def lake_metadata(runtime: DomainRuntime, dataset: DatasetId) -> dict[str, Any]:
    """Return rows, bytes, files, snapshot and columns of a dataset as they are in the lake now."""
    facts = runtime.lake.facts(dataset)
    found: dict[str, Any] = {"bytes": facts.bytes, "files": facts.files, "snapshot": facts.snapshot}
    if facts.rows is not None:  # a view has no rows of its own
        found["dagster/row_count"] = facts.rows
    contract = runtime.domain.contracts.get(dataset)
    promised = {column.name: column for column in contract.columns} if contract else {}
    there = [_column(promised[n], t) if n in promised else dg.TableColumn(name=n, type=t) for n, t in facts.columns]
    found["dagster/column_schema"] = dg.TableSchema(columns=there)
    return found | ({"contract version": contract.version} if contract else {})


def contract_version(runtime: DomainRuntime, dataset: DatasetId) -> str | None:
    """Return the version of the dataset's contract, None when it has none."""
    contract = runtime.domain.contracts.get(dataset)
    return contract.version if contract else None


def load_metadata(reports: Iterable[LoadReport]) -> dict[str, Any]:
    """Return what the deliveries of one load became, notes of the connector included."""
    loads = list(reports)
    notes = [f"{r.origin}: {n.subject}: {n.text}" + (f" ({n.value})" if n.value else "") for r in loads for n in r.notes]
    new = [r for r in loads if r.is_new]
    found: dict[str, Any] = {
        "deliveries": len(new),
        "rows loaded": sum(r.rows for r in new),
        "already loaded": len(loads) - len(new),
    }
    if rejected := sum(r.rejected for r in new):
        found["rows set aside"] = rejected
    if notes:
        found["notes"] = dg.MetadataValue.md("\n".join(f"- {n}" for n in notes))
    return found


def schedule(name: str, cron: str | None, keys: Iterable[dg.AssetKey]) -> list[dg.ScheduleDefinition]:
    """Return the schedule of a component, none when it declares none."""
    if cron is None:
        return []
    target = dg.AssetSelection.assets(*keys)
    status = dg.DefaultScheduleStatus.RUNNING
    return [dg.ScheduleDefinition(name=name, cron_schedule=cron, target=target, execution_timezone=TIMEZONE, default_status=status)]


def commit_of(runtime: DomainRuntime, message: str, run: str, datasets: Iterable[DatasetId] = ()) -> LakeCommit:
    """Return the stamp of a change that this domain makes in a run, with the contract versions of the datasets it concerns."""
    versions = {str(d): contract_version(runtime, d) for d in datasets}
    contracts = {name: version for name, version in versions.items() if version}
    return LakeCommit(author=runtime.process.user, message=message, run=run, code=runtime.process.code, contracts=contracts)

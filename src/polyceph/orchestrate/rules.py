"""The rules that hold before anything loads: own assets only, zones obeyed, contracts present, reads declared."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.dataset import DatasetId
from polyceph.errors import Denied, Invalid, Problem
from polyceph.orchestrate.datasets import dataset_of


def refuse_what_breaks_rules(found: dg.Definitions, runtime: DomainRuntime) -> None:
    """Raise one `Invalid` (or `Denied`, for undeclared reads alone) that names every broken rule and the file to edit."""
    problems: list[Problem] = []
    reads: list[Problem] = []
    for spec in _made(found):
        dataset = dataset_of(spec.key)
        problems.extend(_made_here(dataset, runtime))
        for dep in spec.deps:
            reads.extend(_declared(dataset, dataset_of(dep.asset_key), runtime))
    if problems:
        raise Invalid(f"domain {runtime.domain.name} breaks rules", problems=problems + reads)
    if reads:
        raise Denied(f"domain {runtime.domain.name} reads what it does not declare", problems=reads)


def _made(found: dg.Definitions) -> list[dg.AssetSpec]:
    """Return the specs of all assets that this location makes, by key; specs that nobody makes only describe others'."""
    made = [spec for one in found.assets or [] if isinstance(one, dg.AssetsDefinition) and one.is_executable for spec in one.specs]
    return sorted(made, key=lambda spec: spec.key)


def _made_here(dataset: DatasetId, runtime: DomainRuntime) -> Iterator[Problem]:
    domain = runtime.domain
    if dataset.domain != domain.name:
        hint = f"only {dataset.domain} makes its datasets; use the key [{domain.name}, zone, name]"
        yield Problem(f"{domain.name} makes {dataset}, which is another domain's", file=f"{domain.folder}/defs", hint=hint)
    elif dataset.zone.needs_contract and dataset not in domain.contracts:
        file = f"{domain.folder}/contracts/{dataset.name}.odcs.yaml"
        yield Problem(f"{dataset} has no contract; a {dataset.zone} dataset needs one", file=file, hint="write this file")


def _declared(dataset: DatasetId, parent: DatasetId, runtime: DomainRuntime) -> Iterator[Problem]:
    domain = runtime.domain
    if parent.domain == domain.name or parent in domain.consumes:
        return
    file = f"{domain.folder}/domain.yaml"
    known = tuple(str(d) for d in domain.consumes)
    yield Problem(
        f"{dataset} reads {parent}, which {domain.name} does not declare",
        file=file,
        value=str(parent),
        allowed=known,
        hint=f"add {parent} to consumes, or stop reading it",
    )

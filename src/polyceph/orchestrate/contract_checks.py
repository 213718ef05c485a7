"""The check `contract` of every dataset behind the raw zone that has a contract; what does not keep it goes no further.

Raw datasets are checked before they become visible, by their load.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import Zone
from polyceph.errors import PolycephError, Problem
from polyceph.orchestrate.datasets import key_of
from polyceph.orchestrate.refusals import explained

CHECK = "contract"
SHOWN = 20
_CHECKED = (Zone.BRONZE, Zone.SILVER, Zone.GOLD)


def contract_checks(runtime: DomainRuntime, made: frozenset[dg.AssetKey]) -> list[dg.AssetChecksDefinition]:
    """Return a blocking check for each dataset that this location makes and a contract promises."""
    contracts = (c for d, c in sorted(runtime.domain.contracts.items()) if d.zone in _CHECKED and key_of(d) in made)
    return [_check(runtime, contract) for contract in contracts]


def _check(runtime: DomainRuntime, contract: Contract) -> dg.AssetChecksDefinition:
    dataset = contract.dataset
    spec = dg.AssetCheckSpec(CHECK, asset=key_of(dataset), blocking=True, description="The dataset keeps the promises of its contract.")

    @dg.multi_asset_check(name=f"{dataset.domain}__{dataset.zone}__{dataset.name}__contract", specs=[spec])
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:  # noqa: ARG001  Dagster's signature
        from polyceph.bootstrap import lakes  # DuckDB and Arrow: 100 MB that only a run needs

        try:
            problems = lakes.contract_problems(runtime, dataset, contract)
        except PolycephError as error:
            raise explained(error) from error
        yield result(contract, problems, message="keeps its contract" if not problems else "does not keep its contract")

    return check


def result(contract: Contract, problems: list[Problem] | tuple[Problem, ...], *, message: str) -> dg.AssetCheckResult:
    """Return the verdict on a dataset, with its problems for the person who must mend them."""
    shown = "\n".join(f"- {p}" for p in problems[:SHOWN])
    metadata: dict[str, Any] = {"contract": f"{contract.id} {contract.version}", "problems": dg.MetadataValue.int(len(problems))}
    if shown:
        metadata["what is wrong"] = dg.MetadataValue.md(shown)
    key = key_of(contract.dataset)
    return dg.AssetCheckResult(passed=not problems, check_name=CHECK, asset_key=key, description=message, metadata=metadata)

"""The component `Ingest`: any connector, any number of datasets, into the raw zone, exactly once."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from pydantic import Field

from polyceph.bootstrap.domain import DomainRuntime, connector_of, current_domain, source_of
from polyceph.bootstrap.quarantine import Gate
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.source_ports import PLATFORM_KEYS, Admission, Delivery, Demand, LoadMode, LoadReport, Tolerance, tolerance_of
from polyceph.errors import Invalid, PolycephError, Problem
from polyceph.orchestrate.contract_checks import CHECK, result
from polyceph.orchestrate.datasets import commit_of, key_of, lake_metadata, load_metadata, schedule, spec_of
from polyceph.orchestrate.refusals import explained


class Ingest(dg.Component, dg.Model, dg.Resolvable):
    """Load datasets of one source of the domain into its raw zone.

    Raw is append-only: each delivery (a file, a range of a cursor, a snapshot of a table) is loaded exactly once,
    keeps its key, and is checked against the dataset's contract before it becomes visible.

    ```yaml
    type: polyceph.orchestrate.components.Ingest
    attributes:
      source: register          # a source of domain.yaml
      schedule: "0 5 * * *"     # optional, Europe/Brussels
      datasets:
        - name: schools         # raw.schools, promised by contracts/schools.odcs.yaml
          table: public.schools # the other keys are the connector's
    ```
    """

    source: str = Field(description="A source of the domain, as named in domain.yaml.")
    # Passed through as written: Dagster would compile every string as a Jinja template, half a second for 1,000 datasets.
    datasets: Annotated[list[dict[str, Any]], dg.Resolver.passthrough()] = Field(
        min_length=1, description="One entry per dataset: its name, and the connector's options beside it."
    )
    schedule: str | None = Field(default=None, description="Cron expression, Europe/Brussels.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """Return one asset with its contract check per dataset, and the schedule."""
        runtime = current_domain()
        assets = [_asset(runtime, self.source, entry) for entry in self.datasets]
        keys = [key for asset in assets for key in asset.keys]
        return dg.Definitions(
            assets=assets, schedules=schedule(f"{runtime.domain.name}_load_{self.source}_{self.datasets[0]['name']}", self.schedule, keys)
        )


@dataclass(frozen=True)
class _Wanted:
    """One entry of the component: which dataset from which source, the connector's options, how rows join those that are there."""

    source: str
    dataset: DatasetId
    options: dict[str, Any]
    mode: LoadMode | None
    tolerance: Tolerance

    def given(self, delivery: Delivery) -> Delivery:
        """Return a delivery with what the entry says of its load."""
        return replace(delivery, mode=self.mode or delivery.mode, tolerance=self.tolerance)


def _asset(runtime: DomainRuntime, source: str, entry: dict[str, Any]) -> dg.AssetsDefinition:
    dataset = DatasetId(runtime.domain.name, Zone.RAW, str(entry["name"]))
    options = {key: value for key, value in entry.items() if key not in PLATFORM_KEYS}
    mode = LoadMode(entry["load"]) if entry.get("load") else None
    tolerance = tolerance_of(entry.get("rejects", 0))
    kind = source_of(runtime, source).connector

    @dg.multi_asset(
        name=f"{dataset.domain}__{dataset.zone}__{dataset.name}",
        specs=[spec_of(runtime, dataset, kinds=("ducklake", kind))],
        check_specs=[dg.AssetCheckSpec(CHECK, asset=key_of(dataset), description="The delivery keeps the promises of its contract.")],
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Any]:  # Dagster evaluates the annotation eight times per dataset
        yield from _load(context, runtime, _Wanted(source, dataset, options, mode, tolerance))

    return load


def _load(
    context: dg.AssetExecutionContext, runtime: DomainRuntime, what: _Wanted
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    from polyceph.bootstrap import lakes  # DuckDB and Arrow: 100 MB that only a run needs

    dataset = what.dataset
    contract = runtime.domain.contracts[dataset]
    run = _attempted_run(context)
    reports: list[LoadReport] = []
    gate = Gate(runtime, contract, what.source, run)
    try:
        for report in _deliveries(runtime, contract, what, run=run, gate=gate):
            aside = f", {report.rejected} set aside" if report.rejected else ""
            context.log.info(f"{report.origin}: {report.rows} rows{aside}, {'loaded' if report.is_new else 'already there'} ({report.key})")
            reports.append(report)
        if gate.waiting:
            raise gate.refusal()
    except Invalid as error:
        yield result(contract, error.problems or (Problem(error.message),), message=error.message)
        raise explained(error) from error
    except PolycephError as error:
        raise explained(error) from error
    metadata = load_metadata(reports) | ({"passed on, as their owner refused them": ", ".join(gate.passed)} if gate.passed else {})
    metadata |= lake_metadata(runtime, dataset) if lakes.exists(runtime, dataset) else {}
    yield result(contract, (), message=f"{len(reports)} deliveries keep the contract")
    yield dg.MaterializeResult(asset_key=key_of(dataset), metadata=metadata)


def _attempted_run(context: dg.AssetExecutionContext) -> str:
    """Return the run that this one is another attempt of, itself otherwise: another attempt must not load a snapshot again."""
    run = context.run
    is_retry = run.tags.get("dagster/is_resume_retry") == "true" or "dagster/retry_number" in run.tags
    return run.root_run_id if is_retry and run.root_run_id else run.run_id


def _deliveries(runtime: DomainRuntime, contract: Contract, what: _Wanted, *, run: str, gate: Gate) -> Iterator[LoadReport]:
    dataset = contract.dataset
    connector = connector_of(runtime, what.source)
    commit = commit_of(runtime, f"load {dataset} from {what.source}", run, [dataset])
    with tempfile.TemporaryDirectory(prefix="polyceph-load-") as workspace:
        demand = Demand(
            dataset=dataset,
            contract=contract,
            options=what.options,
            cursor=runtime.lake.cursor(dataset),
            is_loaded=lambda key: runtime.lake.is_loaded(dataset, key),
            workspace=Path(workspace),
            base=runtime.folder,
            run=run,
            last_key=lambda origin: runtime.lake.last_key(dataset, origin),
            tolerance=what.tolerance,
            admits=gate.admits,
            last_form=gate.last_form,
        )
        for delivery in connector.deliveries(demand):
            given = what.given(delivery)
            if gate.waiting and given.mode is not LoadMode.APPEND:
                return  # loads that compare with what is there go by their order: what came before this one waits
            report = runtime.lake.load(given, contract, commit, gate.admits)
            if report.admission is Admission.LOAD:
                yield gate.told(report)

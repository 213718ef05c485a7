"""The component `Output`: a gold dataset served outside the lake, always whole."""

from typing import Any, Literal

import dagster as dg
from pydantic import Field

from polyceph.bootstrap.domain import DomainRuntime, current_domain
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, PolycephError
from polyceph.orchestrate.datasets import commit_of, contract_version, key_of, local_dataset, schedule, spec_of
from polyceph.orchestrate.refusals import explained


class OutputSpec(dg.Model, dg.Resolvable):
    """One output: its name, the gold dataset behind it, and where it goes."""

    name: str = Field(description="Name of the output dataset, promised by its own contract.")
    of: str = Field(description="The gold dataset served, as gold.<name>.")
    to: Literal["postgres", "parquet", "csv", "xlsx"] = Field(description="A PostgreSQL table, or a file of this format.")


class Output(dg.Component, dg.Model, dg.Resolvable):
    """Serve gold datasets outside the lake: readers see the old content or the new, never a part.

    ```yaml
    type: polyceph.orchestrate.components.Output
    attributes:
      outputs:
        - name: pupils_by_municipality
          of: gold.pupils_by_municipality
          to: postgres          # or parquet, csv, xlsx
    ```
    """

    outputs: list[OutputSpec] = Field(min_length=1, description="What is served.")
    schedule: str | None = Field(default=None, description="Cron expression, Europe/Brussels.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """Return one asset per output, and the schedule."""
        runtime = current_domain()
        assets = [_asset(runtime, spec) for spec in self.outputs]
        keys = [key for asset in assets for key in asset.keys]
        return dg.Definitions(assets=assets, schedules=schedule(f"{runtime.domain.name}_serve_{self.outputs[0].name}", self.schedule, keys))


def _asset(runtime: DomainRuntime, spec: OutputSpec) -> dg.AssetsDefinition:
    dataset = DatasetId(runtime.domain.name, Zone.OUTPUT, spec.name)
    gold = local_dataset(runtime.domain.name, spec.of)

    @dg.multi_asset(
        name=f"{dataset.domain}__{dataset.zone}__{dataset.name}",
        specs=[spec_of(runtime, dataset, deps=[gold], kinds=("polyceph", spec.to))],
    )
    def output(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        try:
            report = serve(runtime, dataset, gold, to=spec.to, run=context.run_id)
        except PolycephError as error:
            raise explained(error) from error
        return dg.MaterializeResult(asset_key=key_of(dataset), metadata=report)

    return output


def serve(runtime: DomainRuntime, dataset: DatasetId, gold: DatasetId, *, to: str, run: str) -> dict[str, Any]:
    """Serve a gold dataset as a declared output, if it keeps the output's contract; return what a run reports."""
    from polyceph.bootstrap import lakes  # DuckDB and Arrow: 100 MB that only a run needs

    commit = commit_of(runtime, f"serve {gold} as {dataset}", run, [dataset])
    promised = runtime.domain.contracts[dataset]
    problems = lakes.contract_problems(runtime, gold, promised)
    if problems:
        raise Invalid(f"{gold} does not keep the contract of {dataset}; the old output stays", problems=problems)
    if to == "postgres":
        report = lakes.serve_table(runtime, gold, dataset.name, commit)
    else:
        report = lakes.serve_file(runtime, gold, f"{dataset.name}.{to}", commit)
    found = {"dagster/row_count": report.rows, "bytes": report.bytes, "snapshot": report.snapshot, "address": report.address}
    version = contract_version(runtime, dataset)
    return found | ({"contract version": version} if version else {})

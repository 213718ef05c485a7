"""dbt's models and tests as Dagster assets and checks of datasets, built by a dbt process that holds no secret in its files."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from packaging.version import Version

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, PolycephError, Problem
from polyceph.hidden import Hidden
from polyceph.orchestrate.datasets import commit_of, dataset_of, key_of, lake_metadata
from polyceph.orchestrate.dbt_project import PreparedProject, dbt_command, dbt_environment, run_target
from polyceph.orchestrate.dbt_sources import sources_of_others
from polyceph.orchestrate.refusals import explained

# dbt runs in a process of its own; what dagster-dbt imports of it would cost each code server and each run 70 MB.
with Hidden("dbt"):
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, dbt_assets


def models_as_assets(runtime: DomainRuntime, prepared: PreparedProject, name: str) -> dg.AssetsDefinition:
    """Return the models of a parsed project as one subsettable step, its tests as checks."""

    @dbt_assets(manifest=prepared.manifest, name=name, dagster_dbt_translator=DatasetTranslator(runtime))
    def build(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from _build(context, runtime, prepared)

    return build


class DatasetTranslator(DagsterDbtTranslator):
    """Names dbt's models and sources as datasets; refuses what is in no zone."""

    def __init__(self, runtime: DomainRuntime) -> None:
        super().__init__()
        self._domain = runtime.domain.name

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return `[domain, zone, name]`: the database, schema and table that dbt resolved."""
        return key_of(self.dataset(dbt_resource_props))

    def dataset(self, props: Mapping[str, Any]) -> DatasetId:
        """Return the dataset of a model or source; raise `Invalid` naming its file when its schema is no zone."""
        name = props.get("identifier") or props.get("alias") or props["name"]
        zone = props.get("schema")
        if zone not in set(Zone):
            problem = Problem(
                f"schema {zone!r} of dbt {props['resource_type']} {props['name']} is not a zone",
                file=props.get("original_file_path"),
                value=str(zone),
                allowed=tuple(Zone),
                hint="set +schema to a zone in dbt_project.yml, and let generate_schema_name return it unchanged",
            )
            raise Invalid("the dbt project builds outside the zones", problems=[problem])
        return DatasetId(props.get("database") or self._domain, Zone(zone), str(name))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the zone."""
        return str(dbt_resource_props.get("schema"))

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002
        """Return none: the location adds the domain's own."""
        return {}


def _build(context: dg.AssetExecutionContext, runtime: DomainRuntime, prepared: PreparedProject) -> Iterator[Any]:
    from polyceph.bootstrap import lakes, reading  # DuckDB and Arrow: 100 MB that only a run needs

    datasets = sorted(dataset_of(key) for key in context.selected_asset_keys)
    target = run_target(prepared, context.run_id, context.op_execution_context.get_step_execution_context().step.key)
    commit = commit_of(runtime, f"dbt build of {runtime.domain.name}", context.run_id, datasets)
    environment = dbt_environment(prepared, target, lakes.stamp_environment(commit))
    sources = sources_of_others(prepared.manifest, _selected_nodes(context, runtime, prepared.manifest), runtime.domain.name)
    try:
        reading.say_sources(runtime, sources, context.run_id)
        with runtime.lake.writing(datasets):
            yield from _events(context, runtime, prepared, environment)
        shutil.rmtree(target, ignore_errors=True)  # of a failed build the artefacts stay, for the person who mends it
    except PolycephError as error:
        raise explained(error) from error


def _events(
    context: dg.AssetExecutionContext, runtime: DomainRuntime, prepared: PreparedProject, environment: dict[str, str]
) -> Iterator[Any]:
    invocation = DbtCliInvocation.run(
        args=[*dbt_command(), "build", *_selection(context, runtime, prepared.manifest)],
        env=environment,
        manifest=prepared.manifest,
        dagster_dbt_translator=DatasetTranslator(runtime),
        project_dir=prepared.project,
        target_path=Path(environment["DBT_TARGET_PATH"]),
        raise_on_error=True,
        context=context,
        adapter=None,  # facts come from the lake; opening dbt's adapter here would cost its import in every run
        cli_version=Version(prepared.manifest["metadata"]["dbt_version"]),
    )
    for event in invocation.stream():
        if isinstance(event, dg.Output):
            key = context.assets_def.keys_by_output_name[event.output_name]
            metadata = {**event.metadata, **lake_metadata(runtime, dataset_of(key))}
            yield dg.Output(event.value, output_name=event.output_name, metadata=metadata, data_version=event.data_version)
        else:
            yield event


def _selection(context: dg.AssetExecutionContext, runtime: DomainRuntime, manifest: Mapping[str, Any]) -> list[str]:
    """Return dbt's arguments for the assets and checks of this step; none when it is the whole project."""
    if not context.is_subset:
        return []
    chosen = ["fqn:" + ".".join(manifest["nodes"][name]["fqn"]) for name in _selected_nodes(context, runtime, manifest)]
    return ["--select", *chosen, "--indirect-selection", "empty"]


def _selected_nodes(context: dg.AssetExecutionContext, runtime: DomainRuntime, manifest: Mapping[str, Any]) -> list[str]:
    """Return the ids of dbt's nodes behind the assets and checks of this step."""
    if not context.is_subset:
        return list(manifest["nodes"])
    translator = DatasetTranslator(runtime)
    keys, checks = context.selected_asset_keys, {c.name for c in context.selected_asset_check_keys}
    return [
        name
        for name, node in manifest["nodes"].items()
        if (node["resource_type"] in {"model", "seed", "snapshot"} and translator.get_asset_key(node) in keys)
        or (node["resource_type"] == "test" and node["name"] in checks)
    ]

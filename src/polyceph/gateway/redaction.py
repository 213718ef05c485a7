"""What is hidden inside answers: assets of other domains wherever an answer may name one, and what only some may read of a run.

The storages of a request hold what its principal may see; this is for what her own domain's code says of others.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from dagster_graphql.schema.errors import GraphenePythonError
from dagster_shared.error import SerializableErrorInfo
from graphql import GraphQLField, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, get_named_type

from polyceph.core.model.access import Action
from polyceph.core.model.dataset import Zone
from polyceph.errors import Misconfigured
from polyceph.gateway.run_sight import domains_of_backfill, domains_of_run
from polyceph.gateway.workspace import PersonalContext

HIDDEN = "hidden"
_ZONES = frozenset(Zone)
_CARRIERS = ("_asset_node_snap", "_asset_key", "assetKey", "asset_key", "_asset_check", "_asset_check_key", "key")
"""Where the values of Dagster's schema keep the key of the asset that they are about."""
_DRY_RUN = ("DryRunInstigationTick", "evaluationResult")
_KEY = "AssetKey"
DROPPED = frozenset({
    _KEY, "Asset", "AssetCheck", "AssetCheckhandle", "AssetConditionEvaluationRecord", "AssetDependency", "AssetLatestInfo",
    "AssetLineageInfo", "AssetNode", "AssetNodeDefinitionCollision", "AssetPartitionRange", "AssetPartitions",
    "AssetPartitionsStatusCounts", "AssetRecord", "AutoMaterializeAssetEvaluationRecord", "MaterializationUpstreamDataVersion",
    "RequestedMaterializationsForAsset", "StaleCause", "TableColumnDep", "UnpartitionedAssetStatus",
})  # fmt: skip
"""Types that are about one asset: left out of lists, and null where they may be, when the asset may not be found."""
REDACTED = frozenset({
    "AssetCheckEvaluation", "AssetCheckEvaluationPlannedEvent", "AssetGroup", "AssetMaterializationPlannedEvent", "AssetMetadataEntry",
    "AssetSelection", "ExecutionPlan", "FailedToMaterializeEvent", "HealthChangedEvent", "MaterializationEvent", "ObservationEvent",
    "ParentMaterializedRuleEvaluationData", "PartitionBackfill", "ReportAssetCheckEvaluationsSuccess", "ReportRunlessAssetEventsSuccess",
    "ResourceDetails", "Run", "RunRequest", "SensorMetadata", "WaitingOnKeysRuleEvaluationData", "InstigationTick",
})  # fmt: skip
"""Types that name assets and are not about one: the key inside them is hidden."""
Hide = Callable[[Any, PersonalContext, Any], Any]


def redact(schema: GraphQLSchema) -> None:
    """Hide what is to be hidden in every type of the schema, in place.

    Raises:
        Misconfigured: a type names assets and is not classified here.
    """
    _check(schema)
    for name, kind in schema.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field_name, field in kind.fields.items():
            if get_named_type(field.type).name in DROPPED:
                field.resolve = _after(field, _leave_out(field))
            special = _FIELDS.get((name, field_name))
            if special:
                field.resolve = _after(field, special)
            if (name, field_name) == _DRY_RUN:
                field.resolve = _before(field)
    missing = sorted(f"{kind}.{field}" for kind, field in (*_FIELDS, _DRY_RUN) if not _has(schema, kind, field))
    if missing:
        raise Misconfigured(f"Dagster has no field {', '.join(missing)}", hint="mend gateway/redaction.py")


def _has(schema: GraphQLSchema, kind: str, field: str) -> bool:
    found = schema.type_map.get(kind)
    return isinstance(found, GraphQLObjectType) and field in found.fields


def _check(schema: GraphQLSchema) -> None:
    kinds = [kind for kind in schema.type_map.values() if isinstance(kind, GraphQLObjectType)]
    name_one = {kind.name for kind in kinds if any(get_named_type(field.type).name == _KEY for field in kind.fields.values())}
    roots = {"Query", "Mutation", "Subscription"}
    unknown = sorted(name_one - DROPPED - REDACTED - roots)
    if unknown:
        raise Misconfigured(f"Dagster names assets in types that are not classified: {', '.join(unknown)}", hint="see gateway/redaction.py")


def _after(field: GraphQLField, hide: Hide) -> Callable[..., Any]:
    resolve = field.resolve

    def resolver(root: Any, info: Any, **given: Any) -> Any:
        found = resolve(root, info, **given) if resolve else getattr(root, info.field_name, None)
        if inspect.isawaitable(found):
            return _later(found, root, info.context)
        return hide(found, info.context, root)

    async def _later(found: Any, root: Any, context: PersonalContext) -> Any:
        return hide(await found, context, root)

    return resolver


def _before(field: GraphQLField) -> Callable[..., Any]:
    """Return the resolver of a dry run: it runs a domain's code, so who may not change its schedules gets nothing and nothing runs."""
    resolve = field.resolve

    def resolver(root: Any, info: Any, **given: Any) -> Any:
        if not resolve or not info.context.sight.may(Action.SCHEDULE_CHANGE, root._selector.location_name):  # noqa: SLF001
            return None
        return resolve(root, info, **given)

    return resolver


def _leave_out(field: GraphQLField) -> Hide:
    """Return what leaves assets out that may not be found: of a list, or instead of one where it may be null."""
    nullable = not isinstance(field.type, GraphQLNonNull)
    bare = field.type if nullable else field.type.of_type  # type: ignore[union-attr]
    if isinstance(bare, GraphQLList):
        return lambda found, context, _: None if found is None else [one for one in found if _finds(one, context)]
    return lambda found, context, _: None if nullable and found is not None and not _finds(found, context) else found


def _finds(one: Any, context: PersonalContext) -> bool:
    path = path_of(one)
    return path is None or context.sight.finds(path)


def path_of(one: Any) -> tuple[str, ...] | None:
    """Return the key of the asset that a value of Dagster's schema is about, None when it says none."""
    path = getattr(one, "path", None)
    if isinstance(path, list | tuple):
        return tuple(str(part) for part in path)
    for name in _CARRIERS:
        found = getattr(one, name, None)
        inner = path_of(found) if found is not None and not isinstance(found, str) else None
        if inner is not None:
            return inner
    return None


def _hide_path(found: Any, context: PersonalContext, _: Any) -> Any:
    return found if context.sight.finds(tuple(found)) else [HIDDEN]


def _hide_input(found: Any, context: PersonalContext, _: Any) -> Any:
    """Return the name of an op's input; Dagster names it after the asset that it takes."""
    return HIDDEN if _is_named_after_hidden(str(found), context) else found


def _is_named_after_hidden(name: str, context: PersonalContext) -> bool:
    parts = name.split("_")  # names of domains and datasets may hold one too
    for at in range(1, len(parts) - 1):
        domain, zone, dataset = "_".join(parts[:at]), parts[at], "_".join(parts[at + 1 :])
        if zone in _ZONES and domain in context.sight.locations and not context.sight.finds((domain, zone, dataset)):
            return True
    return False


def _hide_cursor(found: Any, context: PersonalContext, root: Any) -> Any:
    """Return where a page of assets ends: it is the key of its last asset, or of the last one that may be found."""
    if not found or context.sight.finds(tuple(json.loads(found))):
        return found
    last = next((path for one in reversed(root.nodes or ()) if (path := path_of(one)) and context.sight.finds(path)), None)
    return json.dumps(list(last)) if last else None


def _hide_manifest(found: Any, context: PersonalContext, _: Any) -> Any:
    """Return the manifest of a repository's assets, which is not typed, without the assets that may not be found."""
    return _clean(found, context)


def _clean(value: Any, context: PersonalContext) -> Any:
    if isinstance(value, Mapping):
        if value.get("__typename") == _KEY and not context.sight.finds(tuple(value["path"])):
            return {**value, "path": [HIDDEN]}
        return {key: _clean(one, context) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(one, context) for one in value if not _is_about_hidden(one, context)]
    return value


def _is_about_hidden(one: Any, context: PersonalContext) -> bool:
    if not isinstance(one, Mapping):
        return False
    key = one if one.get("__typename") == _KEY else one.get("assetKey")
    return isinstance(key, Mapping) and "path" in key and not context.sight.finds(tuple(key["path"]))


def _with_logs(instead: Any) -> Hide:
    """Return what hides a part of a run from those who may not read its logs: it may hold secrets and rows."""

    def hide(found: Any, context: PersonalContext, root: Any) -> Any:
        return found if context.sight.in_each(Action.RUN_LOGS, domains_of_run(root.dagster_run)) else instead

    return hide


def _error_of_backfill(found: Any, context: PersonalContext, root: Any) -> Any:
    return found if context.sight.in_each(Action.RUN_LOGS, domains_of_backfill(root._backfill_job)) else None  # noqa: SLF001


def _error_of_location(found: Any, context: PersonalContext, root: Any) -> Any:
    if not isinstance(found, GraphenePythonError) or context.sight.may(Action.RUN_LOGS, root.name):
        return found
    error = SerializableErrorInfo("this code location did not load; the engineers of its domain see why", [], None)
    return GraphenePythonError(error)  # type: ignore[no-untyped-call]


def _of_platform(instead: Any) -> Hide:
    return lambda found, context, _: found if context.sight.may(Action.PLATFORM_ADMINISTER, None) else instead


def _of_location(action: Action, instead: Any, *names: str) -> Hide:
    """Return what hides something of a code location from those who lack an action in it; `names` lead to the location's name."""

    def hide(found: Any, context: PersonalContext, root: Any) -> Any:
        name: Any = root
        for part in names:
            name = getattr(name, part)
        return found if context.sight.may(action, name) else instead

    return hide


_FIELDS: Mapping[tuple[str, str], Hide] = {
    ("AssetKey", "path"): _hide_path,
    ("AssetNodeConnection", "cursor"): _hide_cursor,
    ("ExecutionStepInput", "name"): _hide_input,
    ("InputDefinition", "name"): _hide_input,
    ("Repository", "assetManifest"): _hide_manifest,
    ("Run", "runConfigYaml"): _with_logs(""),
    ("Run", "runConfig"): _with_logs({}),
    ("PartitionBackfill", "error"): _error_of_backfill,
    ("WorkspaceLocationEntry", "locationOrLoadError"): _error_of_location,
    ("Instance", "executablePath"): _of_platform(""),
    ("RunQueueConfig", "tagConcurrencyLimitsYaml"): _of_platform(None),
    ("RepositoryLocation", "environmentPath"): _of_platform(None),
    ("ResourceDetails", "configuredValues"): _of_location(Action.RUN_LOGS, [], "_location_name"),
}
"""Fields whose answer is looked at."""

"""The matrix of the gateway: every field and every route, for every role, in her own domain, in another, with no role, when expired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster_webserver
from gateway_planted import launch_params
from gateway_stand import OTHER, OWN, Stand, name_of, person

from polyceph.core.model.access import Principal, Role, Standing
from polyceph.gateway.fields import MUTATIONS, QUERIES, SUBSCRIPTIONS, Answer, Rule
from polyceph.gateway.routes import ROUTES, STATIC

STATES = ("own", "other", "none", "expired")
_TYPED = "{__typename}"


def principal(role: Role, state: str) -> Principal:
    """Return who asks about her own domain, about one that is not hers, without any role, or after her standing ended."""
    held = {"own": {OWN: role}, "other": {OTHER: role}, "none": {}, "expired": {OWN: role}}[state]
    return person(f"{role} {state}", held, Standing.EXPIRED if state == "expired" else Standing.ACTIVE)


def arguments_of(stand: Stand, name: str, domain: str = OWN) -> Mapping[str, tuple[str, Any]]:
    """Return the arguments by which a field is asked about a domain: name, type, value."""
    runs, word = stand.runs[domain], name_of(domain)
    repository = {"repositoryLocationName": domain, "repositoryName": "__repository__"}
    key = {"path": [domain, "raw", "first"]}
    job = {**repository, "pipelineName": f"job_{word}"}
    launch = launch_params(domain)
    log_key = [runs["made"], "compute_logs", "x"]
    schedule = ("ScheduleSelector!", {**repository, "scheduleName": f"schedule_{word}"})
    sensor = ("SensorSelector!", {**repository, "sensorName": f"sensor_{word}"})
    report = {"eventType": "ASSET_MATERIALIZATION", "assetKey": key}
    checked = {"assetKey": key, "checkName": f"{word}_check", "passed": True}
    named: dict[str, dict[str, tuple[str, Any]]] = {
        "launchPipelineExecution": {"executionParams": ("ExecutionParams!", launch)},
        "launchRun": {"executionParams": ("ExecutionParams!", launch)},
        "launchMultipleRuns": {"executionParamsList": ("[ExecutionParams!]!", [launch])},
        "launchPipelineReexecution": {"reexecutionParams": ("ReexecutionParams", {"parentRunId": runs["made"], "strategy": "ALL_STEPS"})},
        "launchRunReexecution": {"reexecutionParams": ("ReexecutionParams", {"parentRunId": runs["made"], "strategy": "ALL_STEPS"})},
        "startSchedule": {"scheduleSelector": schedule},
        "stopRunningSchedule": {
            "scheduleOriginId": ("String", runs["schedule_origin"]), "scheduleSelectorId": ("String", runs["schedule"])},
        "resetSchedule": {"scheduleSelector": schedule},
        "startSensor": {"sensorSelector": sensor},
        "setSensorCursor": {"sensorSelector": sensor, "cursor": ("String", "x")},
        "stopSensor": {"jobOriginId": ("String", runs["sensor_origin"]), "jobSelectorId": ("String", runs["sensor"])},
        "resetSensor": {"sensorSelector": sensor},
        "sensorDryRun": {"selectorData": sensor},
        "scheduleDryRun": {"selectorData": schedule, "timestamp": ("Float", 1.7e9)},
        "terminatePipelineExecution": {"runId": ("String!", runs["again"])},
        "terminateRun": {"runId": ("String!", runs["again"])},
        "terminateRuns": {"runIds": ("[String!]!", [runs["again"]])},
        "deletePipelineRun": {"runId": ("String!", runs["again"])},
        "deleteRun": {"runId": ("String!", runs["again"])},
        "reloadRepositoryLocation": {"repositoryLocationName": ("String!", domain)},
        "reloadWorkspace": {},
        "shutdownRepositoryLocation": {"repositoryLocationName": ("String!", domain)},
        "wipeAssets": {"assetPartitionRanges": ("[PartitionsByAssetSelector!]!", [{"assetKey": {"path": [domain, "raw", "parted"]}}])},
        "reportRunlessAssetEvents": {"eventParams": ("ReportRunlessAssetEventsParams!", report)},
        "reportAssetCheckEvaluations": {"eventParams": ("ReportAssetCheckEvaluationsParams!", checked)},
        "launchPartitionBackfill": {"backfillParams": ("LaunchBackfillParams!", {
            "selector": {"partitionSetName": f"parts_{word}_partition_set", "repositorySelector": repository}, "partitionNames": ["a"]})},
        "resumePartitionBackfill": {"backfillId": ("String!", runs["backfill"])},
        "reexecutePartitionBackfill": {
            "reexecutionParams": ("ReexecutionParams", {"parentRunId": runs["backfill"], "strategy": "ALL_STEPS"})},
        "cancelPartitionBackfill": {"backfillId": ("String!", runs["backfill"])},
        "logTelemetry": dict.fromkeys(("action", "clientId", "clientTime", "metadata"), ("String!", "x")),
        "setNuxSeen": {},
        "addDynamicPartition": _partition(repository, f"{domain}{word}_parts", partitionKey=("String!", "new")),
        "deleteDynamicPartitions": _partition(repository, f"{domain}{word}_parts", partitionKeys=("[String!]!", ["new"])),
        "setAppManagedComponent": dict.fromkeys(("locationName", "componentId", "componentType", "attributes"), ("String!", domain)),
        "deleteAppManagedComponent": dict.fromkeys(("locationName", "componentId"), ("String!", domain)),
        "refreshComponentState": {"locationName": ("String!", domain), "defsStateKey": ("String!", "x")},
        "setAutoMaterializePaused": {"paused": ("Boolean!", True)},
        "setConcurrencyLimit": {"concurrencyKey": ("String!", "p"), "limit": ("Int!", 1)},
        "deleteConcurrencyLimit": {"concurrencyKey": ("String!", "p")},
        "freeConcurrencySlotsForRun": {"runId": ("String!", runs["again"])},
        "freeConcurrencySlots": {"runId": ("String!", runs["again"])},
    }  # fmt: skip
    reads: dict[str, dict[str, tuple[str, Any]]] = {
        "repositoriesOrError": {}, "repositoryOrError": {"repositorySelector": ("RepositorySelector!", repository)},
        "workspaceLocationEntryOrError": {"name": ("String!", domain)},
        "pipelineOrError": {"params": ("PipelineSelector!", job)}, "resourcesOrError": {"pipelineSelector": ("PipelineSelector!", job)},
        "pipelineSnapshotOrError": {"activePipelineSelector": ("PipelineSelector", job)},
        "graphOrError": {"selector": ("GraphSelector", {**repository, "graphName": f"job_{word}"})},
        "scheduleOrError": {"scheduleSelector": schedule}, "sensorOrError": {"sensorSelector": sensor},
        "schedulesOrError": {"repositorySelector": ("RepositorySelector!", repository)},
        "sensorsOrError": {"repositorySelector": ("RepositorySelector!", repository)},
        "topLevelResourceDetailsOrError": {"resourceSelector": ("ResourceSelector!", {**repository, "resourceName": f"place_{word}"})},
        "allTopLevelResourceDetailsOrError": {"repositorySelector": ("RepositorySelector!", repository)},
        "utilizedEnvVarsOrError": {"repositorySelector": ("RepositorySelector!", repository)},
        "instigationStateOrError": {"instigationSelector": ("InstigationSelector!", {**repository, "name": f"sensor_{word}"})},
        "instigationStatesOrError": {"repositoryID": ("String!", stand.repository_id(domain))},
        "partitionSetsOrError": {
            "repositorySelector": ("RepositorySelector!", repository), "pipelineName": ("String!", f"parts_{word}")},
        "partitionSetOrError": {
            "repositorySelector": ("RepositorySelector!", repository), "partitionSetName": ("String", f"parts_{word}_partition_set")},
        "pipelineRunOrError": {"runId": ("ID!", runs["made"])}, "runOrError": {"runId": ("ID!", runs["made"])},
        "runGroupOrError": {"runId": ("ID!", runs["made"])}, "logsForRun": {"runId": ("ID!", runs["made"])},
        "runsFeedOrError": {"limit": ("Int!", 5), "view": ("RunsFeedView!", "RUNS")},
        "runsFeedCountOrError": {"view": ("RunsFeedView!", "RUNS")},
        "runTagsOrError": {"tagKeys": ("[String!]", ["planted"])},
        "isPipelineConfigValid": {"pipeline": ("PipelineSelector!", job), "mode": ("String!", "default")},
        "executionPlanOrError": {"pipeline": ("PipelineSelector!", job), "mode": ("String!", "default")},
        "runConfigSchemaOrError": {"selector": ("PipelineSelector!", job)},
        "assetOrError": {"assetKey": ("AssetKeyInput!", key)}, "assetNodeOrError": {"assetKey": ("AssetKeyInput!", key)},
        "assetNodes": {"assetKeys": ("[AssetKeyInput!]", [key])}, "assetsOrError": {"assetKeys": ("[AssetKeyInput!]", [key])},
        "assetNodeAdditionalRequiredKeys": {"assetKeys": ("[AssetKeyInput!]!", [key])},
        "assetNodeDefinitionCollisions": {"assetKeys": ("[AssetKeyInput!]!", [key])},
        "assetsLatestInfo": {"assetKeys": ("[AssetKeyInput!]!", [key])},
        "partitionBackfillOrError": {"backfillId": ("String!", runs["backfill"])},
        "assetBackfillPreview": {"params": ("AssetBackfillPreviewParams!", {
            "partitionNames": [word], "assetSelection": [{"path": [domain, "raw", "parted"]}]})},
        "capturedLogsMetadata": {"logKey": ("[String!]!", log_key)}, "capturedLogs": {"logKey": ("[String!]!", log_key)},
        "autoMaterializeAssetEvaluationsOrError": {"assetKey": ("AssetKeyInput!", key), "limit": ("Int!", 5)},
        "truePartitionsForAutomationConditionEvaluationNode": {
            "assetKey": ("AssetKeyInput", key), "evaluationId": ("ID!", "1"), "nodeUniqueId": ("String", "x")},
        "autoMaterializeEvaluationsForEvaluationId": {"evaluationId": ("ID!", "1")},
        "assetConditionEvaluationForPartition": {
            "assetKey": ("AssetKeyInput", key), "evaluationId": ("ID!", "1"), "partition": ("String!", "x")},
        "assetConditionEvaluationRecordsOrError": {"assetKey": ("AssetKeyInput", key), "limit": ("Int!", 5)},
        "assetConditionEvaluationsForEvaluationId": {"evaluationId": ("ID!", "1")},
        "assetCheckExecutions": {
            "assetKey": ("AssetKeyInput!", key), "checkName": ("String!", f"{word}_check"), "limit": ("Int!", 5)},
        **{one: {"locationName": ("String!", domain)} for one in QUERIES if one.endswith("ForLocationOrError")},
        "pipelineRunLogs": {"runId": ("ID!", runs["made"])},
    }  # fmt: skip
    return {**reads, **named}.get(name, {})


def _partition(repository: Mapping[str, str], name: str, **more: tuple[str, Any]) -> dict[str, tuple[str, Any]]:
    return {"repositorySelector": ("RepositorySelector!", repository), "partitionsDefName": ("String!", name), **more}


def fields() -> Iterator[tuple[str, str, Rule]]:
    """Yield every field: kind, name, rule."""
    for kind, rules in (("mutation", MUTATIONS), ("query", QUERIES), ("subscription", SUBSCRIPTIONS)):
        for name, rule in rules.items():
            yield kind, name, rule


def request_of(stand: Stand, kind: str, name: str, *, leaf: bool, domain: str = OWN) -> dict[str, Any]:
    """Return the request that asks one field about a domain."""
    given = arguments_of(stand, name, domain)
    declared = ", ".join(f"${one}: {kind_of}" for one, (kind_of, _) in given.items())
    passed = ", ".join(f"{one}: ${one}" for one in given)
    text = f"{kind} Ask{f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''}{'' if leaf else _TYPED} }}"
    return {"query": text, "variables": {one: value for one, (_, value) in given.items()}}


def routes() -> Iterator[tuple[str, str]]:
    """Yield every route: method and path as it is classified."""
    for path in (*ROUTES, *sorted(STATIC)):
        yield ("POST" if path.startswith("/report") else "GET"), path


def _built() -> str:
    """Return one of the files of Dagster's page, whose names change with its release."""
    static = Path(dagster_webserver.__file__).parent / "webapp/build/_next/static"
    return str(next(one for one in sorted(static.rglob("*.js"))).relative_to(static))


def path_for(stand: Stand, route: str, domain: str = OWN) -> str:
    """Return a path that leads to a route."""
    run = stand.runs[domain]["made"]
    known = {
        "/logs/{path:path}": f"/logs/{stand.log_path(domain)}",
        "/download_debug/{run_id:str}": f"/download_debug/{run}",
        "/{path:path}": "/overview",
        "/_next": f"/_next/static/{_built()}",
        "/vendor": "/vendor/graphiql/graphiql.min.css",
        "/notebook": f"/notebook?path=x.ipynb&repoLocName={domain}",
        "/dagit/notebook": f"/dagit/notebook?path=x.ipynb&repoLocName={domain}",
        "/graphql": "/graphql?query={version}",
    }
    return "/dagster" + known.get(route, route.replace("{asset_key:path}", f"{domain}/raw/first"))


def is_less(rule: Rule) -> bool:
    return rule.answer is Answer.LESS

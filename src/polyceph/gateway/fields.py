"""The reviewed classification of every mutation, query and subscription of Dagster's interface: which action it is, and of what.

A field that is not here stops the start: what a new release of Dagster adds is refused until somebody has looked at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from graphql import GraphQLSchema

from polyceph.core.model.access import Action
from polyceph.errors import Misconfigured
from polyceph.gateway import subjects as of
from polyceph.gateway.subjects import Finder


class Answer(StrEnum):
    """What somebody gets who lacks the right."""

    REFUSED = "refused"
    LESS = "less"
    """What she may see of it, perhaps nothing: a list is shorter, a count smaller."""


@dataclass(frozen=True)
class Rule:
    """What a field needs. No `action` means closed to everybody; `note` says why."""

    action: Action | None
    find: Finder = of.platform
    answer: Answer = Answer.REFUSED
    subject: str = "the platform"
    note: str = ""


def _closed(note: str) -> Rule:
    return Rule(None, subject="nothing", note=note)


def _less(subject: str, note: str = "") -> Rule:
    return Rule(Action.PLATFORM_VIEW, answer=Answer.LESS, subject=subject, note=note)


_A = Action
_LAUNCH = Rule(_A.RUN_LAUNCH, of.launched("executionParams"), subject="location, assets and earlier runs of the launch")
_LAUNCH_AGAIN = Rule(_A.RUN_LAUNCH, of.launched_again, subject="location, assets and earlier run of the launch")
_STOP = Rule(_A.RUN_STOP, of.run("runId"), subject="domains of the run")
_DELETE = Rule(_A.RUN_DELETE, of.run("runId"), subject="domains of the run")
_PLATFORM = Rule(_A.PLATFORM_ADMINISTER)
_COMPONENTS = "components are files in git"
_SCHEDULE = "location of the schedule"
_SENSOR = "location of the sensor"

MUTATIONS: Mapping[str, Rule] = {
    "launchPipelineExecution": _LAUNCH,
    "launchRun": _LAUNCH,
    "launchMultipleRuns": Rule(_A.RUN_LAUNCH, of.launched_together, subject="location, assets and earlier runs of every launch"),
    "launchPipelineReexecution": _LAUNCH_AGAIN,
    "launchRunReexecution": _LAUNCH_AGAIN,
    "startSchedule": Rule(_A.SCHEDULE_CHANGE, of.location("scheduleSelector", "repositoryLocationName"), subject=_SCHEDULE),
    "stopRunningSchedule": Rule(
        _A.SCHEDULE_CHANGE, of.instigator("id", "scheduleOriginId", "scheduleSelectorId"), subject="location of each id"
    ),
    "resetSchedule": Rule(_A.SCHEDULE_CHANGE, of.location("scheduleSelector", "repositoryLocationName"), subject=_SCHEDULE),
    "startSensor": Rule(_A.SCHEDULE_CHANGE, of.location("sensorSelector", "repositoryLocationName"), subject=_SENSOR),
    "setSensorCursor": Rule(_A.SCHEDULE_CHANGE, of.location("sensorSelector", "repositoryLocationName"), subject=_SENSOR),
    "stopSensor": Rule(_A.SCHEDULE_CHANGE, of.instigator("id", "jobOriginId", "jobSelectorId"), subject="location of each id"),
    "resetSensor": Rule(_A.SCHEDULE_CHANGE, of.location("sensorSelector", "repositoryLocationName"), subject=_SENSOR),
    "sensorDryRun": Rule(_A.SCHEDULE_CHANGE, of.location("selectorData", "repositoryLocationName"), subject=_SENSOR),
    "scheduleDryRun": Rule(_A.SCHEDULE_CHANGE, of.location("selectorData", "repositoryLocationName"), subject=_SCHEDULE),
    "terminatePipelineExecution": _STOP,
    "terminateRun": _STOP,
    "terminateRuns": Rule(_A.RUN_STOP, of.runs("runIds"), subject="domains of every run"),
    "deletePipelineRun": _DELETE,
    "deleteRun": _DELETE,
    "reloadRepositoryLocation": Rule(_A.LOCATION_RELOAD, of.location("repositoryLocationName"), subject="the location"),
    "reloadWorkspace": Rule(_A.LOCATION_RELOAD, note="every location at once"),
    "shutdownRepositoryLocation": Rule(_A.PLATFORM_ADMINISTER, note="the supervisor of the platform starts code servers"),
    "wipeAssets": Rule(_A.DATASET_WIPE, of.wiped, subject="domains of every asset"),
    "reportRunlessAssetEvents": Rule(_A.DATASET_REPORT, of.asset("eventParams", "assetKey"), subject="domains of the asset"),
    "reportAssetCheckEvaluations": Rule(_A.DATASET_REPORT, of.asset("eventParams", "assetKey"), subject="domains of the asset"),
    "launchPartitionBackfill": Rule(_A.RUN_LAUNCH, of.backfilled, subject="location of the partition set, domains of every asset"),
    "resumePartitionBackfill": Rule(_A.RUN_LAUNCH, of.backfill("backfillId"), subject="domains of the backfill"),
    "reexecutePartitionBackfill": Rule(
        _A.RUN_LAUNCH, of.backfill("reexecutionParams", "parentRunId"), subject="domains of the earlier backfill"
    ),
    "cancelPartitionBackfill": Rule(_A.RUN_STOP, of.backfill("backfillId"), subject="domains of the backfill"),
    "logTelemetry": _closed("nothing is told to anybody outside"),
    "setNuxSeen": _closed("it is one mark for everybody"),
    "addDynamicPartition": Rule(_A.PARTITION_CHANGE, of.partitioned, subject="every location that uses the partitioning"),
    "deleteDynamicPartitions": Rule(_A.PARTITION_CHANGE, of.partitioned, subject="every location that uses the partitioning"),
    "setAppManagedComponent": _closed(_COMPONENTS),
    "deleteAppManagedComponent": _closed(_COMPONENTS),
    "refreshComponentState": Rule(_A.LOCATION_RELOAD, of.location("locationName"), subject="the location"),
    "setAutoMaterializePaused": _PLATFORM,
    "setConcurrencyLimit": _PLATFORM,
    "deleteConcurrencyLimit": _PLATFORM,
    "freeConcurrencySlotsForRun": _PLATFORM,
    "freeConcurrencySlots": _PLATFORM,
}


def _described(*path: str) -> Rule:
    return Rule(_A.DATASET_DESCRIBE, of.location(*path), subject="the location")


def _of_asset(*path: str) -> Rule:
    return Rule(_A.DATASET_DESCRIBE, of.asset(*path), subject="domains of the asset")


_SEEN_RUN = Rule(_A.RUN_VIEW, of.run("runId"), subject="domains of the run")
_SEEN_RUNS = _less("runs", "runs of other domains are left out in the storage's own query")
_JOB = "location of the job and domains of its assets"
_ASSETS = _less("assets", "assets that she may not find are left out")
_OPEN = Rule(_A.PLATFORM_VIEW)

QUERIES: Mapping[str, Rule] = {
    "version": _OPEN,
    "repositoriesOrError": _less("locations", "a named one of another domain is not found"),
    "repositoryOrError": _described("repositorySelector", "repositoryLocationName"),
    "workspaceOrError": _less("locations"),
    "locationStatusesOrError": _less("locations"),
    "workspaceLocationEntryOrError": _described("name"),
    "pipelineOrError": _described("params", "repositoryLocationName"),
    "resourcesOrError": _described("pipelineSelector", "repositoryLocationName"),
    "pipelineSnapshotOrError": _less("snapshots of jobs", "found when a job or run that she may see has it"),
    "graphOrError": _described("selector", "repositoryLocationName"),
    "scheduler": _OPEN,
    "scheduleOrError": _described("scheduleSelector", "repositoryLocationName"),
    "schedulesOrError": _described("repositorySelector", "repositoryLocationName"),
    "topLevelResourceDetailsOrError": _described("resourceSelector", "repositoryLocationName"),
    "allTopLevelResourceDetailsOrError": _described("repositorySelector", "repositoryLocationName"),
    "utilizedEnvVarsOrError": Rule(
        _A.RUN_LOGS,
        of.location("repositorySelector", "repositoryLocationName"),
        subject="the location",
        note="names of variables say where secrets are",
    ),
    "sensorOrError": _described("sensorSelector", "repositoryLocationName"),
    "sensorsOrError": _described("repositorySelector", "repositoryLocationName"),
    "instigationStateOrError": Rule(_A.DATASET_DESCRIBE, of.state_of_instigator, subject="location of the selector and of the id"),
    "instigationStatesOrError": _less("schedules and sensors"),
    "partitionSetsOrError": _described("repositorySelector", "repositoryLocationName"),
    "partitionSetOrError": _described("repositorySelector", "repositoryLocationName"),
    "pipelineRunsOrError": _SEEN_RUNS,
    "pipelineRunOrError": _SEEN_RUN,
    "runsOrError": _SEEN_RUNS,
    "runOrError": _SEEN_RUN,
    "runsFeedOrError": _SEEN_RUNS,
    "runsFeedCountOrError": _SEEN_RUNS,
    "runTagKeysOrError": _less("tags of runs"),
    "runTagsOrError": _less("tags of runs"),
    "runIdsOrError": _SEEN_RUNS,
    "runGroupOrError": _SEEN_RUN,
    "isPipelineConfigValid": Rule(_A.DATASET_DESCRIBE, of.selected("pipeline"), subject=_JOB),
    "executionPlanOrError": Rule(_A.DATASET_DESCRIBE, of.selected("pipeline"), subject=_JOB),
    "runConfigSchemaOrError": Rule(_A.DATASET_DESCRIBE, of.selected("selector"), subject=_JOB),
    "instance": _less("state of the platform", "its configuration, paths and pools to those who run it alone"),
    "assetsOrError": _ASSETS,
    "assetRecordsOrError": _ASSETS,
    "assetOrError": _of_asset("assetKey"),
    "assetNodes": _ASSETS,
    "assetNodeOrError": _of_asset("assetKey"),
    "assetNodeAdditionalRequiredKeys": _ASSETS,
    "assetNodeDefinitionCollisions": _ASSETS,
    "partitionBackfillOrError": Rule(_A.RUN_VIEW, of.backfill("backfillId"), subject="domains of the backfill"),
    "assetBackfillPreview": Rule(_A.DATASET_DESCRIBE, of.assets("params", "assetSelection"), subject="domains of every asset"),
    "partitionBackfillsOrError": _less("backfills"),
    "permissions": _OPEN,
    "canBulkTerminate": _OPEN,
    "assetsLatestInfo": _ASSETS,
    "logsForRun": Rule(_A.RUN_LOGS, of.run("runId"), subject="domains of the run"),
    "capturedLogsMetadata": Rule(_A.RUN_LOGS, of.log_key, subject="domains of the run or backfill of the key"),
    "capturedLogs": Rule(_A.RUN_LOGS, of.log_key, subject="domains of the run or backfill of the key"),
    "shouldShowNux": _OPEN,
    "test": _closed("it only fails"),
    "autoMaterializeAssetEvaluationsOrError": _of_asset("assetKey"),
    "truePartitionsForAutomationConditionEvaluationNode": _of_asset("assetKey"),
    "autoMaterializeEvaluationsForEvaluationId": _ASSETS,
    "assetConditionEvaluationForPartition": _of_asset("assetKey"),
    "assetConditionEvaluationRecordsOrError": Rule(
        _A.DATASET_DESCRIBE, of.evaluated, subject="domains of the asset", note="a job is named without its location: refused"
    ),
    "assetConditionEvaluationsForEvaluationId": _ASSETS,
    "autoMaterializeTicks": Rule(_A.PLATFORM_ADMINISTER, note="ticks of one daemon for all domains"),
    "assetCheckExecutions": _of_asset("assetKey"),
    "latestDefsStateInfo": Rule(_A.PLATFORM_ADMINISTER, note="names components of all domains"),
    "appManagedComponentsForLocationOrError": _described("locationName"),
    "componentsForLocationOrError": _described("locationName"),
    "componentTypesForLocationOrError": _described("locationName"),
}

SUBSCRIPTIONS: Mapping[str, Rule] = {
    "pipelineRunLogs": Rule(_A.RUN_LOGS, of.run("runId"), subject="domains of the run"),
    "capturedLogs": Rule(_A.RUN_LOGS, of.log_key, subject="domains of the run or backfill of the key"),
    "locationStateChangeEvents": _less("locations"),
}


def check_fields(schema: GraphQLSchema) -> None:
    """Refuse to start when the schema and the classification differ.

    Raises:
        Misconfigured: it names each field that is not classified, and each that is and does not exist.
    """
    roots = (("Mutation", schema.mutation_type, MUTATIONS), ("Query", schema.query_type, QUERIES),
             ("Subscription", schema.subscription_type, SUBSCRIPTIONS))  # fmt: skip
    unknown = [f"{name}.{field}" for name, root, rules in roots for field in sorted((root.fields if root else {}).keys() - rules.keys())]
    missing = [f"{name}.{field}" for name, root, rules in roots for field in sorted(rules.keys() - (root.fields if root else {}).keys())]
    if unknown or missing:
        said = [f"not classified: {', '.join(unknown)}" if unknown else "", f"does not exist: {', '.join(missing)}" if missing else ""]
        raise Misconfigured(
            f"the classification of Dagster's interface does not fit: {'; '.join(one for one in said if one)}",
            hint="look at each of them and mend gateway/fields.py",
        )

"""Dagster's storage of events as one principal sees it: the logs of her runs, the history of the assets she may know; read only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from dagster import AssetCheckKey, AssetKey
from dagster._core.event_api import AssetRecordsFilter, EventLogCursor, EventRecordsFilter, EventRecordsResult
from dagster._core.events import DagsterEventType
from dagster._core.instance.config import PoolConfig
from dagster._core.storage.event_log.base import EventLogConnection, EventLogStorage
from dagster._utils.concurrency import ConcurrencyKeyInfo
from dagster_shared.record import copy

from polyceph.core.model.access import Action
from polyceph.gateway.run_sight import RunSight, domains_of_run
from polyceph.gateway.sight import NO_DOMAIN, Sight

_ABOUT_ASSETS = frozenset({
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
    DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
})  # fmt: skip
"""Events that say what a run made: whoever may see a run and an asset may see them without the run's logs."""
_OF_RUN = EventRecordsResult(records=[], cursor="", has_more=False)
Kinds = DagsterEventType | set[DagsterEventType] | None


class EventSight:
    """The events that a principal may see. What it has no method for is refused."""

    def __init__(self, storage: EventLogStorage, sight: Sight, runs: RunSight) -> None:
        self._storage = storage
        self._sight = sight
        self._runs = runs

    # -- of a run -----------------------------------------------------------------------------------------------------------

    def get_records_for_run(
        self, run_id: str, cursor: str | None = None, of_type: Kinds = None, limit: int | None = None, ascending: bool = True
    ) -> EventLogConnection:
        """Return the log of a run (`run.logs`); what it made to those who may see the run and the assets."""
        if self._logs(run_id):
            return self._storage.get_records_for_run(run_id, cursor, of_type, limit, ascending)
        kinds = {of_type} if isinstance(of_type, DagsterEventType) else of_type
        if not kinds or not kinds <= _ABOUT_ASSETS or self._runs.visible(run_id) is None:
            return EventLogConnection(records=[], cursor=cursor or EventLogCursor.from_offset(0).to_string(), has_more=False)
        found = self._storage.get_records_for_run(run_id, cursor, of_type, limit, ascending)
        kept = [one for one in found.records if one.asset_key and self._describes(one.asset_key)]
        return EventLogConnection(records=kept, cursor=found.cursor, has_more=found.has_more)

    def get_logs_for_run(
        self, run_id: str, cursor: Any = None, of_type: Kinds = None, limit: int | None = None, ascending: bool = True
    ) -> Sequence[Any]:
        """Return the entries of the log of a run."""
        return [one.event_log_entry for one in self.get_records_for_run(run_id, cursor, of_type, limit, ascending).records]

    def get_stats_for_run(self, run_id: str) -> Any:
        """Return the counts and times of a run that may be seen."""
        self._must_see(run_id)
        return self._storage.get_stats_for_run(run_id)

    def get_step_stats_for_run(self, run_id: str, step_keys: Sequence[str] | None = None) -> Sequence[Any]:
        """Return the times of the steps of a run that may be seen."""
        return self._storage.get_step_stats_for_run(run_id, step_keys) if self._runs.visible(run_id) else []

    def get_asset_keys_for_run(self, run_id: str, of_type: Kinds = None) -> Set[AssetKey]:
        """Return the assets that a run is about, those that may be found."""
        if self._runs.visible(run_id) is None:
            return set()
        return {key for key in self._storage.get_asset_keys_for_run(run_id, of_type) if self._sight.finds(tuple(key.path))}

    def get_asset_partitions_for_run(self, run_id: str, of_type: Kinds = None) -> Mapping[AssetKey, Set[str | None]]:
        """Return the partitions of assets that a run is about."""
        if self._runs.visible(run_id) is None:
            return {}
        found = self._storage.get_asset_partitions_for_run(run_id, of_type)
        return {key: parts for key, parts in found.items() if self._describes(key)}

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Follow the log of a run (`run.logs`)."""
        self._must_see(run_id)
        if self._logs(run_id):
            self._storage.watch(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        """Follow the log of a run no more."""
        self._storage.end_watch(run_id, handler)

    # -- of assets ----------------------------------------------------------------------------------------------------------

    def get_event_records(
        self, event_records_filter: EventRecordsFilter, limit: int | None = None, ascending: bool = False
    ) -> Sequence[Any]:
        """Return the events of an asset that may be described."""
        key = event_records_filter.asset_key
        return self._storage.get_event_records(event_records_filter, limit, ascending) if key and self._describes(key) else []

    def get_asset_event_summary_records(self, event_type: Any, asset_key: AssetKey | None = None, **asked: Any) -> Sequence[Any]:
        """Return the events of an asset that may be described, without what they hold."""
        found = bool(asset_key and self._describes(asset_key))
        return self._storage.get_asset_event_summary_records(event_type, asset_key, **asked) if found else []

    def fetch_materializations(
        self, records_filter: AssetKey | AssetRecordsFilter, limit: int, cursor: str | None = None, ascending: bool = False
    ) -> EventRecordsResult:
        """Return when an asset was made."""
        return self._storage.fetch_materializations(records_filter, limit, cursor, ascending) if self._of(records_filter) else _OF_RUN

    def fetch_failed_materializations(
        self, records_filter: AssetKey | AssetRecordsFilter, limit: int, cursor: str | None = None, ascending: bool = False
    ) -> EventRecordsResult:
        """Return when an asset could not be made."""
        seen = self._of(records_filter)
        return self._storage.fetch_failed_materializations(records_filter, limit, cursor, ascending) if seen else _OF_RUN

    def fetch_observations(
        self, records_filter: AssetKey | AssetRecordsFilter, limit: int, cursor: str | None = None, ascending: bool = False
    ) -> EventRecordsResult:
        """Return when an asset was observed."""
        return self._storage.fetch_observations(records_filter, limit, cursor, ascending) if self._of(records_filter) else _OF_RUN

    def get_asset_records(self, asset_keys: Sequence[AssetKey] | None = None) -> Sequence[Any]:
        """Return what is known of assets; of all that may be described when none are named."""
        keys = self.all_asset_keys() if asset_keys is None else [key for key in asset_keys if self._describes(key)]
        return self._storage.get_asset_records(keys) if keys else []

    def get_latest_materialization_storage_ids(self, asset_keys: Sequence[AssetKey]) -> Mapping[AssetKey, int | None]:
        """Return the last events of assets."""
        return self._storage.get_latest_materialization_storage_ids(self._kept(asset_keys))

    def get_freshness_state_records(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Any]:
        """Return how fresh assets are."""
        return self._storage.get_freshness_state_records(self._kept(keys))

    def has_asset_key(self, asset_key: AssetKey) -> bool:
        """Tell whether an asset that may be described has events."""
        return self._describes(asset_key) and self._storage.has_asset_key(asset_key)

    def all_asset_keys(self) -> Sequence[AssetKey]:
        """Return the assets with events."""
        return self.get_asset_keys()

    def get_asset_keys(
        self, prefix: Sequence[str] | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Sequence[AssetKey]:
        """Return the assets with events in the order of their keys, domain by domain, so that a page is whole."""
        if self._sight.everywhere(Action.DATASET_DESCRIBE):
            return self._storage.get_asset_keys(prefix, limit, cursor)
        described = self._sight.domains(Action.DATASET_DESCRIBE)
        wanted = [list(prefix)] if prefix else [[name] for name in sorted(described, key=lambda name: AssetKey([name]).to_string())]
        found: list[AssetKey] = []
        for one in wanted:
            left = limit - len(found) if limit else None
            if left == 0:
                break
            found += self._kept(self._storage.get_asset_keys(one, left, cursor))
        return found

    def get_latest_materialization_events(self, asset_keys: Iterable[AssetKey]) -> Mapping[AssetKey, Any]:
        """Return the last events of assets."""
        return self._storage.get_latest_materialization_events(self._kept(asset_keys))

    def get_event_tags_for_asset(self, asset_key: AssetKey, *args: Any, **asked: Any) -> Sequence[Mapping[str, str]]:
        """Return the tags of the events of an asset."""
        return self._storage.get_event_tags_for_asset(asset_key, *args, **asked) if self._describes(asset_key) else []

    def get_materialized_partitions(self, asset_key: AssetKey, *args: Any, **asked: Any) -> set[str]:
        """Return the partitions of an asset that were made."""
        return self._storage.get_materialized_partitions(asset_key, *args, **asked) if self._describes(asset_key) else set()

    def get_latest_storage_id_by_partition(self, asset_key: AssetKey, *args: Any, **asked: Any) -> Mapping[str, int]:
        """Return the last events of the partitions of an asset."""
        return self._storage.get_latest_storage_id_by_partition(asset_key, *args, **asked) if self._describes(asset_key) else {}

    def get_latest_tags_by_partition(self, asset_key: AssetKey, *args: Any, **asked: Any) -> Mapping[str, Mapping[str, str]]:
        """Return the last tags of the partitions of an asset."""
        return self._storage.get_latest_tags_by_partition(asset_key, *args, **asked) if self._describes(asset_key) else {}

    def get_latest_asset_partition_materialization_attempts_without_materializations(
        self, asset_key: AssetKey, after_storage_id: int | None = None
    ) -> Mapping[str, tuple[str, int]]:
        """Return the partitions of an asset that somebody tried to make."""
        if not self._describes(asset_key):
            return {}
        return self._storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset_key, after_storage_id)

    def get_latest_planned_materialization_info(self, asset_key: AssetKey, partition: str | None = None) -> Any:
        """Return the last event that planned an asset."""
        return self._storage.get_latest_planned_materialization_info(asset_key, partition) if self._describes(asset_key) else None

    def get_updated_data_version_partitions(self, asset_key: AssetKey, partitions: Iterable[str], since_storage_id: int) -> set[str]:
        """Return the partitions of an asset that changed."""
        seen = self._describes(asset_key)
        return self._storage.get_updated_data_version_partitions(asset_key, partitions, since_storage_id) if seen else set()

    def get_asset_status_cache_values(self, partitions_defs_by_key: Iterable[Any], context: Any) -> Sequence[Any]:
        """Return what Dagster remembers of the partitions of assets."""
        asked = list(partitions_defs_by_key)
        shown = [pair for pair in asked if self._describes(pair[0])]
        known = dict(zip((p[0] for p in shown), self._storage.get_asset_status_cache_values(shown, context), strict=True)) if shown else {}
        return [known.get(key) for key, _ in asked]

    def update_asset_cached_status_data(self, asset_key: AssetKey, cache_values: Any) -> None:
        """Keep what Dagster computed about the partitions of an asset."""
        if self._describes(asset_key):
            self._storage.update_asset_cached_status_data(asset_key, cache_values)

    # -- of checks ----------------------------------------------------------------------------------------------------------

    def get_asset_check_summary_records(self, asset_check_keys: Sequence[AssetCheckKey]) -> Mapping[AssetCheckKey, Any]:
        """Return how checks ended."""
        return self._storage.get_asset_check_summary_records(self._checks(asset_check_keys))

    def get_asset_check_execution_history(self, check_key: AssetCheckKey, limit: int, **asked: Any) -> Sequence[Any]:
        """Return how a check ended, time after time."""
        seen = self._describes(check_key.asset_key)
        return self._storage.get_asset_check_execution_history(check_key, limit, **asked) if seen else []

    def get_latest_asset_check_execution_by_key(
        self, check_keys: Sequence[AssetCheckKey], partition_filter: Any = None
    ) -> Mapping[AssetCheckKey, Any]:
        """Return how checks ended last."""
        return self._storage.get_latest_asset_check_execution_by_key(self._checks(check_keys), partition_filter)

    def get_asset_check_partition_info(self, keys: Sequence[AssetCheckKey], *args: Any, **asked: Any) -> Sequence[Any]:
        """Return how checks ended by partition."""
        return self._storage.get_asset_check_partition_info(self._checks(keys), *args, **asked)

    def get_checkpointed_asset_check_state(self, keys: Sequence[AssetCheckKey]) -> Mapping[AssetCheckKey, Any]:
        """Return what Dagster remembers of checks."""
        return self._storage.get_checkpointed_asset_check_state(self._checks(keys))

    def get_asset_check_state(self, keys: Sequence[Any]) -> Mapping[AssetCheckKey, Any]:
        """Return what Dagster knows of checks."""
        return self._storage.get_asset_check_state([pair for pair in keys if self._describes(pair[0].asset_key)])

    # -- of the platform ----------------------------------------------------------------------------------------------------

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """Return the keys of a partitioning. It has no domain of its own: whoever sees an asset that names it sees its keys."""
        return self._storage.get_dynamic_partitions(partitions_def_name)

    def get_paginated_dynamic_partitions(self, partitions_def_name: str, limit: int, ascending: bool, cursor: str | None = None) -> Any:
        """Return the keys of a partitioning, page by page."""
        return self._storage.get_paginated_dynamic_partitions(partitions_def_name, limit, ascending, cursor)

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Tell whether a partitioning has a key."""
        return self._storage.has_dynamic_partition(partitions_def_name, partition_key)

    def get_existing_dynamic_partitions(self, partitions_def_name: str, partition_keys: Sequence[str]) -> Set[str]:
        """Return those of the keys that a partitioning has."""
        return self._storage.get_existing_dynamic_partitions(partitions_def_name, partition_keys)

    def get_concurrency_keys(self) -> set[str]:
        """Return the pools; they may be named after domains, so to those who run the platform alone."""
        return self._storage.get_concurrency_keys() if self._administers() else set()

    def get_concurrency_info(self, concurrency_key: str) -> ConcurrencyKeyInfo:
        """Return what holds the slots of a pool: of runs that may be seen, or all to those who run the platform."""
        found = self._storage.get_concurrency_info(concurrency_key)
        if self._administers():
            return found
        held = [slot for slot in found.claimed_slots if self._runs.visible(slot.run_id)]
        waits = [step for step in found.pending_steps if self._runs.visible(step.run_id)]
        return copy(found, slot_count=len(held), claimed_slots=held, pending_steps=waits)

    def get_concurrency_infos(self, concurrency_keys: Sequence[str]) -> Mapping[str, ConcurrencyKeyInfo]:
        """Return what holds the slots of pools."""
        return {key: self.get_concurrency_info(key) for key in dict.fromkeys(concurrency_keys)}

    def get_pool_limits(self) -> Sequence[Any]:
        """Return the limits of pools to those who run the platform."""
        return self._storage.get_pool_limits() if self._administers() else []

    def get_concurrency_run_ids(self) -> set[str]:
        """Return the runs that hold slots, those that may be seen."""
        return {run for run in self._storage.get_concurrency_run_ids() if self._runs.visible(run)}

    def get_pool_config(self) -> PoolConfig:
        """Return how pools are counted."""
        return self._storage.get_pool_config()

    def get_maximum_record_id(self) -> int | None:
        """Return the number of the last event, at which Dagster looks at partitions."""
        return self._storage.get_maximum_record_id()

    def default_run_scoped_event_tailer_offset(self) -> int:
        """Return where the log of a run is followed from."""
        return self._storage.default_run_scoped_event_tailer_offset()

    def can_read_asset_status_cache(self) -> bool:
        """Tell whether the storage remembers partitions."""
        return self._storage.can_read_asset_status_cache()

    def can_write_asset_status_cache(self) -> bool:
        """Tell whether the storage can remember partitions."""
        return self._storage.can_write_asset_status_cache()

    def has_table(self, table_name: str) -> bool:
        """Tell whether the storage has a table."""
        return bool(self._storage.has_table(table_name)) if hasattr(self._storage, "has_table") else False

    @property
    def supports_global_concurrency_limits(self) -> bool:
        """Whether there are pools."""
        return self._storage.supports_global_concurrency_limits

    @property
    def supports_asset_checks(self) -> bool:
        """Whether there are checks."""
        return bool(self._storage.supports_asset_checks)

    @property
    def can_store_asset_failure_events(self) -> bool:
        """Whether failures of assets are kept."""
        return self._storage.can_store_asset_failure_events

    @property
    def asset_records_have_last_observation(self) -> bool:
        """Whether the record of an asset knows its last observation."""
        return self._storage.asset_records_have_last_observation

    @property
    def asset_records_have_last_planned_and_failed_materializations(self) -> bool:
        """Whether the record of an asset knows its last plan."""
        return self._storage.asset_records_have_last_planned_and_failed_materializations

    @property
    def has_bounded_dynamic_partition_membership_query(self) -> bool:
        """Whether keys of a partitioning can be looked up."""
        return self._storage.has_bounded_dynamic_partition_membership_query

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Whether a plan names partitions."""
        return self._storage.supports_partition_subset_in_asset_materialization_planned_events

    # -----------------------------------------------------------------------------------------------------------------------

    def _describes(self, key: AssetKey) -> bool:
        return self._sight.describes(tuple(key.path))

    def _of(self, asked: AssetKey | AssetRecordsFilter) -> bool:
        return self._describes(asked if isinstance(asked, AssetKey) else asked.asset_key)

    def _kept(self, keys: Iterable[AssetKey]) -> list[AssetKey]:
        return [key for key in keys if self._describes(key)]

    def _checks(self, keys: Sequence[AssetCheckKey]) -> list[AssetCheckKey]:
        return [key for key in keys if self._describes(key.asset_key)]

    def _logs(self, run_id: str) -> bool:
        run = self._runs.visible(run_id)
        return run is not None and self._sight.in_each(Action.RUN_LOGS, domains_of_run(run))

    def _must_see(self, run_id: str) -> None:
        if self._runs.visible(run_id) is None:
            raise LookupError(NO_DOMAIN)

    def _administers(self) -> bool:
        return self._sight.may(Action.PLATFORM_ADMINISTER, None)

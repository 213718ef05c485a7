"""Dagster's storage of runs and backfills as one principal sees it: what is not hers is not there, and nothing can be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from dagster._core.execution.backfill import BulkActionsFilter, PartitionBackfill
from dagster._core.remote_representation.external import RemoteJob
from dagster._core.storage.dagster_run import DagsterRun, RunPartitionData, RunRecord, RunsFilter
from dagster._core.storage.runs import RunStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG
from dagster._core.workspace.workspace import CurrentWorkspace
from dagster._daemon.types import DaemonHeartbeat

from polyceph.core.model.access import Action
from polyceph.gateway.sight import NO_DOMAIN, Sight

T = TypeVar("T")
_REPOSITORY = "__repository__"
_PAUSED = "ASSET_DAEMON_PAUSED"
_MOST = 1000
"""How many entries a list without a limit returns to somebody who does not see everything."""


def domains_of_run(run: DagsterRun) -> frozenset[str]:
    """Return the domains a run belongs to: that of its code location and those of the assets and checks it makes."""
    origin = run.remote_job_origin
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    location = origin.location_name if origin else run.tags.get(REPOSITORY_LABEL_TAG, "").rpartition("@")[2]
    return frozenset({location or NO_DOMAIN, *(key.path[0] if key.path else NO_DOMAIN for key in keys)})


def domains_of_backfill(backfill: PartitionBackfill) -> frozenset[str]:
    """Return the domains a backfill belongs to: that of its partition set and those of its assets."""
    found = {key.path[0] if key.path else NO_DOMAIN for key in backfill.asset_selection or ()}
    if backfill.partition_set_origin:
        found.add(backfill.partition_set_origin.repository_origin.code_location_origin.location_name)
    if backfill.asset_backfill_data:
        found |= {key.path[0] if key.path else NO_DOMAIN for key in backfill.asset_backfill_data.target_subset.asset_keys}
    return frozenset(found or {NO_DOMAIN})


class RunSight:
    """The runs and backfills that a principal may see (`run.view`). What it has no method for is refused."""

    def __init__(self, storage: RunStorage, sight: Sight, workspace: CurrentWorkspace) -> None:
        self._storage = storage
        self._sight = sight
        self._workspace = workspace
        self._all = sight.everywhere(Action.RUN_VIEW)
        self._stored: dict[str, DagsterRun | None] = {}

    @property
    def supports_bucket_queries(self) -> bool:
        """Whether runs can be listed by bucket."""
        return self._storage.supports_bucket_queries

    def visible(self, run_id: str) -> DagsterRun | None:
        """Return the run with this id, None when there is none that may be seen."""
        found = self.stored(run_id)
        return found if found and self._sees(found) else None

    def stored(self, run_id: str) -> DagsterRun | None:
        """Return the run with this id, whoever asks: for deciding. It is looked up once in a request."""
        if run_id not in self._stored:
            found = self._storage.get_runs(RunsFilter(run_ids=[run_id]), limit=1) if run_id else []
            self._stored[run_id] = found[0] if found else None
        return self._stored[run_id]

    def get_runs(
        self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None,
        bucket_by: Any = None, ascending: bool = False,
    ) -> Sequence[DagsterRun]:  # fmt: skip
        """Return the runs that may be seen."""
        scoped = self._scoped(filters)
        if scoped is None:
            return []

        def page(after: str | None, most: int | None) -> Sequence[DagsterRun]:
            return self._storage.get_runs(scoped, after, most, bucket_by, ascending)

        return self._filled(page, self._sees, lambda run: run.run_id, cursor=cursor, limit=limit, once=bucket_by is not None)

    def get_run_records(
        self, filters: RunsFilter | None = None, limit: int | None = None, order_by: str | None = None,
        ascending: bool = False, cursor: str | None = None, bucket_by: Any = None,
    ) -> Sequence[RunRecord]:  # fmt: skip
        """Return the records of the runs that may be seen."""
        scoped = self._scoped(filters)
        if scoped is None:
            return []

        def page(after: str | None, most: int | None) -> Sequence[RunRecord]:
            return self._storage.get_run_records(scoped, most, order_by, ascending, after, bucket_by)

        once = bucket_by is not None or order_by is not None
        return self._filled(
            page, lambda one: self._sees(one.dagster_run), lambda one: one.dagster_run.run_id, cursor=cursor, limit=limit, once=once
        )

    def get_run_ids(self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None) -> Sequence[str]:
        """Return the ids of the runs that may be seen."""
        if self._all:
            return self._storage.get_run_ids(filters, cursor, limit)
        return [run.run_id for run in self.get_runs(filters, cursor, limit)]

    def get_runs_count(self, filters: RunsFilter | None = None) -> int:
        """Return how many runs of the locations that may be seen there are."""
        scoped = self._scoped(filters)
        return self._storage.get_runs_count(scoped) if scoped is not None else 0

    def get_run_group(self, run_id: str) -> tuple[str, Sequence[DagsterRun]] | None:
        """Return the group of a run, without the runs that may not be seen."""
        if self.visible(run_id) is None:
            return None
        group = self._storage.get_run_group(run_id)
        return (group[0], [run for run in group[1] if self._sees(run)]) if group else None

    def has_run(self, run_id: str) -> bool:
        """Tell whether there is such a run that may be seen."""
        return self.visible(run_id) is not None

    def get_run_tags(
        self, tag_keys: Sequence[str], value_prefix: str | None = None, limit: int | None = None
    ) -> Sequence[tuple[str, set[str]]]:
        """Return the values that tags have in runs that may be seen."""
        if self._all:
            return self._storage.get_run_tags(tag_keys, value_prefix, limit)
        if not tag_keys:
            return []
        query = self._tags(RunTagsTable.c.key, RunTagsTable.c.value).where(RunTagsTable.c.key.in_(tag_keys)).limit(limit or _MOST)
        if value_prefix:
            query = query.where(RunTagsTable.c.value.startswith(value_prefix, autoescape=True))
        found: dict[str, set[str]] = {}
        for key, value in self._rows(query):
            found.setdefault(key, set()).add(value)
        return sorted(found.items())

    def get_run_tag_keys(self) -> Sequence[str]:
        """Return the tags that runs which may be seen have."""
        if self._all:
            return self._storage.get_run_tag_keys()
        return sorted(row[0] for row in self._rows(self._tags(RunTagsTable.c.key)))

    def get_run_partition_data(self, runs_filter: RunsFilter) -> Sequence[RunPartitionData]:
        """Return partitions of the runs that may be seen."""
        scoped = self._scoped(runs_filter)
        return self._storage.get_run_partition_data(scoped) if scoped is not None else []

    def has_job_snapshot(self, job_snapshot_id: str) -> bool:
        """Tell whether a run or job that may be seen has this snapshot."""
        return self._has_snapshot(job_snapshot_id) and self._storage.has_job_snapshot(job_snapshot_id)

    def get_job_snapshot(self, job_snapshot_id: str) -> Any:
        """Return the snapshot of a job that may be seen."""
        return self._storage.get_job_snapshot(job_snapshot_id) if self._has_snapshot(job_snapshot_id) else None

    def has_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> bool:
        """Tell whether there is such a plan. Its id is known from a run alone."""
        return self._storage.has_execution_plan_snapshot(execution_plan_snapshot_id)

    def get_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> Any:
        """Return the plan of a run. Its id is known from a run alone and is in no answer."""
        return self._storage.get_execution_plan_snapshot(execution_plan_snapshot_id)

    def get_backfills(
        self, filters: BulkActionsFilter | None = None, cursor: str | None = None, limit: int | None = None, status: Any = None
    ) -> Sequence[PartitionBackfill]:
        """Return the backfills that may be seen."""

        def page(after: str | None, most: int | None) -> Sequence[PartitionBackfill]:
            return self._storage.get_backfills(filters, after, most, status)

        return self._filled(page, self._sees_backfill, lambda one: one.backfill_id, cursor=cursor, limit=limit)

    def get_backfills_count(self, filters: BulkActionsFilter | None = None) -> int:
        """Return how many backfills may be seen."""
        return self._storage.get_backfills_count(filters) if self._all else len(self.get_backfills(filters))

    def get_backfill(self, backfill_id: str) -> PartitionBackfill | None:
        """Return a backfill, None when there is none that may be seen."""
        found = self._storage.get_backfill(backfill_id)
        return found if found and self._sees_backfill(found) else None

    def get_daemon_heartbeats(self) -> Mapping[str, DaemonHeartbeat]:
        """Return when the daemons were heard of; their errors, which name domains, to those who run the platform alone."""
        beats = self._storage.get_daemon_heartbeats()
        if self._sight.may(Action.PLATFORM_ADMINISTER, None):
            return beats
        return {kind: beat._replace(errors=[]) for kind, beat in beats.items()}

    def get_run_storage_id(self) -> str:
        """Return what tells this storage from others."""
        return self._storage.get_run_storage_id() if isinstance(self._storage, SqlRunStorage) else ""

    def get_cursor_values(self, keys: set[str]) -> Mapping[str, str]:
        """Return whether automation is paused; what else daemons keep holds the states of all domains."""
        return self._storage.get_cursor_values(keys & {_PAUSED})

    def _sees(self, run: DagsterRun) -> bool:
        return self._sight.in_each(Action.RUN_VIEW, domains_of_run(run))

    def _sees_backfill(self, backfill: PartitionBackfill) -> bool:
        return self._sight.in_each(Action.RUN_VIEW, domains_of_backfill(backfill))

    def _labels(self) -> list[str]:
        """Return the labels of the repositories whose runs may be seen."""
        found = set()
        for name in self._sight.domains(Action.RUN_VIEW):
            entry = self._workspace.code_location_entries.get(name)
            location = entry.code_location if entry else None
            found |= {f"{one}@{name}" for one in (*(location.get_repositories() if location else ()), _REPOSITORY)}
        return sorted(found)

    def _scoped(self, filters: RunsFilter | None) -> RunsFilter | None:
        """Return the filter narrowed to the locations that may be seen, None when nothing is left."""
        asked = filters or RunsFilter()
        if self._all:
            return asked
        named = asked.tags.get(REPOSITORY_LABEL_TAG)
        wanted = {named} if isinstance(named, str) else set(named) if named is not None else None
        labels = [one for one in self._labels() if wanted is None or one in wanted]
        return replace_filter(asked, {**asked.tags, REPOSITORY_LABEL_TAG: labels}) if labels else None

    def _filled(
        self, page: Callable[[str | None, int | None], Sequence[T]], keeps: Callable[[T], bool], id_of: Callable[[T], str], *,
        cursor: str | None, limit: int | None, once: bool = False,
    ) -> list[T]:  # fmt: skip
        """Return a whole page although some of what is stored is left out."""
        if self._all:
            return list(page(cursor, limit))
        most = limit or _MOST
        found: list[T] = []
        while True:
            stored = page(cursor, most)
            found += [one for one in stored if keeps(one)]
            if once or len(stored) < most or (limit and len(found) >= limit):
                return found[:limit] if limit else found
            cursor = id_of(stored[-1])

    def _tags(self, *columns: Any) -> Any:
        """Return the query of what tags runs that may be seen have, without those that Dagster hides."""
        of_location = sa.select(RunTagsTable.c.run_id).where(
            RunTagsTable.c.key == REPOSITORY_LABEL_TAG, RunTagsTable.c.value.in_(self._labels())
        )
        return sa.select(*columns).distinct().where(RunTagsTable.c.run_id.in_(of_location))

    def _rows(self, query: Any) -> Sequence[Any]:
        if not isinstance(self._storage, SqlRunStorage):
            return []
        with self._storage.connect() as connection:
            return list(connection.execute(query))

    def _has_snapshot(self, snapshot_id: str) -> bool:
        if self._all or self.get_runs(RunsFilter(snapshot_id=snapshot_id), limit=1):
            return True
        return any(job.computed_job_snapshot_id == snapshot_id for job in self._jobs())

    def _jobs(self) -> list[RemoteJob]:
        described = self._sight.domains(Action.DATASET_DESCRIBE)
        entries = [e for name, e in self._workspace.code_location_entries.items() if name in described and e.code_location]
        return [job for e in entries for repo in e.code_location.get_repositories().values() for job in repo.get_all_jobs()]  # type: ignore[union-attr]


def replace_filter(filters: RunsFilter, tags: Mapping[str, str | Sequence[str]]) -> RunsFilter:
    """Return the filter with other tags."""
    return RunsFilter(
        run_ids=filters.run_ids, job_name=filters.job_name, statuses=filters.statuses, tags=tags, snapshot_id=filters.snapshot_id,
        updated_after=filters.updated_after, updated_before=filters.updated_before, created_after=filters.created_after,
        created_before=filters.created_before, exclude_subruns=filters.exclude_subruns,
    )  # fmt: skip

"""Dagster's storage of schedules, sensors and their ticks as one principal sees it; read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetCheckKey, AssetKey
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick
from dagster._core.storage.schedules import ScheduleStorage
from dagster._core.workspace.workspace import CurrentWorkspace

from polyceph.core.model.access import Action
from polyceph.gateway.sight import Sight


class Instigators:
    """Which code location each schedule and sensor of a workspace belongs to, by the ids that Dagster gives them."""

    def __init__(self, workspace: CurrentWorkspace) -> None:
        self.domains: dict[str, str] = {}
        for name, entry in workspace.code_location_entries.items():
            for repository in entry.code_location.get_repositories().values() if entry.code_location else ():
                found: list[RemoteSchedule | RemoteSensor] = [*repository.get_schedules(), *repository.get_sensors()]
                for one in found:
                    self.domains |= {one.selector_id: name, one.get_remote_origin_id(): name}

    def domain_of(self, storage: ScheduleStorage, origin_id: str | None, selector_id: str | None) -> set[str | None]:
        """Return the domains that the ids name, each id for itself: two ids of different domains give both. None is not known.

        Dagster looks a state up by its selector; the origin changes with the address of the code server, so one that is not
        known says nothing while the selector is.
        """
        found: set[str | None] = {self.domains[one] for one in (origin_id, selector_id) if one in self.domains}
        if selector_id not in self.domains:
            state = storage.get_instigator_state(origin_id or "", selector_id or "") if origin_id or selector_id else None
            found.add(domain_of_state(state) if state else None)
        return found


def domain_of_state(state: InstigatorState) -> str:
    """Return the code location of a schedule or sensor."""
    return state.origin.repository_origin.code_location_origin.location_name


class ScheduleSight:
    """The schedules, sensors and evaluations that a principal may see. What it has no method for is refused."""

    def __init__(self, storage: ScheduleStorage, sight: Sight, instigators: Instigators) -> None:
        self._storage = storage
        self._sight = sight
        self._instigators = instigators
        self.log_keys: set[tuple[str, ...]] = set()
        """Where the output of the ticks that were shown lies: such a key names no domain, so only a tick that was seen opens it."""

    @property
    def supports_batch_queries(self) -> bool:
        """Whether ticks of several can be asked for at once."""
        return self._storage.supports_batch_queries

    @property
    def supports_auto_materialize_asset_evaluations(self) -> bool:
        """Whether evaluations of conditions are kept."""
        return self._storage.supports_auto_materialize_asset_evaluations

    def all_instigator_state(self, *args: Any, **asked: Any) -> Sequence[InstigatorState]:
        """Return the states of schedules and sensors of the domains that may be seen."""
        return [one for one in self._storage.all_instigator_state(*args, **asked) if self._sees(domain_of_state(one))]

    def get_instigator_state(self, origin_id: str, selector_id: str) -> InstigatorState | None:
        """Return the state of a schedule or sensor."""
        found = self._storage.get_instigator_state(origin_id, selector_id)
        return found if found and self._sees(domain_of_state(found)) else None

    def get_batch_ticks(
        self, selector_ids: Sequence[str], limit: int | None = None, statuses: Any = None
    ) -> Mapping[str, Sequence[InstigatorTick]]:
        """Return the ticks of schedules and sensors."""
        seen = [one for one in selector_ids if self._sees_ids(None, one)]
        ticks = self._storage.get_batch_ticks(seen, limit, statuses) if seen else {}
        return {one: [self._shown(tick) for tick in found] for one, found in ticks.items()}

    def get_tick(self, tick_id: int) -> InstigatorTick | None:
        """Return a tick."""
        found = self._storage.get_tick(tick_id)
        return self._shown(found) if found and self._sees_tick(found) else None

    def get_ticks_by_ids(self, tick_ids: Sequence[int]) -> Sequence[InstigatorTick]:
        """Return ticks."""
        return [self._shown(tick) for tick in self._storage.get_ticks_by_ids(tick_ids) if self._sees_tick(tick)]

    def get_ticks(self, origin_id: str, selector_id: str, *args: Any, **asked: Any) -> Sequence[InstigatorTick]:
        """Return the ticks of a schedule or sensor."""
        if not self._sees_ids(origin_id, selector_id):
            return []
        return [self._shown(tick) for tick in self._storage.get_ticks(origin_id, selector_id, *args, **asked)]

    def get_tick_summaries(self, origin_id: str, selector_id: str, *args: Any, **asked: Any) -> Sequence[Any]:
        """Return the ticks of a schedule or sensor in brief."""
        seen = self._sees_ids(origin_id, selector_id)
        return self._storage.get_tick_summaries(origin_id, selector_id, *args, **asked) if seen else []

    def get_auto_materialize_asset_evaluations(self, key: Any, limit: int, cursor: int | None = None) -> Sequence[Any]:
        """Return why an asset was made, or not."""
        return self._storage.get_auto_materialize_asset_evaluations(key, limit, cursor) if self._sees_key(key) else []

    def get_auto_materialize_evaluations_for_evaluation_id(self, evaluation_id: int) -> Sequence[Any]:
        """Return why assets were made, those that may be described."""
        found = self._storage.get_auto_materialize_evaluations_for_evaluation_id(evaluation_id)
        return [one for one in found if self._sees_key(one.key)]

    def _sees(self, domain: str) -> bool:
        return self._sight.may(Action.DATASET_DESCRIBE, domain)

    def _sees_ids(self, origin_id: str | None, selector_id: str | None) -> bool:
        found = self._instigators.domain_of(self._storage, origin_id, selector_id)
        if None in found:
            return self._sight.may(Action.PLATFORM_ADMINISTER, None)
        return all(self._sees(domain) for domain in found if domain)

    def _sees_tick(self, tick: InstigatorTick) -> bool:
        return self._sees_ids(tick.tick_data.instigator_origin_id, tick.tick_data.selector_id)

    def _sees_key(self, key: Any) -> bool:
        if isinstance(key, AssetCheckKey):
            key = key.asset_key
        if isinstance(key, AssetKey):
            return self._sight.describes(tuple(key.path))
        return self._sight.may(Action.PLATFORM_ADMINISTER, None)  # a job is named without its code location

    def _shown(self, tick: InstigatorTick) -> InstigatorTick:
        """Return the tick, without its error when the logs of its domain are not to be seen."""
        data = tick.tick_data
        found = self._instigators.domain_of(self._storage, data.instigator_origin_id, data.selector_id)
        if all(self._sight.may(Action.RUN_LOGS, domain) for domain in found):
            self.log_keys |= {tuple(data.log_key)} if data.log_key else set()
            return tick
        return tick._replace(tick_data=data._replace(error=None)) if data.error else tick

"""Dagster's workspace and instance as the person sees them who asks: made for each request, of what her domains are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dagster import DagsterInstance
from dagster import __version__ as dagster_version
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import PermissionResult
from dagster._core.workspace.workspace import CurrentWorkspace
from starlette.requests import HTTPConnection

from polyceph.core.model.access import NOBODY, Action, Principal
from polyceph.gateway.event_sight import EventSight
from polyceph.gateway.log_sight import LogSight
from polyceph.gateway.permissions import permissions_of
from polyceph.gateway.run_sight import RunSight
from polyceph.gateway.schedule_sight import Instigators, ScheduleSight
from polyceph.gateway.sight import Doors, Sight

PRINCIPAL = "polyceph.principal"
REQUEST = "polyceph.request"
_CACHED = 256


class PersonalContext(WorkspaceRequestContext):
    """A request of one principal: her workspace, her storages, her permissions; `acting` is the same with the whole storages."""

    def __init__(self, process: GatewayContext, principal: Principal, source: object | None, *, request: str = "") -> None:
        whole = process.get_current_workspace()
        self.sight = Sight(process.doors, principal, whole.code_location_entries)
        self.whole = whole
        self.request = request
        self.principal = principal
        instance = personal_instance(process.instance, self.sight, whole, process.instigators(whole))
        super().__init__(
            instance=instance,
            current_workspace=process.visible(whole, self.sight.domains(Action.DATASET_DESCRIBE)),
            process_context=process,
            version=process.version,
            source=source,
            read_only=False,
        )
        self._process = process
        self._permissions: dict[str | None, Mapping[str, PermissionResult]] = {}

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What she may do in the whole deployment."""
        return self._permitted(None)

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """Return what she may do in one code location."""
        return self._permitted(location_name)

    def has_permission_for_location(self, permission: str, location_name: str) -> bool:
        """Tell whether she may do something in one code location, also when she does not see it."""
        self._checked_permissions.add(permission)
        found = self._permitted(location_name).get(permission)
        return found.enabled if found is not None else self.has_permission(permission)

    @property
    def show_instance_config(self) -> bool:
        """Whether she sees how the platform is configured."""
        return self.sight.may(Action.PLATFORM_ADMINISTER, None)

    def get_viewer_tags(self) -> dict[str, str]:
        """Return how runs say who asked for them."""
        return {"dagster/user": self.principal.actor.id}

    def get_reporting_user_tags(self) -> dict[str, str]:
        """Return how reported events say who reported them."""
        return {"dagster/reporting_user": self.principal.actor.id}

    def stored_run(self, run_id: str) -> DagsterRun | None:
        """Return a run, whoever asks: for deciding about it."""
        runs = self._instance.run_storage
        return runs.stored(run_id) if isinstance(runs, RunSight) else self._process.instance.get_run_by_id(run_id)

    @property
    def real_instance(self) -> DagsterInstance:
        """The instance as it is, for what was decided already."""
        return self._process.instance

    def acting(self) -> PersonalContext:
        """Return the context in which a change that was decided runs: the same person and workspace, the instance as it is."""
        twin = copy.copy(self)
        twin._instance = self._process.instance  # noqa: SLF001
        twin._loaders = {}  # noqa: SLF001
        twin.__dict__.pop("instance_queryer", None)
        twin.__dict__.pop("dynamic_partitions_loader", None)
        return twin

    def use(self, instance: DagsterInstance) -> None:
        """Act on this instance."""
        self._instance = instance

    @property
    def instigators(self) -> Instigators:
        """Which location each schedule and sensor of the whole workspace belongs to."""
        return self._process.instigators(self.whole)

    def reload_code_location(self, name: str) -> PersonalContext:
        """Load a code location anew."""
        self._process.reload_code_location(name)
        return self._again()

    def reload_workspace(self) -> PersonalContext:
        """Load all code locations anew."""
        self._process.reload_workspace()
        return self._again()

    def _again(self) -> PersonalContext:
        return PersonalContext(self._process, self.principal, self._source, request=self.request)

    def _permitted(self, location: str | None) -> Mapping[str, PermissionResult]:
        if location not in self._permissions:
            self._permissions[location] = permissions_of(self.sight, location)
        return self._permissions[location]


class GatewayContext(WorkspaceProcessContext):
    """Dagster's workspace in the process of the gateway: every request gets that of its principal."""

    def __init__(self, instance: DagsterInstance, target: Any, doors: Doors) -> None:
        self.doors = doors
        self._visible: dict[tuple[int, frozenset[str]], tuple[CurrentWorkspace, CurrentWorkspace]] = {}
        self._ids: tuple[CurrentWorkspace, Instigators] | None = None
        super().__init__(instance, target, version=dagster_version)

    def create_request_context(self, source: object | None = None) -> PersonalContext:
        """Return the context of a request; of nobody when it has no principal."""
        scope = source.scope if isinstance(source, HTTPConnection) else {}
        return PersonalContext(self, scope.get(PRINCIPAL, NOBODY), source, request=scope.get(REQUEST, ""))

    def visible(self, whole: CurrentWorkspace, domains: frozenset[str]) -> CurrentWorkspace:
        """Return the workspace of some domains, the same object each time so that its graph of assets is made once."""
        if domains >= whole.code_location_entries.keys():
            return whole
        key = (id(whole), domains)
        known = self._visible.get(key)
        if known is None or known[0] is not whole:
            entries = {name: entry for name, entry in whole.code_location_entries.items() if name in domains}
            known = (whole, CurrentWorkspace(code_location_entries=entries))
            kept = [pair for pair in self._visible.items() if pair[1][0] is whole][-_CACHED:]
            self._visible = {**dict(kept), key: known}
        return known[1]

    def instigators(self, whole: CurrentWorkspace) -> Instigators:
        """Return which location each schedule and sensor belongs to, made once for each workspace."""
        if self._ids is None or self._ids[0] is not whole:
            self._ids = (whole, Instigators(whole))
        return self._ids[1]


def personal_instance(instance: DagsterInstance, sight: Sight, workspace: CurrentWorkspace, instigators: Instigators) -> DagsterInstance:
    """Return the instance with storages that hold what one principal may see and cannot be written."""
    runs = RunSight(instance.run_storage, sight, workspace)
    schedules = ScheduleSight(instance.schedule_storage, sight, instigators) if instance.schedule_storage else None
    twin = copy.copy(instance)
    twin.__dict__.pop("run_domain", None)
    twin.__dict__ |= {
        "_run_storage": runs,
        "_event_storage": EventSight(instance.event_log_storage, sight, runs),
        "_schedule_storage": schedules,
        "_compute_log_manager": LogSight(instance.compute_log_manager, sight, runs, schedules.log_keys if schedules else frozenset()),
        "_defs_state_storage": instance.defs_state_storage if sight.may(Action.PLATFORM_ADMINISTER, None) else None,
    }
    return twin

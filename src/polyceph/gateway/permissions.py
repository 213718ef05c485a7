"""Which action of ours each of Dagster's permissions is, so that its pages grey out what is refused, with our reason."""

from __future__ import annotations

from collections.abc import Mapping

from dagster._core.workspace.permissions import LOCATION_SCOPED_PERMISSIONS, PermissionResult, Permissions

from polyceph.core.model.access import Action
from polyceph.errors import Misconfigured
from polyceph.gateway.sight import Sight

CLOSED = "closed: polyceph does this from declarations in git, not from a page"
ACTIONS: Mapping[Permissions, Action | None] = {
    Permissions.LAUNCH_PIPELINE_EXECUTION: Action.RUN_LAUNCH,
    Permissions.LAUNCH_PIPELINE_REEXECUTION: Action.RUN_LAUNCH,
    Permissions.START_SCHEDULE: Action.SCHEDULE_CHANGE,
    Permissions.STOP_RUNNING_SCHEDULE: Action.SCHEDULE_CHANGE,
    Permissions.SCHEDULE_DRY_RUN: Action.SCHEDULE_CHANGE,
    Permissions.EDIT_SENSOR: Action.SCHEDULE_CHANGE,
    Permissions.SENSOR_DRY_RUN: Action.SCHEDULE_CHANGE,
    Permissions.UPDATE_SENSOR_CURSOR: Action.SCHEDULE_CHANGE,
    Permissions.TERMINATE_PIPELINE_EXECUTION: Action.RUN_STOP,
    Permissions.DELETE_PIPELINE_RUN: Action.RUN_DELETE,
    Permissions.RELOAD_REPOSITORY_LOCATION: Action.LOCATION_RELOAD,
    Permissions.RELOAD_WORKSPACE: Action.LOCATION_RELOAD,
    Permissions.WIPE_ASSETS: Action.DATASET_WIPE,
    Permissions.REPORT_RUNLESS_ASSET_EVENTS: Action.DATASET_REPORT,
    Permissions.LAUNCH_PARTITION_BACKFILL: Action.RUN_LAUNCH,
    Permissions.CANCEL_PARTITION_BACKFILL: Action.RUN_STOP,
    Permissions.EDIT_DYNAMIC_PARTITIONS: Action.PARTITION_CHANGE,
    Permissions.TOGGLE_AUTO_MATERIALIZE: Action.PLATFORM_ADMINISTER,
    Permissions.EDIT_CONCURRENCY_LIMIT: Action.PLATFORM_ADMINISTER,
    Permissions.EDIT_APP_MANAGED_COMPONENTS: None,
    Permissions.REFRESH_COMPONENT_STATE: Action.LOCATION_RELOAD,
}
"""None is closed to everybody."""


def check_permissions() -> None:
    """Refuse to start when Dagster has a permission that is not classified.

    Raises:
        Misconfigured: it names the permissions.
    """
    unknown = sorted(str(one) for one in set(Permissions) - ACTIONS.keys())
    if unknown:
        raise Misconfigured(
            f"Dagster has permissions that are not classified: {', '.join(unknown)}", hint="add them to gateway/permissions.py"
        )


def permissions_of(sight: Sight, location: str | None) -> dict[str, PermissionResult]:
    """Return Dagster's permissions in a code location, in the whole deployment when it is None."""
    scoped = Permissions if location is None else LOCATION_SCOPED_PERMISSIONS
    return {str(one): _result(sight, ACTIONS.get(one), location) for one in scoped}


def _result(sight: Sight, action: Action | None, location: str | None) -> PermissionResult:
    if action is None:
        return PermissionResult(enabled=False, disabled_reason=CLOSED)
    verdict = sight.decision(action, location)
    return PermissionResult(enabled=verdict.allowed, disabled_reason=None if verdict.allowed else reason_of(verdict.reason, verdict.hint))


def reason_of(reason: str, hint: str | None) -> str:
    """Return why something is refused and what to do about it."""
    return f"{reason}: {hint}" if hint else reason

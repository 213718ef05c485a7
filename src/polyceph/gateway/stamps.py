"""Who and why on every run: what a request launches carries the person and the purpose, and nothing that only daemons may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.storage.runs import RunStorage

from polyceph.core.model.access import FEDERATION, Principal, Role
from polyceph.core.model.event import ActorKind

USER = "dagster/user"
SHOWN_USER = "user"
KIND = "polyceph/actor"
PURPOSE = "polyceph/purpose"
ASKED_PURPOSE = "purpose"
_OURS = "polyceph/"
_HIDDEN = ".dagster/"
_OF_DAEMONS = frozenset({
    USER, SHOWN_USER, "dagster/reporting_user", "dagster/schedule_name", "dagster/sensor_name", "dagster/tick", "dagster/run_key",
    "dagster/backfill", "dagster/parent_backfill_id", "dagster/root_backfill_id", "dagster/parent_run_id", "dagster/root_run_id",
    "dagster/auto_materialize", "dagster/from_automation_condition", "dagster/asset_evaluation_id", "dagster/auto_observe",
    "dagster/code_location", "dagster/auto_retry_run_id", "dagster/will_retry", "dagster/retry_number", "dagster/failure_reason",
    "dagster/external_job_source", "dagster/image", "dagster/concurrency_key", "dagster/defer_asset_events",
})  # fmt: skip
"""Tags that say who asked, from where a run comes or where it runs: only the gateway and Dagster itself may set them."""
_PLATFORM = "platform"
_LONGEST = 255


def is_platform(principal: Principal) -> bool:
    """Tell whether it is the platform itself that asks, on behalf of somebody whom it has recorded already.

    A name alone does not make it so: no service identity of a domain holds a role for the federation.
    """
    is_named_so = principal.actor.kind is ActorKind.SERVICE and principal.actor.id == _PLATFORM
    return is_named_so and Role.PLATFORM_ENGINEER in principal.roles.get(FEDERATION, ())


def purpose_of(arguments: Any) -> str | None:
    """Return the purpose that a launch names as its tag `purpose`, the first that is found."""
    found = [str(tag["value"]) for place, key in _tag_lists(arguments) for tag in place[key] if tag["key"] == ASKED_PURPOSE]
    return found[0][:_LONGEST] if found else None


def _tag_lists(arguments: Any) -> list[tuple[Any, str]]:
    """Return where the arguments of a launch hold tags."""
    single = [arguments.get(key) for key in ("executionParams", "reexecutionParams", "backfillParams")]
    launches = [one for one in (*single, *(arguments.get("executionParamsList") or ())) if one]
    places = [pair for one in launches for pair in ((one.get("executionMetadata"), "tags"), (one, "extraTags"), (one, "tags"))]
    return [(place, key) for place, key in places if place and place.get(key)]


def without_spoofed(arguments: Any, principal: Principal) -> None:
    """Take out of the arguments of a launch, in place, the tags that it must not set, and the switch that runs it in this process."""
    if arguments.get("backfillParams"):
        arguments["backfillParams"].pop("forceSynchronousSubmission", None)
    for place, key in () if is_platform(principal) else _tag_lists(arguments):
        place[key] = [tag for tag in place[key] if not is_spoofed(tag["key"])]


def is_spoofed(key: str) -> bool:
    """Tell whether a tag may not be set by who launches a run."""
    return key in _OF_DAEMONS or key.startswith((_OURS, _HIDDEN))


class StampedRuns:
    """Dagster's storage of runs for one change by one principal: whatever run or backfill it makes carries her name."""

    def __init__(self, storage: RunStorage, principal: Principal, purpose: str | None) -> None:
        self._storage = storage
        self._principal = principal
        self._purpose = purpose

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Keep a new run with the person and the purpose."""
        return self._storage.add_run(dagster_run.with_tags(self._stamped(dagster_run.tags)))

    def add_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """Keep a new backfill with the person and the purpose: its runs inherit them."""
        self._storage.add_backfill(partition_backfill._replace(tags=self._stamped(partition_backfill.tags)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def _stamped(self, tags: Mapping[str, str]) -> dict[str, str]:
        if is_platform(self._principal):
            return dict(tags)
        actor = self._principal.actor
        kept = {key: value for key, value in tags.items() if key not in {PURPOSE, SHOWN_USER, USER, KIND}}
        asked = self._purpose or kept.get(ASKED_PURPOSE)
        purpose = {PURPOSE: asked} if asked else {}
        return {**kept, USER: actor.id, SHOWN_USER: actor.id, KIND: str(actor.kind), **purpose}

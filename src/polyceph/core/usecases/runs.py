"""Running pipelines: who asked for what, which run it became, and how it ended; also for runs that were asked for elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.ports import Queries, RunLauncher, RunOutcome, RunRecord, RunRequest, SeenRun, UnitOfWork
from polyceph.errors import NotFound

REQUEST_TAG = "polyceph/request"
"""The tag by which a run says which request it answers."""
_DAGSTER = "dagster"
_RECORDER = Actor(ActorKind.SERVICE, "polyceph")
_LAUNCH_TIME = timedelta(minutes=10)
"""After this a request without a run is closed: who asked was stopped before anything was launched."""
_IN_FLIGHT = timedelta(seconds=30)
"""How much later than its time a change of a run may become visible."""
_MISSED = timedelta(days=1)
"""How far back a recorder that starts looks behind the last thing recorded."""


def request_run(uow: UnitOfWork, request: RunRequest, *, door: str = "cli", run: str | None = None) -> None:
    """Keep who asked for a run, with its event; `run` is its id when it is launched already. Nothing changes when it is known."""
    with uow:
        if uow.record_run_request(request, run=run):
            what = [str(d) for d in request.datasets] or [request.job or "everything"]
            uow.record(_event(request, "run.requested", actor=request.actor, door=door, run=run, after={"datasets": what}))
        uow.commit()


def refuse_run(uow: UnitOfWork, request: str, asked: Sequence[str], reason: str, *, actor: Actor, door: str = "cli") -> None:
    """Record that a run was asked for and refused before it became a request: what was asked for, and why not."""
    with uow:
        what = {"asked": list(asked)}
        uow.record(Event(actor, door, "run.refused", "run", request, allowed=False, policy="declarations", reason=reason, after=what))
        uow.commit()


def launch_run(uow: UnitOfWork, request: RunRequest, run: str, *, actor: Actor, door: str = "cli") -> None:
    """Keep which run answers a request, with its event. Nothing changes when it is known."""
    with uow:
        if uow.record_run_launch(request.request, run):
            uow.record(_event(request, "run.launched", actor=actor, door=door, run=run, after={"run": run}))
        uow.commit()


def finish_run(uow: UnitOfWork, request: RunRequest, outcome: RunOutcome, *, actor: Actor, door: str = "cli") -> None:
    """Keep how a requested run ended, with its event. Nothing changes when it is known."""
    after = {
        "status": outcome.status,
        "seconds": round(outcome.seconds, 3),
        "checks_passed": outcome.checks_passed,
        "checks_failed": outcome.checks_failed,
    }
    with uow:
        if uow.record_run_outcome(request.request, outcome):
            uow.record(_event(request, "run.finished", actor=actor, door=door, run=outcome.run or None, after=after))
        uow.commit()


def record_runs(uow: UnitOfWork, queries: Queries, launcher: RunLauncher, *, since: datetime | None, now: datetime) -> datetime | None:
    """Record the runs nobody asked polyceph for (scheduled, launched in Dagster) and how open ones ended.

    Several recorders may do so at once. Each run is a unit of work of its own: what was recorded stays when the next one fails.

    Args:
        uow: entered once per run.
        queries: what is recorded already.
        launcher: what knows the runs.
        since: what the last call returned, None at the first.
        now: aware UTC time.

    Returns:
        The time of the last change that was looked at.
    """
    if since is None:
        last = queries.last_run_moment()
        since = last - _MISSED if last else None
    seen = launcher.updated_runs(since - _IN_FLIGHT if since else None)
    for one in seen:
        _record_seen(uow, queries, one)
    for record in queries.open_runs():
        outcome = _outcome(record, launcher, now)
        if outcome is not None:
            finish_run(uow, record.request, outcome, actor=_RECORDER, door=_DAGSTER)
    return max((one.updated_at for one in seen), default=since)


def _record_seen(uow: UnitOfWork, queries: Queries, seen: SeenRun) -> None:
    if queries.run(seen.run) is not None:
        return
    asked = queries.requested_run(seen.tags.get(REQUEST_TAG, ""))
    # Dagster copies the tags of a run that it executes again: a request is answered by its first run alone.
    if asked is not None and asked.run is None and asked.outcome is None and asked.request.domain == seen.domain:
        launch_run(uow, asked.request, seen.run, actor=_RECORDER, door=_DAGSTER)
        return
    request = RunRequest(seen.run, seen.domain, _who(seen), seen.datasets, seen.job)
    request_run(uow, request, door=_DAGSTER, run=seen.run)


def _who(seen: SeenRun) -> Actor:
    if name := seen.tags.get("dagster/schedule_name"):
        return Actor(ActorKind.SCHEDULE, name)
    if name := seen.tags.get("dagster/user") or seen.tags.get("user"):
        is_service = seen.tags.get("polyceph/actor") == ActorKind.SERVICE
        return Actor(ActorKind.SERVICE if is_service else ActorKind.PERSON, name)
    return Actor(ActorKind.SERVICE, _DAGSTER)


def _outcome(record: RunRecord, launcher: RunLauncher, now: datetime) -> RunOutcome | None:
    domain = record.request.domain
    if record.run is None:
        is_given_up = now - record.requested_at > _LAUNCH_TIME
        return RunOutcome("", domain, "CANCELED", 0.0, error="it was asked for and never launched") if is_given_up else None
    try:
        return launcher.outcome(record.run)
    except NotFound:
        return RunOutcome(record.run, domain, "CANCELED", 0.0, error="Dagster does not know this run any more")


def _event(request: RunRequest, action: str, *, actor: Actor, door: str, run: str | None, after: dict[str, object]) -> Event:
    return Event(
        actor=actor,
        door=door,
        action=action,
        subject_kind="run",
        subject_id=request.request,
        domain=request.domain,
        after=after,
        correlation={"run": run} if run else {},
    )

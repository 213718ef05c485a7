"""Running pipelines: who asked for what, and how it ended."""

from __future__ import annotations

from polyceph.core.model.event import Actor, Event
from polyceph.core.ports import RunOutcome, RunRequest, UnitOfWork


def request_run(uow: UnitOfWork, request: RunRequest, *, door: str = "cli") -> None:
    """Keep who asked for a run, with its event."""
    with uow:
        uow.record_run_request(request)
        what = [str(d) for d in request.datasets] or ["everything"]
        uow.record(_event(request.actor, "run.requested", request.run, request.domain, door=door, after={"datasets": what}))
        uow.commit()


def finish_run(uow: UnitOfWork, outcome: RunOutcome, *, actor: Actor, door: str = "cli") -> None:
    """Keep how a requested run ended, with its event."""
    with uow:
        uow.record_run_outcome(outcome)
        after = {
            "status": outcome.status,
            "seconds": round(outcome.seconds, 3),
            "checks_passed": outcome.checks_passed,
            "checks_failed": outcome.checks_failed,
        }
        uow.record(_event(actor, "run.finished", outcome.run, outcome.domain, door=door, after=after))
        uow.commit()


def _event(actor: Actor, action: str, run: str, domain: str, *, door: str, after: dict[str, object]) -> Event:
    return Event(
        actor=actor, door=door, action=action, subject_kind="run", subject_id=run, domain=domain, after=after, correlation={"run": run}
    )

"""The platform's own life: started, upgraded, its settings changed, stopped. What the last start said is read from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyceph.core.model.event import Actor, Event, JournalEntry
from polyceph.core.ports import Queries, UnitOfWork

_STARTED, _STOPPED = "platform.started", "platform.stopped"


@dataclass(frozen=True)
class Installation:
    """What starts: release of polyceph, revision of the store, settings by variable (of a secret only whether it is set)."""

    federation: str
    release: str
    revision: str
    settings: Mapping[str, str]


def start(uow: UnitOfWork, queries: Queries, what: Installation, *, actor: Actor) -> None:
    """Record that the platform starts, how its last stop was, and what is not as it was at the last start."""
    last = queries.last_event(_STARTED, "platform", what.federation)
    before = dict((last.event.after or {}) if last else {})
    with uow:
        uow.record(
            _event(
                _STARTED,
                what,
                actor=actor,
                after={**_version(what), "last_stop": _last_stop(queries, last, what), "settings": dict(what.settings)},
            )
        )
        old = {key: before[key] for key in ("release", "revision") if key in before}
        if old and old != _version(what):
            uow.record(_event("platform.upgraded", what, actor=actor, before=old, after=_version(what)))
        changed = _changed(before.get("settings"), what.settings)
        if last is not None and changed:
            was = {name: one[0] for name, one in changed.items()}
            now = {name: one[1] for name, one in changed.items()}
            uow.record(_event("settings.changed", what, actor=actor, before=was, after=now))
        uow.commit()


def stop(uow: UnitOfWork, federation: str, *, actor: Actor) -> None:
    """Record that the platform is stopped."""
    with uow:
        uow.record(Event(actor, "cli", _STOPPED, "platform", federation))
        uow.commit()


def _last_stop(queries: Queries, started: JournalEntry | None, what: Installation) -> str:
    if started is None:
        return "none"
    stopped = queries.last_event(_STOPPED, "platform", what.federation)
    return "clean" if stopped is not None and stopped.number > started.number else "killed"


def _version(what: Installation) -> dict[str, object]:
    return {"release": what.release, "revision": what.revision}


def _changed(old: object, new: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    known = old if isinstance(old, Mapping) else {}
    names = sorted(known.keys() | new.keys())
    return {name: (known.get(name), new.get(name)) for name in names if known.get(name) != new.get(name)}


def _event(
    action: str, what: Installation, *, actor: Actor, after: Mapping[str, object], before: Mapping[str, object] | None = None
) -> Event:
    return Event(actor, "cli", action, "platform", what.federation, subject_version=what.release, before=before, after=after)

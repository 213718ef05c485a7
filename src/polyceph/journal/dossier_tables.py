"""A dossier for machines: one JSON document, and its tables as rows for CSV. Names are English, moments ISO 8601 in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from polyceph.core.model.dossier import CodeVersion, Dossier, Making, RunStory, Spell, happened_at
from polyceph.core.model.event import JournalEntry
from polyceph.journal.exports import COLUMNS, flat

FORMAT = "polyceph-dossier/v1"
Row = dict[str, Any]
_SPELL = ("since", "until", "began_event", "ended_event")
_EVENT = (*COLUMNS, "happened_at", "reviewed_by")


@dataclass(frozen=True)
class Table:
    """One table: its name, which is the file's, and its rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def tables(dossier: Dossier) -> tuple[Table, ...]:
    """Return the tables of a dossier: of what held from when to when, of runs and code, and of the events of each section."""
    readers = [{"as": one.ground.value, "who": one.spell.value, "door": one.door, **_spell(one.spell)} for one in dossier.readers]
    answering = [{"as": ground.value, "who": spell.value, **_spell(spell)} for ground, spell in dossier.answering]
    contracts = [{"version": one.spell.value, "status": one.status, "digest": one.digest, **_spell(one.spell)} for one in dossier.contracts]
    levels = [{"classification": one.value, **_spell(one)} for one in dossier.classifications]
    events = {
        "accesses": dossier.accesses,
        "untold": dossier.untold,
        "refusals": dossier.refusals,
        "decisions": dossier.decisions,
        "changes": dossier.changes,
        "snapshots": tuple(one.entry for one in dossier.snapshots),
        "reviews": dossier.reviews,
        "others": dossier.others,
        "events": dossier.entries(),
    }
    return (
        _table("readers", ("as", "who", "door", *_SPELL), readers),
        _table("answering", ("as", "who", *_SPELL), answering),
        _table("contracts", ("version", "status", "digest", *_SPELL), contracts),
        _table("classifications", ("classification", *_SPELL), levels),
        _table("runs", _RUN, map(_run, dossier.runs)),
        _table("incidents", _RUN, map(_run, dossier.failures)),
        _table("code", ("commit", "first", "last", "declared_events", "made_events"), map(_code, dossier.code)),
        *(_table(name, _EVENT, [_event(one, dossier) for one in entries]) for name, entries in events.items()),
    )


def document(dossier: Dossier, making: Making) -> Row:
    """Return a dossier as one JSON document; sections hold numbers of events, which stand in full under `events`."""
    by_name = {one.name: one for one in tables(dossier)}
    spells = ("readers", "answering", "contracts", "classifications", "runs", "code")
    return {
        "format": FORMAT,
        "dataset": str(dossier.dataset),
        "period": {"since": moment(dossier.period.since), "until": moment(dossier.period.until)},
        "federation": making.federation,
        "made": {"at": moment(making.at), "by": making.by.id, "on_behalf_of": making.by.on_behalf_of, "release": making.release},
        "journal": {"origin": making.origin, "key": making.key, "size": making.size, "head_signed_at": moment(making.head_at)},
        "verification": _verification(making),
        "standing": standing(dossier),
        "summary": summary(dossier),
        **{name: list(by_name[name].rows) for name in spells},
        "snapshots": [{"event": one.entry.number, "changed": one.is_named} for one in dossier.snapshots],
        "sections": {name: [one.number for one in entries] for name, entries in dossier.sections().items()},
        "events": [_given(row) for row in by_name["events"].rows],
    }


def standing(dossier: Dossier) -> dict[str, str | None]:
    """Return what held at the end of the period: who answers, contract, classification; None where nothing did or nothing is known."""
    found: dict[str, str | None] = dict.fromkeys(("owner", "steward", "interim_owner"))
    found |= {ground.value: spell.value for ground, spell in dossier.answering if spell.until is None}
    contract = next((one for one in dossier.contracts if one.spell.until is None), None)
    level = next((one.value for one in dossier.classifications if one.until is None), None)
    return {
        **found,
        "contract": contract.spell.value if contract else None,
        "contract_status": contract.status if contract else None,
        "contract_digest": contract.digest if contract else None,
        "classification": level,
    }


def summary(dossier: Dossier) -> dict[str, int]:
    """Return what was found in numbers."""
    counted = ("accesses", "untold", "refusals", "decisions", "changes", "runs", "snapshots", "reviews", "others")
    return {
        **{name: len(getattr(dossier, name)) for name in counted},
        "incidents": len(dossier.failures),
        "events_shown": len(dossier.entries()),
        "events_of_period": len(dossier.happened()),
        "unreviewed": len(dossier.unreviewed()),
    }


def moment(at: datetime | None) -> str | None:
    """Return a moment as machines read it."""
    return at.astimezone(UTC).isoformat() if at else None


def _verification(making: Making) -> Row:
    found = making.verification
    return {
        "whole": found.ok,
        "events": found.events,
        "heads": found.heads,
        "first_bad": found.first_bad,
        "reason": found.reason,
        "archived": found.archived,
        "unsealed": found.unsealed,
        "witnesses": list(found.witnesses),
    }


def _table(name: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Table:
    return Table(name, tuple(columns), tuple(map(dict, rows)))


def _spell(spell: Spell) -> Row:
    began, ended = (one.number if one else None for one in (spell.began, spell.ended))
    return {"since": moment(spell.since), "until": moment(spell.until), "began_event": began, "ended_event": ended}


_RUN = (
    "request",
    "run",
    "asked_by",
    "on_behalf_of",
    "door",
    "asked_at",
    "datasets",
    "ended_at",
    "status",
    "seconds",
    "checks_passed",
    "checks_failed",
    "events",
)


def _run(story: RunStory) -> Row:
    asked, finished = story.asked, story.finished
    after = (finished.event.after or {}) if finished else {}
    return {
        "request": story.request,
        "run": story.run,
        "asked_by": story.actor.id,
        "on_behalf_of": story.actor.on_behalf_of,
        "door": (asked or story.entries[0]).event.door,
        "asked_at": moment(asked.at) if asked else None,
        "datasets": (asked.event.after or {}).get("datasets") if asked else None,
        "ended_at": moment(finished.at) if finished else None,
        "status": story.status,
        **{name: after.get(name) for name in ("seconds", "checks_passed", "checks_failed")},
        "events": [one.number for one in story.entries],
    }


def _code(version: CodeVersion) -> Row:
    entries = version.entries
    return {
        "commit": version.commit,
        "first": moment(entries[0].at),
        "last": moment(entries[-1].at),
        "declared_events": [one.number for one in version.declared],
        "made_events": [one.number for one in version.made],
    }


def _event(entry: JournalEntry, dossier: Dossier) -> Row:
    return {**flat(entry), "happened_at": moment(happened_at(entry)), "reviewed_by": list(dossier.reviewed.get(entry.number, ()))}


def _given(row: Row) -> Row:
    return {key: value for key, value in row.items() if value is not None}

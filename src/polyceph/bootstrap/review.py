"""Looking at the journal, proving, verifying and exporting it: what commands call. Each leaves its own event: looking is recorded too."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyceph.bootstrap.platform import Platform, this_actor
from polyceph.core.model.event import EventFilter, JournalEntry
from polyceph.core.model.head import parse_head, parse_note
from polyceph.core.model.journal import Verification
from polyceph.core.model.tree import consistency_proof
from polyceph.core.usecases import journal as usecases
from polyceph.errors import Invalid, NotFound
from polyceph.journal import bundle, exports
from polyceph.store.unit_of_work import PostgresUnitOfWork

Heard = Callable[[int, int | None], None]
_PAGE = 5_000
_OUTCOMES = {"allowed": True, "refused": False}


@dataclass(frozen=True)
class Reviewed:
    """An event and who signed off a period with it."""

    entry: JournalEntry
    by: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {**{key: value for key, value in exports.flat(self.entry).items() if value is not None}, "reviewed_by": list(self.by)}

    def as_row(self) -> tuple[object, ...]:
        """Return it for a table of people."""
        event, actor = self.entry.event, self.entry.event.actor
        who = actor.id + (f" for {actor.on_behalf_of}" if actor.on_behalf_of else "")
        outcome = "allowed" if event.allowed else f"refused: {event.reason}"
        what = f"{event.subject_kind} {event.subject_id}"
        at = f"{self.entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        return (str(self.entry.number), at, who, event.door, event.action, what, outcome, ", ".join(self.by))


def moment(text: str) -> datetime:
    """Return the moment a text says, in UTC when it names no zone.

    Raises:
        Invalid: it says none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is no moment", hint="write 2026-11-24 or 2026-11-24T08:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def wanted(
    actor: str | None,
    dataset: str | None,
    domain: str | None,
    since: str | None,
    until: str | None,
    action: str | None,
    outcome: str | None,
) -> EventFilter:
    """Return the filter that a command's options say.

    Raises:
        Invalid: a moment or an outcome cannot be understood.
    """
    if outcome is not None and outcome not in _OUTCOMES:
        raise Invalid(f"outcome {outcome!r} is unknown", hint=f"it is {' or '.join(_OUTCOMES)}")
    return EventFilter(
        actor=actor,
        dataset=dataset,
        domain=domain,
        action=action,
        since=None if since is None else moment(since),
        until=None if until is None else moment(until),
        allowed=None if outcome is None else _OUTCOMES[outcome],
    )


def read_events(platform: Platform, which: EventFilter, *, last: int) -> list[Reviewed]:
    """Return the newest `last` events that are wanted, oldest first, with their reviews."""
    queries = platform.queries()
    found = queries.events(replace(which, limit=last, newest=True))
    reviews = usecases.reviews(queries)
    usecases.record_reading(_work(platform), platform.journal.origin, which, len(found), actor=this_actor())
    return [Reviewed(one, usecases.reviewers(one, reviews)) for one in found]


def export_events(platform: Platform, which: EventFilter, path: Path, *, heard: Heard) -> dict[str, Any]:
    """Write wanted events into a file, or the whole journal into a bundle; return number and digest.

    Raises:
        Invalid: the form is unknown, or a bundle is wanted of some events only.
    """
    journal = platform.journal
    if path.suffix == ".bundle":
        if which != EventFilter():
            raise Invalid("a bundle holds the whole journal", hint="leave the filters out, or prove single events: polyceph journal prove")
        journal.seal(at_once=True)
        made = bundle.write_log(journal.log, path, heard=heard)
        done: dict[str, Any] = {"events": made.events, "sha256": made.sha256, "format": "bundle", "size": made.size}
    else:
        count, digest = exports.export(_all(platform, which, heard), path)
        done = {"events": count, "sha256": digest, "format": path.suffix.removeprefix(".")}
    kept = {**done, "filter": usecases.filter_words(which)}
    usecases.record_export(_work(platform), journal.origin, kept, actor=this_actor())
    return {**done, "file": str(path)}


def prove_event(platform: Platform, number: int, path: Path, since: tuple[int, ...]) -> dict[str, Any]:
    """Write the proof that an event is in the journal; return its index and the size of the tree.

    Raises:
        NotFound: there is no such event.
    """
    journal = platform.journal
    journal.seal(at_once=True)
    index = journal.log.index_of(number)
    if index is None:
        raise NotFound(f"there is no event {number}", hint="take a number from polyceph journal show")
    made = bundle.write_proofs(journal.log, path, [index], since=since)
    done = {"events": 1, "event": number, "index": index, "size": made.size, "sha256": made.sha256, "format": "proofs"}
    usecases.record_export(_work(platform), journal.origin, done, actor=this_actor())
    return {**done, "file": str(path)}


def consistency_of(platform: Platform, first: int, second: int) -> dict[str, Any]:
    """Return the proof that the tree of one size begins with the tree of another, with both roots, base64.

    Raises:
        Invalid: the sizes are not in order, or the journal is shorter.
    """
    log = platform.journal.log
    if not 0 < first <= second <= log.size():
        raise Invalid(f"there is no way from {first} to {second} events", hint=f"give two sizes in order, up to {log.size()}")
    proof = consistency_proof(first, second, log.range_root)
    roots = {"from_root": _word(log.root_at(first)), "to_root": _word(log.root_at(second))}
    return {"origin": platform.journal.origin, "from": first, "to": second, **roots, "proof": [_word(one) for one in proof]}


def listed_heads(platform: Platform) -> list[dict[str, Any]]:
    """Return every head with its time, root and signers."""
    found = []
    for kept in platform.journal.log.heads():
        note = parse_note(kept.note)
        head = parse_head(note.text)
        signers = [one.name for one in note.signatures]
        found.append({"size": kept.size, "at": f"{head.at:%Y-%m-%d %H:%M:%S}", "root": _word(head.root), "signers": signers})
    return found


def verify_journal(platform: Platform, trust: Path | None, since_head: int | None, *, heard: Heard) -> Verification:
    """Verify the journal and keep that it was verified."""
    journal = platform.journal
    found = journal.verify(journal.trusted(trust), since=since_head, heard=heard)
    usecases.record_verification(_work(platform), journal.origin, found, actor=this_actor())
    return found


def review(platform: Platform, since: str, until: str, note: str) -> dict[str, Any]:
    """Sign off a period; return what the event keeps."""
    platform.journal.seal(at_once=True)
    done = usecases.review_period(_work(platform), platform.journal.log, moment(since), moment(until), actor=this_actor(), note=note)
    return dict(done.after or {})


def _all(platform: Platform, which: EventFilter, heard: Heard) -> Iterator[JournalEntry]:
    queries, after, done = platform.queries(), None, 0
    while page := queries.events(replace(which, after=after, limit=_PAGE)):
        yield from page
        after, done = page[-1].number, done + len(page)
        heard(done, None)


def _word(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _work(platform: Platform) -> PostgresUnitOfWork:
    return PostgresUnitOfWork(platform.engine)

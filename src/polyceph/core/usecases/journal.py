"""The journal's own life: opened, sealed under signed heads, its key changed, reviewed, verified, exported, archived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from polyceph.core.journal_ports import HeadSigner, SealedLog
from polyceph.core.model.dossier import Dossier
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter, JournalEntry
from polyceph.core.model.head import Note, TreeHead, parse_head, parse_note, rotation_text
from polyceph.core.model.journal import Archive, JournalKey, KeptHead, Verification
from polyceph.core.ports import Queries, UnitOfWork
from polyceph.errors import Invalid, Misconfigured

REVIEWED = "period.reviewed"
_PLATFORM = Actor(ActorKind.SERVICE, "polyceph")


def open_journal(uow: UnitOfWork, origin: str, key: str, *, actor: Actor) -> bool:
    """Give the journal its origin and first key, with its event; return False when it has them."""
    with uow:
        is_new = uow.open_journal(origin, key)
        if is_new:
            uow.record(_event("journal.opened", origin, actor=actor, after={"key": key}))
        uow.commit()
    return is_new


def sign_head(log: SealedLog, signer: HeadSigner, *, now: datetime, every: timedelta = timedelta()) -> KeptHead | None:
    """Sign a head over all leaves when there are new ones and the last head is old enough; return it, None when there is no need."""
    size, last = log.size(), log.last_head()
    if not size or (last is not None and (last.size >= size or parse_head(parse_note(last.note).text).at + every > now)):
        return None
    return sign_head_of(log, signer, size, now=now)


def sign_head_of(log: SealedLog, signer: HeadSigner, size: int, *, now: datetime) -> KeptHead:
    """Sign a head over the first `size` leaves and keep it.

    Raises:
        Misconfigured: the key at hand is not the journal's.
    """
    if signer.key != log.keys()[-1].key:
        raise Misconfigured(
            f"the key at hand is not the journal's: it is {signer.key}",
            hint="restore secrets/journal.key of this federation from its backup",
        )
    text = TreeHead(log.origin() or "", size, log.root_at(size), now).text()
    head = KeptHead(size, str(Note(text, (signer.sign(text),))))
    log.add_head(head)
    return head


def rotate_key(uow: UnitOfWork, log: SealedLog, old: HeadSigner, new: HeadSigner, *, actor: Actor) -> JournalKey:
    """Let the old key introduce the new one, with its event. Heads of more leaves than there are now will be the new key's.

    The caller signs a head with the old key first, so that everything up to here stands under it.
    """
    last, size = log.last_head(), log.size()
    if last is None or last.size != size:
        raise Invalid("not everything that is sealed stands under a head", hint="seal first: polyceph journal seal")
    text = rotation_text(log.origin() or "", size, old.key, new.key)
    key = JournalKey(len(log.keys()), new.key, str(Note(text, (old.sign(text),))))
    with uow:
        uow.rotate_journal_key(key)
        uow.record(
            _event("journal_key.rotated", log.origin() or "", actor=actor, before={"key": old.key}, after={"key": new.key, "size": size})
        )
        uow.commit()
    return key


def review_period(uow: UnitOfWork, log: SealedLog, since: datetime, until: datetime, *, actor: Actor, note: str = "") -> Event:
    """Sign off a period: what is sealed of it now is reviewed, what comes into it later is not.

    Raises:
        Invalid: the period ends before it begins, or nothing is sealed.
    """
    if until <= since:
        raise Invalid(f"the period ends at {until:%Y-%m-%d %H:%M} before it begins at {since:%Y-%m-%d %H:%M}")
    last = log.last_head()
    if last is None:
        raise Invalid("nothing is sealed yet", hint="seal first: polyceph journal seal")
    after = {"since": since.isoformat(), "until": until.isoformat(), "size": last.size, "root": log.root_at(last.size).hex(), "note": note}
    event = _event(REVIEWED, log.origin() or "", actor=actor, after=after)
    with uow:
        uow.record(event)
        uow.commit()
    return event


def reviewers(entry: JournalEntry, reviews: tuple[JournalEntry, ...]) -> tuple[str, ...]:
    """Return who signed off a period with this event in it, after it was sealed; nobody means it is unreviewed."""
    return tuple(sorted({one.event.actor.id for one in reviews if is_covered(entry, one)}))


def is_covered(entry: JournalEntry, review: JournalEntry) -> bool:
    """Tell whether an event was among what a review signed off: in its period, and sealed by then."""
    after = review.event.after or {}
    since, until = (datetime.fromisoformat(str(after[name])) for name in ("since", "until"))
    return entry.index is not None and entry.index < int(str(after["size"])) and since <= entry.at < until


def record_verification(uow: UnitOfWork, origin: str, found: Verification, *, actor: Actor) -> None:
    """Keep that somebody verified the journal, and what was found."""
    after = {"ok": found.ok, "events": found.events, "heads": found.heads, "first_bad": found.first_bad}
    _record(uow, _event("journal.verified", origin, actor=actor, reason=found.reason, after=_given(after)))


def record_reading(uow: UnitOfWork, origin: str, wanted: EventFilter, count: int, *, actor: Actor) -> None:
    """Keep that somebody looked at events: which were wanted, and how many there were."""
    _record(uow, _event("journal.read", origin, actor=actor, after={"filter": filter_words(wanted), "events": count}))


def record_export(uow: UnitOfWork, origin: str, what: Mapping[str, object], *, actor: Actor) -> None:
    """Keep that somebody took events out of the platform: which, how many, in which form, with the file's digest."""
    _record(uow, _event("journal.exported", origin, actor=actor, after=what))


def record_dossier(uow: UnitOfWork, dossier: Dossier, what: Mapping[str, object], *, actor: Actor) -> None:
    """Keep that somebody took a dossier out of the platform: of which dataset and period, and `what` was in it."""
    dataset, period = dossier.dataset, dossier.period
    after = {"since": period.since.isoformat(), "until": period.until.isoformat(), **what}
    _record(uow, Event(actor, "cli", "dossier.exported", "dataset", str(dataset), domain=dataset.domain, after=after))


def archive(uow: UnitOfWork, origin: str, archived: Archive, *, actor: Actor) -> None:
    """Keep that an archive holds the first events; from then on their bytes may leave the store."""
    after = {"size": archived.size, "root": archived.root.hex(), "place": archived.place, "sha256": archived.sha256}
    with uow:
        uow.archive_journal(archived)
        uow.record(_event("journal.archived", origin, actor=actor, after=after))
        uow.commit()


def record_refusal(uow: UnitOfWork, origin: str, place: str, reason: str) -> None:
    """Keep that a place outside the database does not take the journal's head, and why."""
    event = Event(
        _PLATFORM, "platform", "head.refused", "journal", origin, allowed=False, policy="journal", reason=reason, after={"place": place}
    )
    _record(uow, event)


def filter_words(wanted: EventFilter) -> dict[str, object]:
    """Return what a filter asks for, as an event keeps it."""
    asked = {key: value for key, value in vars(wanted).items() if key not in ("limit", "newest", "after")}
    return _given({key: value.isoformat() if isinstance(value, datetime) else value for key, value in asked.items()})


def reviews(queries: Queries) -> tuple[JournalEntry, ...]:
    """Return every review there is."""
    return queries.events(EventFilter(action=REVIEWED, limit=1_000_000))


def _record(uow: UnitOfWork, event: Event) -> None:
    with uow:
        uow.record(event)
        uow.commit()


def _event(
    action: str,
    origin: str,
    *,
    actor: Actor,
    reason: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Event:
    return Event(actor, "cli", action, "journal", origin, reason=reason, before=before, after=after)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}

"""Fetching what a dossier is made of. What of it belongs into the dossier is decided in `dossier`, which knows no store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.dossier import Period
from polyceph.core.model.event import EventFilter, JournalEntry
from polyceph.core.ports import AppliedDeclaration, Queries
from polyceph.core.usecases import spells
from polyceph.core.usecases.dossier import DECLARATIONS_REFUSED, RUN_REQUESTED, SNAPSHOT, DossierFacts
from polyceph.core.usecases.evidence import UNKNOWN
from polyceph.core.usecases.journal import reviews
from polyceph.errors import Invalid, NotFound

LATE = timedelta(days=31)
"""What happened in a period is found when it was recorded so much later at most; after that it stands only where it was recorded."""
_PAGE = 5_000
_RUN_ACTIONS = (RUN_REQUESTED, "run.refused", "run.launched", "run.finished")
_NEAREST = 5


def period_of(since: datetime, until: datetime) -> Period:
    """Return a period.

    Raises:
        Invalid: it ends before it begins.
    """
    if until <= since:
        raise Invalid(
            f"the period ends at {until:%Y-%m-%d %H:%M} before it begins at {since:%Y-%m-%d %H:%M}",
            hint="--to names the first moment after it: for one day give the day and the next one",
        )
    return Period(since, until)


def known_dataset(queries: Queries, name: str) -> DatasetId:
    """Return the identifier of a dataset that is declared, or was, or that the journal tells of.

    Raises:
        NotFound: there never was one.
    """
    domain, _, rest = name.partition(".")
    zone, _, own = rest.partition(".")
    known = {str(one.id) for one in queries.datasets()}
    is_told = name in known or queries.events(EventFilter(subject_kind="dataset", subject_id=name, limit=1))
    if not is_told:
        known |= {dataset for one in queries.declarations() for dataset in _datasets(one.content)}
    if (is_told or name in known) and zone in set(Zone):
        return DatasetId(domain, Zone(zone), own)
    hint = f"did you mean {', '.join(near)}?" if (near := _nearest(name, known)) else "a dataset is named domain.zone.name"
    raise NotFound(f"there is no dataset {name!r}", hint=hint)


def gather(queries: Queries, dataset: DatasetId, period: Period, *, size: int, numbers: frozenset[int]) -> DossierFacts:
    """Return what a dossier is made of, as far as it is among the first `size` leaves of the journal.

    Args:
        queries: the store.
        dataset: which.
        period: when.
        size: what is sealed later is left out, so that everything in the dossier can be proven.
        numbers: see `DossierFacts`.
    """
    found = {one.number: one for one in (*_before(queries, dataset, period), *_within(queries, dataset, period))}
    found |= {one.number: one for one in _requests(queries, tuple(found.values()))}
    earliest = min((one.at for one in found.values() if one.event.action == RUN_REQUESTED), default=period.since)
    snapshots = EventFilter(domain=dataset.domain, action=SNAPSHOT, since=min(earliest, period.since), until=period.until + LATE)
    found |= {one.number: one for one in _all(queries, snapshots)}
    return DossierFacts(
        events=[one for one in found.values() if _is_sealed(one, size)],
        declarations=[narrowed(one, dataset) for one in queries.declarations(period.until)],
        reviews=[one for one in reviews(queries) if _is_sealed(one, size)],
        numbers=numbers,
    )


def narrowed(applied: AppliedDeclaration, dataset: DatasetId) -> AppliedDeclaration:
    """Return a declaration with nothing in it but what concerns a dataset: itself, its outputs, its domain's people, who reads it."""
    name, found = str(dataset), {}
    for domain, facts in _domains(applied.content).items():
        own = {key: one for key, one in facts.get("datasets", {}).items() if key == name or (one.get("serves") or {}).get("of") == name}
        consumes = [name] if name in facts.get("consumes", ()) else []
        people = {"interim_owner": facts.get("interim_owner")} if domain == dataset.domain else {}
        if own or consumes or people:
            found[domain] = {**people, "consumes": consumes, "datasets": own}
    return replace(applied, content={"federation": applied.content.get("federation"), "domains": found})


def _before(queries: Queries, dataset: DatasetId, period: Period) -> Iterator[JournalEntry]:
    """Yield the events of before the period that tell what held when it began."""
    of = {"dataset": (str(dataset), spells.OF_DATASET), "domain": (dataset.domain, spells.OF_DOMAIN)}
    for kind, (subject, actions) in of.items():
        for action in actions:
            yield from _all(queries, EventFilter(action=action, subject_kind=kind, subject_id=subject, until=period.since))


def _within(queries: Queries, dataset: DatasetId, period: Period) -> Iterator[JournalEntry]:
    for name in (str(dataset), UNKNOWN):
        yield from _all(queries, EventFilter(dataset=name, since=period.since, until=period.until + LATE))
    for action in (*spells.OF_DOMAIN, *DECLARATIONS_REFUSED, *_RUN_ACTIONS):
        domain = None if action == "federation.refused" else dataset.domain
        yield from _all(queries, EventFilter(domain=domain, action=action, since=period.since, until=period.until))


def _requests(queries: Queries, entries: tuple[JournalEntry, ...]) -> Iterator[JournalEntry]:
    """Yield the requests of runs that were asked for before the period."""
    runs = {one.event.subject_id for one in entries if one.event.subject_kind == "run"}
    for request in sorted(runs - {one.event.subject_id for one in entries if one.event.action == RUN_REQUESTED}):
        yield from _all(queries, EventFilter(action=RUN_REQUESTED, subject_kind="run", subject_id=request))


def _all(queries: Queries, wanted: EventFilter) -> Iterator[JournalEntry]:
    page = queries.events(replace(wanted, limit=_PAGE))
    yield from page
    while len(page) == _PAGE:
        page = queries.events(replace(wanted, limit=_PAGE, after=page[-1].number))
        yield from page


def _is_sealed(entry: JournalEntry, size: int) -> bool:
    return entry.index is not None and entry.index < size


def _domains(content: Any) -> dict[str, Any]:
    found = content.get("domains")
    return found if isinstance(found, dict) else {}


def _datasets(content: Any) -> Iterator[str]:
    for facts in _domains(content).values():
        yield from facts.get("datasets", {})


def _nearest(name: str, known: set[str]) -> list[str]:
    """Return the known names most like a name; one that is but the last part of theirs is like it."""
    last = name.rpartition(".")[2].lower()
    same = sorted(one for one in known if one.rpartition(".")[2].lower() == last)
    by_lower = {one.lower(): one for one in known}
    like = [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=_NEAREST)]
    return list(dict.fromkeys((*same, *like)))[:_NEAREST]

"""One transaction on the store: every change use cases make, and the events that explain them. Reading is in `queries`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, Result, RootTransaction, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from polyceph.core.model.drift import Sighting, State, as_body
from polyceph.core.model.emergency import Emergency
from polyceph.core.model.event import Event
from polyceph.core.model.federation import Federation
from polyceph.core.model.journal import Archive, JournalKey
from polyceph.core.model.reading import SaidReading
from polyceph.core.policies.recording import event_is_fit
from polyceph.core.ports import FederationChange, RunOutcome, RunRequest, SnapshotRecord
from polyceph.errors import Conflict, Invalid, Misconfigured, NotFound
from polyceph.store import emergencies, journal_changes, rows
from polyceph.store.canonical import canonical
from polyceph.store.connection import translated
from polyceph.store.declared import make_known
from polyceph.store.identity_changes import RecordsIdentity
from polyceph.store.queries import last_digest_statement
from polyceph.store.recording import record_alone, record_in
from polyceph.store.tables import declaration, drift, reading_seen, run_request, snapshot

_APPLY_LOCK = 7_030_003
"""Number of the advisory lock under which one process applies declarations."""
_ENDS = ("SUCCESS", "FAILURE", "CANCELED")


class PostgresUnitOfWork(RecordsIdentity):
    """`core.ports.UnitOfWork` on PostgreSQL; each time it is entered it is a transaction of its own, begun by its first change.

    Events are kept until the commit and written there, in that transaction, in their order.

    A change without an event cannot be committed: `commit` refuses it with `Misconfigured` (the fault is in the code that runs;
    neither waiting nor asking again would help), and so does the database by a deferred trigger, whoever writes to it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._transaction: RootTransaction | None = None
        self._is_entered = False
        self._changed: list[str] = []
        self._events: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._is_entered, self._changed, self._events = True, [], []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_entered = False
        connection, self._connection, self._transaction = self._connection, None, None
        if connection is not None:
            # Closing rolls back what is not committed.
            connection.close()

    def record(self, event: Event) -> None:
        """Take an event, to be written with the change.

        Raises:
            Invalid: its action is not in the catalogue, it is tied to something unknown, a part of it is not JSON, or it
                holds what identifies a person the data is about.
        """
        refused = event_is_fit(event)
        if not refused.allowed:
            raise Invalid(f"event {event.action} cannot be recorded: {refused.reason}", hint=refused.hint)
        self._refuse_closed()
        self._events.append((event.action, canonical(f"event {event.action}", rows.event_document(event))))

    def apply_federation(
        self,
        federation: Federation,
        *,
        commit: str,
        content: Mapping[str, object],
        expected: str | None,
        left_out: Collection[str] = (),
    ) -> FederationChange:
        """Make the store know the federation as declared; what is declared no more is marked as removed, never deleted.

        Nothing changes when the federation's digest is the one applied last.

        Args:
            federation: as declared and checked.
            commit: git commit of the declarations.
            content: the declarations themselves, to show later what was in force.
            expected: digest applied last as the caller knows it, None before the first time.
            left_out: domains whose declarations cannot be read now; what is known of them stays.

        Raises:
            Conflict: another digest was applied in the meantime.
        """
        connection = self._open()
        with translated(f"applying federation {federation.name}"):
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _APPLY_LOCK})
            last = connection.execute(last_digest_statement()).scalar()
            if last != expected:
                raise Conflict(
                    f"somebody else applied declarations of {federation.name}: {last or 'none'} is in force, not {expected or 'none'}",
                    hint="look at the difference again, then apply",
                )
            if last == federation.digest:
                return FederationChange()
            values = {"digest": federation.digest, "commit": commit, "content": rows.plain_json("content of the declarations", content)}
            connection.execute(insert(declaration).values(values))
            self._changed.append("declaration")
            return make_known(connection, federation, left_out)

    def record_run_request(self, request: RunRequest, *, run: str | None = None) -> bool:
        """Keep who asked for what, `run` being its id when it is launched already; return False when either is known.

        Raises:
            NotFound: its domain was never declared.
        """
        statement = insert(run_request).values(**rows.run_request_values(request), run=run).on_conflict_do_nothing()
        with translated(f"recording run request {request.request} of {request.domain}"):
            return self._runs_changed(self._open().execute(statement.returning(run_request.c.request)))

    def record_run_launch(self, request: str, run: str) -> bool:
        """Keep which run answers a request; return False when that is known.

        Raises:
            NotFound: nobody made this request.
            Conflict: another run answers it, or this run answers another request.
        """
        statement = update(run_request).where(run_request.c.request == request, run_request.c.run.is_(None)).values(run=run)
        statement = statement.returning(run_request.c.request)
        with translated(f"recording run {run}"):
            connection = self._open()
            if self._runs_changed(connection.execute(statement)):
                return True
            known = connection.execute(select(run_request.c.run).where(run_request.c.request == request)).first()
        if known is None:
            raise NotFound(f"nobody made request {request} of run {run}", hint="record the request first")
        if known.run != run:
            raise Conflict(f"request {request} is answered by run {known.run} and cannot be by {run}")
        return False

    def record_run_outcome(self, request: str, outcome: RunOutcome) -> bool:
        """Keep how a requested run ended; return False when that is known.

        Raises:
            Invalid: the status is unknown.
            NotFound: nobody asked for this run.
            Conflict: it has ended otherwise already.
        """
        if outcome.status not in _ENDS:
            raise Invalid(f"run {outcome.run} cannot end with {outcome.status!r}", hint=f"a run ends with {', '.join(_ENDS)}")
        values = {**rows.run_outcome_values(outcome), "run": func.coalesce(run_request.c.run, outcome.run or None)}
        statement = update(run_request).where(run_request.c.request == request, run_request.c.ended_at.is_(None))
        statement = statement.values(**values, ended_at=func.clock_timestamp()).returning(run_request.c.request)
        with translated(f"recording the outcome of run {outcome.run}"):
            connection = self._open()
            if self._runs_changed(connection.execute(statement)):
                return True
            known = connection.execute(select(run_request.c.status).where(run_request.c.request == request)).scalar()
        _refuse_outcome(outcome, known)
        return False

    def record_snapshots(self, snapshots: Iterable[SnapshotRecord]) -> tuple[SnapshotRecord, ...]:
        """Keep changes of lakes; return those that were new, in the order given.

        Raises:
            Conflict: a snapshot is known with another time: the lake was made anew, or its history was changed.
            NotFound: a domain was never declared.
        """
        given = list(snapshots)
        if not given:
            return ()
        statement = insert(snapshot).on_conflict_do_nothing().returning(snapshot.c.domain, snapshot.c.snapshot)
        with translated("recording snapshots"):
            connection = self._open()
            new = {(row.domain, row.snapshot) for row in connection.execute(statement, [rows.snapshot_values(one) for one in given])}
            _refuse_other_history(connection, [one for one in given if (one.domain, one.snapshot) not in new])
        if new:
            self._changed.append("snapshot")
        return tuple(one for one in given if (one.domain, one.snapshot) in new)

    def record_readings(self, said: Iterable[SaidReading]) -> tuple[SaidReading, ...]:
        """Keep which readings of the outbox the journal holds; return those that were new, in the order given."""
        given = list(said)
        if not given:
            return ()
        statement = insert(reading_seen).on_conflict_do_nothing().returning(reading_seen.c.id, reading_seen.c.at)
        with translated("recording readings"):
            # Sorted, so that two recorders never wait for each other in a ring.
            values = [{"id": one.id, "at": one.at} for one in sorted(given, key=lambda one: (one.id, one.at))]
            kept = self._open().execute(statement, values)
            new = {(row.id, row.at) for row in kept}
        self._noted("reading_seen", bool(new))
        return tuple(one for one in given if (one.id, one.at) in new)

    def find_drift(self, sighting: Sighting, at: datetime) -> int | None:
        """Keep a drift that waits for its owner and return its number; None when the same change of the dataset waits already.

        Raises:
            NotFound: its domain was never declared.
        """
        values = {"domain": sighting.dataset.domain, "dataset": str(sighting.dataset), "digest": sighting.digest}
        body = rows.plain_json("a drift", as_body(sighting))
        statement = insert(drift).values(**values, body=body, found_at=at).on_conflict_do_nothing().returning(drift.c.number)
        with translated(f"recording a drift of {sighting.dataset}"):
            number = self._open().execute(statement).scalar()
        self._noted("drift", number is not None)
        return number

    def decide_drift(self, number: int, state: State, *, by: str, covers: Iterable[int]) -> None:
        """Keep what was decided about a drift, and about which deliveries of the outbox.

        Raises:
            Conflict: somebody has decided already, or there is no such drift.
        """
        values = {"state": state.value, "covers": list(covers), "decided_by": by, "decided_at": func.clock_timestamp()}
        statement = update(drift).where(drift.c.number == number, drift.c.state == State.WAITING.value).values(values)
        with translated(f"deciding about drift {number}"):
            done = self._open().execute(statement.returning(drift.c.number)).first()
        if not self._noted("drift", done is not None):
            raise Conflict(f"drift {number} does not wait for a decision", hint=f"polyceph drift show {number}")

    def open_emergency(self, emergency: Emergency) -> int | None:
        """Keep emergency access and return its number; None when the person has it in this domain already."""
        with translated(f"opening emergency access to {emergency.domain}"):
            number = emergencies.open_emergency(self._open(), emergency)
        self._noted("emergency", number is not None)
        return number

    def end_emergency(self, number: int, at: datetime, *, closed_by: str | None) -> bool:
        """Keep that emergency access ended, by whom when it was before its time; return False when it has ended already."""
        with translated(f"ending emergency {number}"):
            return self._noted("emergency", emergencies.end_emergency(self._open(), number, at, closed_by))

    def open_journal(self, origin: str, key: str) -> bool:
        """Give the journal its origin and first verifier key; return False when it has them."""
        with translated("opening the journal"):
            return self._noted("journal_log", journal_changes.open_journal(self._open(), origin, key))

    def rotate_journal_key(self, key: JournalKey) -> None:
        """Keep a new key with the note that introduces it; raise `Conflict` when it is not the next one."""
        with translated("changing the journal's key"):
            journal_changes.rotate_key(self._open(), key)
        self._changed.append("journal_key")

    def archive_journal(self, archive: Archive) -> None:
        """Keep that an archive holds the first events; from then on their bytes may leave the store."""
        with translated("archiving the journal"):
            journal_changes.add_archive(self._open(), archive)
        self._changed.append("journal_archive")

    def make_pseudonym(self, lookup: bytes, key: bytes, pseudonym: str) -> str:
        """Keep the pseudonym of a person found by `lookup`, or return the one that is known."""
        with translated("making a pseudonym"):
            found, is_new = journal_changes.make_pseudonym(self._open(), lookup, key, pseudonym)
        self._noted("pseudonym", is_new)
        return found

    def destroy_pseudonym(self, lookup: bytes) -> str | None:
        """Remove the key of a pseudonym for good; return the pseudonym, None when there is none."""
        with translated("destroying a pseudonym"):
            found = journal_changes.destroy_pseudonym(self._open(), lookup)
        self._noted("pseudonym", found is not None)
        return found

    def commit(self) -> None:
        """Write the events and commit; the unit of work ends with it.

        Raises:
            Misconfigured: something changed and no event says so.
            Conflict: somebody else changed the same at the same moment.
            Unavailable: the journal cannot be written; then nothing changed.
        """
        self._refuse_closed()
        if self._changed and not self._events:
            tables = ", ".join(sorted(set(self._changed)))
            raise Misconfigured(
                f"{tables} changed and no event says so: nothing is committed", hint="record an event in the same unit of work"
            )
        self._write_events()
        with translated("committing a unit of work"):
            self._is_entered = False
            transaction, self._transaction = self._transaction, None
            if transaction is not None:
                transaction.commit()

    def _write_events(self) -> None:
        if not self._events:
            return
        actions = sorted({action for action, _ in self._events})
        bodies = [body for _, body in self._events]
        with translated(f"recording event {', '.join(actions)}"):
            if self._connection is None:
                record_alone(self._engine, bodies)
            else:
                record_in(self._connection, bodies)

    def _runs_changed(self, done: Result[tuple[str]]) -> bool:
        return self._noted("run_request", done.first() is not None)

    def _noted(self, table: str, changed: bool) -> bool:
        if changed:
            self._changed.append(table)
        return changed

    def _open(self) -> Connection:
        """Return the connection of this unit of work, its transaction begun."""
        self._refuse_closed()
        if self._connection is None:
            with translated("beginning a unit of work"):
                self._connection = self._engine.connect()
                self._transaction = self._connection.begin()
        return self._connection

    def _refuse_closed(self) -> None:
        if not self._is_entered:
            raise Misconfigured("this unit of work is not open", hint="use it inside its with block, before its commit")


def _refuse_outcome(outcome: RunOutcome, known: str | None) -> None:
    """Refuse an outcome for an unknown run or one that ended otherwise; the same outcome again is no change."""
    if known is None:
        raise NotFound(f"nobody asked for run {outcome.run} of {outcome.domain}", hint="record the request first")
    if known != outcome.status:
        raise Conflict(f"run {outcome.run} of {outcome.domain} has ended with {known} and cannot end with {outcome.status}")


def _refuse_other_history(connection: Connection, known: list[SnapshotRecord]) -> None:
    if not known:
        return
    keys = [(one.domain, one.snapshot) for one in known]
    found = connection.execute(select(snapshot).where(tuple_(snapshot.c.domain, snapshot.c.snapshot).in_(keys)))
    times = {(row.domain, row.snapshot): row.at for row in found}
    for one in known:
        if times.get((one.domain, one.snapshot)) != one.at:
            raise Conflict(
                f"snapshot {one.snapshot} of {one.domain} is known with another time than the lake now says",
                hint="the lake was made anew or its history was changed: restore it, or record the new lake under a new domain",
            )

"""The few Protocols by which use cases and entrypoints reach the world; standard library only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from polyceph.core.identity_ports import IdentityChanges
from polyceph.core.journal_ports import JournalChanges
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.drift import Drift, Sighting, State
from polyceph.core.model.emergency import Emergency
from polyceph.core.model.event import Actor, Event, EventFilter, JournalEntry
from polyceph.core.model.federation import Federation
from polyceph.core.model.reading import SaidReading


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        ...


@dataclass(frozen=True)
class SnapshotRecord:
    """One committed change of a lake as its catalogue remembers it."""

    domain: str
    snapshot: int
    at: datetime
    author: str | None
    message: str | None
    extra: Mapping[str, object] = field(default_factory=dict)
    changes: str = ""


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended: `status` is SUCCESS, FAILURE or CANCELED; `run` is empty when none was launched."""

    run: str
    domain: str
    status: str
    seconds: float
    checks_passed: int = 0
    checks_failed: int = 0
    error: str | None = None
    checks_warned: int = 0
    """Those of the failed checks that let the data go on."""


@dataclass(frozen=True)
class CheckOutcome:
    """What one check of a run found; `failed_rows` is None when the check does not count rows."""

    dataset: DatasetId
    name: str
    passed: bool
    is_warning: bool
    failed_rows: int | None = None


@dataclass(frozen=True)
class RunRequest:
    """A run somebody asked for; no datasets and no job means the whole domain."""

    request: str
    """Its id: made by who asks, or the run's own when it was not asked for through polyceph."""
    domain: str
    actor: Actor
    datasets: tuple[DatasetId, ...] = ()
    job: str | None = None
    """The Dagster job, where it is not a choice of datasets."""


@dataclass(frozen=True)
class RunRecord:
    """A request as the store knows it; `run` is None before it is launched, `outcome` while it goes on."""

    request: RunRequest
    requested_at: datetime
    run: str | None
    outcome: RunOutcome | None


@dataclass(frozen=True)
class SeenRun:
    """A run as its launcher knows it, whoever asked for it. `updated_at` is the launcher's time."""

    run: str
    domain: str
    updated_at: datetime
    tags: Mapping[str, str]
    datasets: tuple[DatasetId, ...] = ()
    job: str | None = None


@dataclass(frozen=True)
class FederationChange:
    """What applying a federation changed in the store; empty everywhere when nothing did."""

    domains_added: tuple[str, ...] = ()
    domains_changed: tuple[str, ...] = ()
    domains_removed: tuple[str, ...] = ()
    datasets_added: tuple[DatasetId, ...] = ()
    datasets_changed: tuple[DatasetId, ...] = ()
    datasets_removed: tuple[DatasetId, ...] = ()


@dataclass(frozen=True)
class AppliedDeclaration:
    """A federation's declarations as they were applied: `digest` as in `Federation`, `commit` of git."""

    digest: str
    applied_at: datetime
    commit: str
    content: Mapping[str, object]


@dataclass(frozen=True)
class RecordedDataset:
    """A dataset as the store knows it; contract version and digest are None where there is no contract."""

    id: DatasetId
    owner: str
    steward: str
    classification: str | None
    contract_version: str | None
    contract_digest: str | None
    removed_at: datetime | None = None


class UnitOfWork(JournalChanges, IdentityChanges, Protocol):
    """One transaction on the store; leaving it without `commit` rolls back."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def record(self, event: Event) -> None:
        """Write an event into the journal, in this transaction."""
        ...

    def apply_federation(
        self,
        federation: Federation,
        *,
        commit: str,
        content: Mapping[str, object],
        expected: str | None,
        left_out: Collection[str] = (),
    ) -> FederationChange:
        """Make the store know the federation as declared; refuse when the digest last applied is not `expected`.

        Domains `left_out` stay as they are known.
        """
        ...

    def record_run_request(self, request: RunRequest, *, run: str | None = None) -> bool:
        """Keep who asked for what; return False when the request or the run is known."""
        ...

    def record_run_launch(self, request: str, run: str) -> bool:
        """Keep which run answers a request; return False when that is known."""
        ...

    def record_run_outcome(self, request: str, outcome: RunOutcome) -> bool:
        """Keep how a requested run ended; return False when that is known."""
        ...

    def record_snapshots(self, snapshots: Iterable[SnapshotRecord]) -> tuple[SnapshotRecord, ...]:
        """Keep changes of lakes; return those that were new."""
        ...

    def record_readings(self, said: Iterable[SaidReading]) -> tuple[SaidReading, ...]:
        """Keep which readings of the outbox the journal holds; return those that were new."""
        ...

    def find_drift(self, sighting: Sighting, at: datetime) -> int | None:
        """Keep a drift that waits for its owner and return its number; None when the same change of the dataset waits already."""
        ...

    def decide_drift(self, number: int, state: State, *, by: str, covers: Iterable[int]) -> None:
        """Keep what was decided about a drift, and about which deliveries of the outbox; refuse a second decision."""
        ...

    def open_emergency(self, emergency: Emergency) -> int | None:
        """Keep emergency access and return its number; None when the person has it in this domain already."""
        ...

    def end_emergency(self, number: int, at: datetime, *, closed_by: str | None) -> bool:
        """Keep that emergency access ended, by whom when it was before its time; return False when it has ended already."""
        ...

    def commit(self) -> None:
        """Commit; refuse when something changed and no event says so."""
        ...


class Queries(Protocol):
    """What the store is asked; each call sees one moment."""

    def last_declaration(self) -> AppliedDeclaration | None:
        """Return what was applied last, None before the first time."""
        ...

    def declarations(self, until: datetime | None = None) -> Iterator[AppliedDeclaration]:
        """Yield every declaration that was applied before a moment, oldest first, a few at a time: each may be large."""
        ...

    def datasets(self, domain: str | None = None) -> tuple[RecordedDataset, ...]:
        """Return the datasets that are not removed, sorted, of one domain or of all."""
        ...

    def last_snapshots(self) -> Mapping[str, int]:
        """Return the last recorded snapshot by domain."""
        ...

    def run(self, run: str) -> RunRecord | None:
        """Return one launched run, None when it is not recorded."""
        ...

    def requested_run(self, request: str) -> RunRecord | None:
        """Return one request, None when it is not recorded."""
        ...

    def last_run_moment(self) -> datetime | None:
        """Return when the last request or outcome was recorded, None before the first."""
        ...

    def open_runs(self) -> tuple[RunRecord, ...]:
        """Return the runs that have no outcome yet, oldest first."""
        ...

    def drifts(self, state: State | None = None) -> tuple[Drift, ...]:
        """Return drifts, of one state or of all, in the order of their numbers."""
        ...

    def drift(self, number: int) -> Drift | None:
        """Return one drift, None when there is none of this number."""
        ...

    def emergencies(self, *, is_open: bool = False) -> tuple[Emergency, ...]:
        """Return emergency access in the order of the numbers; with `is_open` what nobody recorded the end of."""
        ...

    def events(self, wanted: EventFilter) -> tuple[JournalEntry, ...]:
        """Return events in the order of their numbers."""
        ...

    def last_event(self, action: str, subject_kind: str, subject_id: str) -> JournalEntry | None:
        """Return the newest event of this action that happened to this subject, None when there is none."""
        ...


class RunLauncher(Protocol):
    """Starts pipelines of a domain and tells how they ended."""

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        """Start a run and return its id; an empty tuple means the whole domain."""
        ...

    def outcome(self, run: str) -> RunOutcome | None:
        """Return how a run ended, None while it goes on; raise `NotFound` when there is no such run."""
        ...

    def progress(self, run: str) -> tuple[int, int]:
        """Return how many datasets a run has made and how many it will make."""
        ...

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        """Return the runs that changed after a moment of the launcher's clock, all when None; the oldest change first."""
        ...

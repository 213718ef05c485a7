"""The range of a cursor column that an incremental load reads, and the keys of deliveries. Finding the newest value is each database's."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from polyceph.connectors.sql.options import TableDataset
from polyceph.connectors.sql.relation import Relation
from polyceph.sdk import Demand, Follows, Invalid, LoadMode, Note

Moment = datetime | date | int
Kind = Literal["timestamptz", "timestamp", "date", "integer"]

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Range:
    """The range (since, until] of a cursor column, as text that databases and DuckDB read alike; since None is everything.

    `start` is where reading begins: `since`, or earlier by the overlap. `since` is where the last load stopped.
    """

    column: str
    kind: Kind
    since: str | None
    until: str
    start: str | None
    notes: tuple[Note, ...] = ()

    @property
    def is_again(self) -> bool:
        """Whether rows come that a former load has read."""
        return self.start != self.since


def range_of(dataset: TableDataset, kind: Kind, *, since: str | None, newest: Moment | None, relation: Relation) -> Range | None:
    """Return the range to read now, None when there is nothing new; with an overlap there may always be.

    Raises:
        Invalid: the stored cursor is of another type.
    """
    last = parsed(since, kind, relation) if since is not None else None
    overlap = _overlap(dataset, kind)
    if newest is None or (last is not None and not _is_later(newest, last) and not overlap):
        return None
    if last is not None and _is_later(last, newest):
        newest = last  # rows were deleted, or the lag was raised: the cursor never goes back
    start = None if last is None else _minus(last, overlap)
    notes: tuple[Note, ...] = ()
    if kind == "timestamp" and dataset.timezone and overlap < _HOUR:
        text = f"an hour of {dataset.timezone} comes twice a year: what is written in its second half is only read with an overlap"
        notes = (Note("cursor", text, str(dataset.cursor)),)
    return Range(str(dataset.cursor), kind, None if last is None else text_of(last), text_of(newest), start, notes)


def lag_of(dataset: TableDataset, kind: Kind) -> timedelta:
    """Return how far behind now to stay; an integer's lag travels in the days; raise `Invalid` when it does not fit the cursor."""
    _refuse_other(dataset, kind, "lag", dataset.lag)
    if kind == "integer":
        return timedelta(days=int(dataset.lag or 0))
    lag = dataset.lag_time()
    # A day that is not over gets more rows of the same date, which (since, until] would never see.
    return max(timedelta(days=lag.days), timedelta(days=1)) if kind == "date" else lag


def limit_of(dataset: TableDataset, kind: Kind, now: datetime) -> Moment:
    """Return the largest cursor value that may be read at `now` (aware); of the kinds that tell a time."""
    lag = lag_of(dataset, kind)
    if kind == "timestamptz":
        return now.astimezone(UTC) - lag
    wall = now.astimezone(ZoneInfo(dataset.timezone or "UTC")).replace(tzinfo=None)
    return wall.date() - lag if kind == "date" else wall - lag


def parsed(text: str, kind: Kind, relation: Relation) -> Moment:
    """Return a stored cursor; raise `Invalid` when it is of another kind."""
    try:
        value: Moment = int(text) if kind == "integer" else date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)
    except ValueError as error:
        raise _other_type(text, kind, relation) from error
    if isinstance(value, datetime) and (value.tzinfo is None) == (kind == "timestamptz"):
        raise _other_type(text, kind, relation)
    return value


def text_of(value: Moment) -> str:
    """Return a cursor value as it is stored."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ", timespec="microseconds")
    return str(value)


def key_of(demand: Demand, relation: Relation, found: Range | None) -> str:
    """Return the delivery's key: a range is known by its bounds, all else by the run that asks, so that another attempt loads it once."""
    condition = f"{demand.options.get('filter') or ''}{demand.options.get('parameters') or ''}"
    if found is None and demand.run:
        return f"snapshot-{_digest(demand.run, str(demand.dataset), relation.shown, relation.query, condition)}"
    if found is None:
        return f"snapshot-{uuid.uuid4().hex}"
    identity = [str(demand.dataset), found.column, found.since or "", found.until]
    identity += [condition] if condition else []
    if found.is_again:  # late rows change what stands between the same bounds
        identity += [str(found.start), demand.run or uuid.uuid4().hex]
    return f"range-{_digest(*identity)}"


def mode_of(dataset: TableDataset) -> LoadMode:
    """Return how the rows join those that are there: with an overlap without those that a former load has read."""
    return LoadMode.NEW if dataset.overlap else LoadMode.APPEND


def follows(demand: Demand, found: Range | None) -> Follows | None:
    """Return the bond to the load before."""
    return Follows(demand.cursor) if found else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def _overlap(dataset: TableDataset, kind: Kind) -> timedelta:
    _refuse_other(dataset, kind, "overlap", dataset.overlap)
    if kind == "integer":
        return timedelta(days=int(dataset.overlap or 0))
    overlap = dataset.overlap_time()
    if kind == "date" and overlap % timedelta(days=1):
        raise Invalid(f"cursor {dataset.cursor} is a date, so overlap is whole days, not {dataset.overlap!r}")
    return overlap


def _refuse_other(dataset: TableDataset, kind: Kind, name: str, value: str | int | None) -> None:
    if value is not None and (kind == "integer") != isinstance(value, int):
        good = "a number" if kind == "integer" else 'a time such as "5 minutes"'
        raise Invalid(f"cursor {dataset.cursor} is of type {kind}, so {name} is {good}, not {value!r}")


def _minus(value: Moment, overlap: timedelta) -> str:
    return text_of(value - overlap.days if isinstance(value, int) else value - overlap)


def _is_later(value: Moment, last: Moment) -> bool:
    return value > last  # type: ignore[operator]  # both come from the same column


def _other_type(text: str, kind: Kind, relation: Relation) -> Invalid:
    return Invalid(
        f"the last load of {relation.shown} stopped at {text!r}, which is no {kind}: the cursor column has changed its type",
        hint="go back to the former cursor column, or load into a new dataset",
    )

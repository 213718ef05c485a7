"""Reading only what changed: the cursor that a field of the rows makes, and how a service wants to be told where to begin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from polyceph.connectors.web.paths import JsonPath, value_at
from polyceph.sdk import Invalid, Note, Options

_DURATION = re.compile(r"\s*(\d+)\s*(second|minute|hour|day|week)s?\s*")
Format = Literal["iso", "iso_local", "date", "epoch", "epoch_ms"]


def duration(text: str) -> timedelta:
    """Return the time that `10 minutes` means; raise `ValueError` for any other text."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration; write 30 seconds, 10 minutes, 2 hours, 1 day or 1 week")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def _checked(text: str) -> str:
    duration(text)
    return text


Duration = Annotated[str, AfterValidator(_checked)]


class Since(Options):
    """Read only rows that changed since the last load."""

    parameter: str = Field(description="parameter that asks for rows changed since a moment; that moment included or not")
    field: JsonPath = Field(description="field of the rows with the moment of their change")
    format: Format = Field(
        default="iso",
        description="how the moment is written: 2025-10-31T06:00:00Z, the same without zone, the day, seconds or ms since 1970",
    )
    overlap: Duration = Field(default="10 minutes", description="how far before the last moment to begin: rows that were committed late")
    begin: str | None = Field(default=None, description="moment of the first load, ISO 8601; everything when left out")


@dataclass
class Progress:
    """The greatest moment among the rows that were read."""

    since: Since
    zone: str | None
    started: datetime
    cursor: str | None
    """Where the last load stopped."""
    greatest: datetime | None = None

    def parameter(self) -> Any:
        """Return the value to send, None for everything."""
        moment = _moment(self.cursor or self.since.begin, "iso", self.zone)
        if moment is None:
            return None
        return _sent(moment - duration(self.since.overlap) if self.cursor else moment, self.since.format, self.zone)

    def see(self, row: Any, where: str) -> None:
        """Take in a row; raise `Invalid` when it does not say when it changed."""
        given = value_at(row, self.since.field)
        try:
            moment = _moment(given, self.since.format, self.zone)
        except ValueError as error:
            raise Invalid(
                f"{where}: {self.since.field} is no moment of the form {self.since.format}", hint="correct format of since"
            ) from error
        if moment is None:
            there = ", ".join(list(row)[:12]) if isinstance(row, Mapping) else type(row).__name__
            raise Invalid(f"{where} has no value at {self.since.field!r}", hint=f"name another field of the rows; there are: {there}")
        self.greatest = max(self.greatest or moment, moment)

    def reached(self) -> str | None:
        """Return the cursor to keep. A moment that is still to come is no cursor: what changes until then would never be read."""
        if self.greatest is None:
            return self.cursor
        found = min(self.greatest, self.started)
        before = _moment(self.cursor, "iso", self.zone)
        return _iso(max(found, before) if before else found)

    def notes(self) -> tuple[Note, ...]:
        """Tell of rows that lie in the future."""
        if self.greatest is None or self.greatest <= self.started:
            return ()
        return (
            Note("since", f"{self.since.field} lies in the future; the next load begins at this one's start", self.greatest.isoformat()),
        )


def _moment(given: Any, form: Format, zone: str | None) -> datetime | None:
    """Return the moment (UTC) that a value of a row means, None for an empty one; raise `ValueError` when it means none."""
    if given is None or given == "":
        return None
    if form in ("epoch", "epoch_ms"):
        if isinstance(given, bool) or not isinstance(given, int | float | Decimal | str):
            raise ValueError("no number")
        seconds = Decimal(str(given)) / (1000 if form == "epoch_ms" else 1)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))
    found = datetime.fromisoformat(str(given).strip())
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone or "UTC"))).astimezone(UTC)


def _sent(moment: datetime, form: Format, zone: str | None) -> Any:
    if form == "epoch":
        return int(moment.timestamp())
    if form == "epoch_ms":
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    local = moment.astimezone(ZoneInfo(zone or "UTC"))
    if form == "date":
        return date(local.year, local.month, local.day).isoformat()
    if form == "iso_local":
        return local.replace(tzinfo=None).isoformat()
    return _iso(moment)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ")

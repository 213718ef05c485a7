"""Options of the connector `opendatasoft`: which dataset of a portal, which of its rows and fields."""

from __future__ import annotations

from pydantic import Field

from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.records import RecordsReading
from polyceph.connectors.web.since import Duration


class OpendatasoftSource(WebSource):
    """A portal of Opendatasoft (Huwise). Its key goes into the header Authorization, with the prefix `Apikey `."""


class OpendatasoftDataset(RecordsReading):
    """Which dataset of the portal."""

    dataset: str = Field(pattern=r"^[A-Za-z0-9_.@-]+$", description="identifier of the dataset, as in its address")
    select: tuple[str, ...] = Field(default=(), description="fields to read, ODSQL: name, or name as other_name; all when left out")
    where: str | None = Field(default=None, min_length=1, description="condition in ODSQL, worked out by the portal")
    since: str | None = Field(
        default=None, pattern=r"^\w+$", description="field of type date or datetime: read only what changed since the last load"
    )
    overlap: Duration = Field(default="10 minutes", description="with since: how far before the last moment to begin")
    may_be_empty: bool = Field(default=False, description="no row at all is no error")

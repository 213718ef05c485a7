"""Options of the connector `sap`: the source and its services, and what a dataset takes from an entity set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.records import RecordsReading

_SEGMENT = r"^[^?#]*$"


class SapSource(WebSource):
    """OData services below one address. The client of a SAP system is a header: `headers: {sap-client: "100"}`."""

    services: tuple[str, ...] = Field(
        default=("",), description="services below url that are shown as tables; by default url is one itself"
    )


class SapDataset(RecordsReading):
    """One entity set."""

    service: str = Field(default="", pattern=_SEGMENT, description="path of the service below the source's url, e.g. ZSTAFF_SRV")
    entity_set: str = Field(pattern=r"^[^\W\d]\w*$", description="name of the entity set")
    filter: str | None = Field(default=None, min_length=1, description="OData $filter: which entities belong to the dataset")
    changes: Literal["auto", "delta", "whole"] = Field(
        default="auto",
        description="delta: after the first time only what the service says has changed; whole: everything each time, compared by key;"
        " auto: delta with OData 4, whole with OData 2, whose JSON does not tell deletions",
    )
    since: str | None = Field(default=None, description="property with the moment or number of the last change: only newer ones are read")
    overlap_seconds: int = Field(default=0, ge=0, description="how far behind the newest moment of since a load begins again")
    page_size: int | None = Field(default=None, ge=1, description="entities of one page that the service is asked for")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.since is not None and "changes" in self.model_fields_set:
            raise ValueError("give since or changes, not both")
        if self.overlap_seconds and self.since is None:
            raise ValueError("overlap_seconds goes with since")
        return self

"""Options of the connector `rest`: which address gives the rows of a dataset, where they stand in the answer, how it pages."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.paging import LinkPaging, NextUrlPaging, NoPaging, PagePaging, Paging, ParametersIn
from polyceph.connectors.web.paths import JsonPath
from polyceph.connectors.web.records import RecordsReading
from polyceph.connectors.web.since import Since

Scalar = str | int | float | bool


class RestSource(WebSource):
    """A service that answers with JSON."""

    openapi: str | None = Field(
        default=None, min_length=1, description="path of the service's OpenAPI description (JSON), which tells what it offers"
    )


class RestDataset(RecordsReading):
    """Which rows of a service make the dataset."""

    path: str = Field(min_length=1, description="path below the source's url, e.g. v1/schools")
    params: dict[str, Scalar | list[Scalar]] = Field(default={}, description="parameters of the query; no secrets")
    method: Literal["GET", "POST"] = Field(default="GET", description="POST for a search whose wishes stand in the body")
    body: dict[str, Any] | None = Field(default=None, description="JSON object to post")
    format: Literal["json", "ndjson"] = Field(default="json", description="one JSON document, or one JSON object a line")
    records: JsonPath | None = Field(
        default=None, description="path to the rows, e.g. data.items or $.groups[*].rows; the whole document else"
    )
    paging: Paging = Field(default=NoPaging(), description="how to page: style is none, page, offset, cursor, link or next_url")
    since: Since | None = Field(default=None, description="read only what changed since the last load; needs a primary key in the contract")
    parameters_in: ParametersIn | None = Field(
        default=None, description="where paging and since put their parameters; body for POST, else query"
    )
    absent_is_null: bool = Field(default=False, description="a promised field that no row has is empty; otherwise it is refused as missing")
    may_be_empty: bool = Field(default=False, description="no row at all is no error")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.body is not None and self.method != "POST":
            raise ValueError("a body needs method: POST")
        if self.place() == "body" and self.method != "POST":
            raise ValueError("parameters_in: body needs method: POST")
        if self.format == "ndjson" and self.records is not None:
            raise ValueError("records is for format: json; each line of ndjson is a row")
        if self.format == "ndjson" and not isinstance(self.paging, NoPaging | LinkPaging) and self._needs_document():
            raise ValueError("an answer in ndjson holds rows only: paging can be none, link, or page and offset up to an empty page")
        return self

    def place(self) -> ParametersIn:
        """Return where paging and since put their parameters."""
        return self.parameters_in or ("body" if self.method == "POST" else "query")

    def _needs_document(self) -> bool:
        paging = self.paging
        if isinstance(paging, NextUrlPaging) or paging.style == "cursor" or paging.total is not None:
            return True
        pages = paging.pages if isinstance(paging, PagePaging) else None
        return pages is not None or getattr(paging, "has_more", None) is not None

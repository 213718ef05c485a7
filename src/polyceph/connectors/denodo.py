"""The connector `denodo`: a view or a query of a Denodo server, over its PostgreSQL protocol or Arrow Flight SQL."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from sqlglot import Token, TokenType, tokenize
from sqlglot.errors import SqlglotError

from polyceph.connectors.denodo_dialect import DenodoDialect
from polyceph.connectors.denodo_flight import FlightDialect
from polyceph.connectors.denodo_flight_session import FlightWay
from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.sql.driven import DriverConnector
from polyceph.connectors.sql.options import ServerSource, TableDataset
from polyceph.connectors.validation import validated
from polyceph.sdk import Misconfigured, Options

_OF_FLIGHT = ("tls", "ca_file", "values", "answer_timeout_s")


class DenodoSource(ServerSource):
    """One virtual database of a Denodo server and the user that reads it."""

    scheme: ClassVar[str] = "denodo"

    protocol: Literal["postgresql", "flight_sql"] = Field(
        default="postgresql", description="postgresql (ODBC), or flight_sql: Arrow Flight SQL, of Denodo 9.1 and later"
    )
    port: int | FromEnvironment = Field(
        default=9996, description="port of the protocol, or {env: NAME}; 9996 for postgresql, 9994 for flight_sql"
    )
    database: str | FromEnvironment = Field(description="virtual database, or {env: NAME}")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="of postgresql: libpq's sslmode; libpq's own default when left out"
    )
    tls: bool = Field(default=True, description="of flight_sql: whether the connection is encrypted and the server's certificate checked")
    ca_file: str | None = Field(
        default=None,
        description="of flight_sql: file of the authority (PEM) that the certificate must come from, from the domain's folder;"
        " the system's authorities when left out",
    )
    values: Literal["literals", "bound"] = Field(
        default="literals",
        description="of flight_sql: how values of filters and cursors travel: quoted as VQL literals, since Denodo 9.1 takes no parameters,"
        " or bound to a prepared statement where the server takes them",
    )
    answer_timeout_s: int = Field(
        default=300, ge=1, description="of flight_sql: seconds of silence, before a query's first answer or between two batches"
    )

    @model_validator(mode="before")
    @classmethod
    def _own_port(cls, given: object) -> object:
        is_flight = isinstance(given, dict) and given.get("protocol") == "flight_sql" and "port" not in given
        return {**given, "port": 9994} if isinstance(given, dict) and is_flight else given

    @model_validator(mode="after")
    def _of_one_protocol(self) -> Self:
        if self.protocol == "flight_sql" and self.sslmode is not None:
            raise ValueError("sslmode is of protocol postgresql; flight_sql has tls and ca_file")
        others = [name for name in _OF_FLIGHT if getattr(self, name) != type(self).model_fields[name].default]
        if self.protocol == "postgresql" and others:
            raise ValueError(f"{', '.join(others)} is of protocol flight_sql; write protocol: flight_sql, or leave it out")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file needs tls: true")
        return self

    def way(self, base: Path) -> FlightWay:
        """Return how Flight SQL is entered; raise `Misconfigured` when the authority's file cannot be read."""
        authority = None
        if self.ca_file is not None:
            path = (base / self.ca_file).resolve()
            try:
                authority = path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                hint = f"put the authority's certificate in PEM at {path}"
                raise Misconfigured(f"ca_file {self.ca_file} of the denodo source cannot be read", hint=hint) from error
        return FlightWay(self.tls, authority, self.values == "bound", self.answer_timeout_s)


class DenodoDataset(TableDataset):
    """What of a virtual database makes the dataset."""

    table_form: ClassVar[tuple[str, ...]] = ("database", "view")
    sql_dialect: ClassVar[str] = "postgres"

    table: str | None = Field(default=None, description="database.view; quote a part that holds a dot or a space")
    query: str | None = Field(default=None, description="one SELECT in VQL without a CONTEXT clause")

    @field_validator("query")
    @classmethod
    def _no_context(cls, query: str | None) -> str | None:
        tokens = _tokens(query or "")
        if any(
            one.text.upper() == "CONTEXT" and two.text == "(" for one, two in pairwise(tokens) if one.token_type != TokenType.IDENTIFIER
        ):
            raise ValueError(
                "a query stands in brackets inside the statement that is sent, where VQL has no CONTEXT clause;"
                " set what it would say (i18n, cache) for the user or the view in Denodo"
            )
        return query


def _tokens(query: str) -> list[Token]:
    try:
        return tokenize(query, read=DenodoDataset.sql_dialect)
    except SqlglotError:
        return []  # that it is no SQL is told when it is read


class DenodoConnector(DriverConnector):
    """Reads Denodo over the PostgreSQL protocol, row by row as the server sends them, or over Arrow Flight SQL, by its record batches.

    Denodo is no PostgreSQL: there is no COPY, no snapshot that connections share and no system column, so DuckDB's extension cannot
    read it. What a load sees is what Denodo's own sources show while it runs; a view in its cache is as old as the cache.
    """

    source_options: ClassVar[type[Options]] = DenodoSource
    dataset_options: ClassVar[type[Options]] = DenodoDataset
    summary: ClassVar[str] = "Views and queries of a Denodo server, whole or incrementally by a cursor column."
    name: ClassVar[str] = "denodo"

    def dialect(self) -> DenodoDialect:
        """Return VQL, and how its server is entered."""
        source = validated(DenodoSource, self._options, "source of connector denodo")
        return FlightDialect(way=source.way(self._base)) if source.protocol == "flight_sql" else DenodoDialect(source.sslmode)

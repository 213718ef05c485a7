"""The stand of the connector `denodo`: a PostgreSQL server that speaks for Denodo, with the procedures of Denodo's manual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import psycopg

from denodo_words import PROCEDURES
from polyceph.connectors.types import NESTED
from polyceph.sdk import Column
from polyceph.settings import PostgresAddress
from stands.behaviours import Behaviour
from stands.postgres import PostgresStand
from stands.sql_text import NO_DELIMITER


class DenodoStand(PostgresStand):
    """Views of one virtual database."""

    connector: ClassVar[str] = "denodo"
    server: ClassVar[str] = "PostgreSQL with Denodo's stored procedures in its place: no Denodo server was available"
    large_rows: ClassVar[int] = 200_000
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {
        Behaviour.RESHAPED: NO_DELIMITER,
        Behaviour.RECODED: "the encoding of Denodo's own sources is behind Denodo, which always sends that of the connection",
    }

    def type(self, column: Column) -> str:
        # Denodo's own arrays and registers are described otherwise; JSON reaches its views as text.
        return "text" if column.logical_type in NESTED else super().type(column)

    def _database(self, encoding: str) -> PostgresAddress:
        address = super()._database(encoding)
        with psycopg.connect(address.url(), autocommit=True) as session:
            session.execute(PROCEDURES.encode())
        return address

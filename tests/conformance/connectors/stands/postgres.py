"""The stand of the connector `postgres`: the embedded PostgreSQL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import psycopg
from psycopg import sql

from polyceph.sdk import Column
from polyceph.settings import PostgresAddress
from stands.behaviours import Behaviour
from stands.sql_text import NO_DELIMITER, type_of
from stands.stand import Numbers, Row, Stand, Table, set_secret

_TYPES = {
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "instant": "timestamptz",
    "string": "text",
    "array": "jsonb",
    "object": "jsonb",
}


class PostgresStand(Stand):
    """Tables in a database of the test's server, in a schema with an odd name."""

    connector: ClassVar[str] = "postgres"
    server: ClassVar[str] = "PostgreSQL 18, embedded"
    large_rows: ClassVar[int] = 1_000_000
    is_typed: ClassVar[bool] = True
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {Behaviour.RESHAPED: NO_DELIMITER}
    schema: ClassVar[str] = "d'été"

    def start(self) -> Self:
        self.databases = {False: self._database("UTF8"), True: self._database("LATIN1")}
        self.is_recoded = False
        self.word = set_secret("CONFORMANCE_POSTGRES", self.address.password.get_secret_value())
        return self

    @property
    def address(self) -> PostgresAddress:
        return self.databases[self.is_recoded]

    def publish(self, table: Table) -> None:
        self.is_recoded = table.form.recoded
        with self._session() as session:
            place = self._place(table.name)
            session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(place))
            columns = [
                sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(self.type(column)))
                for name, column in zip(table.names(), table.columns, strict=True)
            ]
            session.execute(sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join(columns)))
            self._insert(session, place, table.rows)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        with self._session() as session:
            self._insert(session, self._place(table.name), rows)

    def move(self, table: Table, name: str) -> None:
        with self._session() as session:
            session.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(self._place(table.name), sql.Identifier(name)))

    def remove(self, name: str) -> None:
        with self._session() as session:
            session.execute(sql.SQL("DROP TABLE {}").format(self._place(name)))

    def source(self, **changes: object) -> dict[str, object]:
        own = self.address
        given: dict[str, object] = {"host": "127.0.0.1", "port": own.port, "database": own.database, "user": own.user}
        return {**given, "password_env": self.word, "connect_timeout_s": 2, **changes}

    def dataset(self, table: Table) -> dict[str, object]:
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, table.name))
        return {"table": quoted}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {**self.dataset(table), "cursor": column}

    def at_port(self, port: int) -> dict[str, object]:
        return self.source(port=port)

    def port(self) -> int:
        return self.address.port

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        word = "no-such-pass-word"
        return self.source(password_env=set_secret("CONFORMANCE_WRONG", word)), word

    def type(self, column: Column) -> str:
        """Return the server's type of a column."""
        return type_of(column, _TYPES)

    def _database(self, encoding: str) -> PostgresAddress:
        name = f"stand_{secrets.token_hex(4)}"
        with psycopg.connect(self.tools.postgres.url(), autocommit=True) as session:
            text = "CREATE DATABASE {} ENCODING {} LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
            session.execute(sql.SQL(text).format(sql.Identifier(name), sql.Literal(encoding)))
        address = self.tools.postgres.at(name)
        with psycopg.connect(address.url(), autocommit=True) as session:
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
        return address

    def _session(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.address.url(), autocommit=True)

    def _place(self, name: str) -> sql.Identifier:
        return sql.Identifier(self.schema, name)

    def _insert(self, session: psycopg.Connection[Any], place: sql.Identifier, rows: Sequence[Row]) -> None:
        if isinstance(rows, Numbers):
            made = "SELECT n + 1, 'row number ' || n + 1 || ' of many', n * 7 FROM generate_series(0, {}) n"
            session.execute(sql.SQL("INSERT INTO {} " + made).format(place, sql.Literal(len(rows) - 1)))
            return
        for row in rows:
            values = [json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value for value in row]
            places = sql.SQL(", ").join(sql.Placeholder() * len(values))
            session.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(place, places), values)

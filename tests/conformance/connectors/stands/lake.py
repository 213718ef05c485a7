"""The stand of the connector `lake`: a DuckLake whose catalogue is in the embedded PostgreSQL."""

from __future__ import annotations

import importlib.util
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import duckdb
import psycopg

from polyceph.connectors.types import duckdb_type
from stands.behaviours import Behaviour
from stands.proxy import HOST
from stands.stand import Numbers, Row, Stand, Table, set_secret

_NO_CHOICE = "Parquet files and their catalogue have one form, and texts are UTF-8"


class LakeStand(Stand):
    """Tables in a schema with an odd name; each change is a snapshot."""

    connector: ClassVar[str] = "lake"
    server: ClassVar[str] = "a DuckLake with its catalogue in PostgreSQL 18, embedded"
    large_rows: ClassVar[int] = 1_000_000
    is_typed: ClassVar[bool] = True
    killed_rows: ClassVar[int] = 300_000
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {
        Behaviour.RESHAPED: _NO_CHOICE,
        Behaviour.RECODED: _NO_CHOICE,
    }

    def start(self) -> Self:
        name = f"stand_{secrets.token_hex(4)}"
        with psycopg.connect(self.tools.postgres.url(), autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}".encode())
        self.address = self.tools.postgres.at(name)
        set_secret("CONFORMANCE_LAKE", self.address.password.get_secret_value())
        self.connection = duckdb.connect()
        self.tools.stack.callback(self.connection.close)
        for extension in ("ducklake", "postgres_scanner"):
            self.connection.load_extension(_extension(extension))
        own, data = self.address, self.tools.folder / "data"
        word = own.password.get_secret_value().replace("'", "''")
        self.connection.execute(f"CREATE SECRET c (TYPE postgres, HOST '{HOST}', PORT {own.port}, USER '{own.user}', PASSWORD '{word}')")
        self.connection.execute(f"ATTACH 'ducklake:postgres:dbname={name}' AS l (META_SECRET 'c', DATA_PATH '{data}')")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute('CREATE SCHEMA l."d\'été"')
        return self

    def publish(self, table: Table) -> None:
        place = self._place(table.name)
        self.connection.execute(f"DROP TABLE IF EXISTS {place}")
        columns = ", ".join(f"{_name(n)} {duckdb_type(c)}" for n, c in zip(table.names(), table.columns, strict=True))
        self.connection.execute(f"CREATE TABLE {place} ({columns})")
        self.add(table, table.rows)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        place = self._place(table.name)
        if isinstance(rows, Numbers):
            made = f"SELECT n + 1, 'row number ' || (n + 1) || ' of many', n * 7 FROM range({len(rows)}) t(n)"
            self.connection.execute(f"INSERT INTO {place} {made}")
        elif rows:
            values = [[json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for v in row] for row in rows]
            places = ", ".join("?" * len(table.columns))
            self.connection.begin()
            self.connection.executemany(f"INSERT INTO {place} VALUES ({places})", values)
            self.connection.commit()

    def move(self, table: Table, name: str) -> None:
        self.connection.execute(f"ALTER TABLE {self._place(table.name)} RENAME TO {_name(name)}")

    def remove(self, name: str) -> None:
        self.connection.execute(f"DROP TABLE {self._place(name)}")

    def source(self, **changes: object) -> dict[str, object]:
        own = self.address
        given: dict[str, object] = {"kind": "ducklake", "host": HOST, "port": own.port, "database": own.database, "user": own.user}
        return {**given, "password_env": "CONFORMANCE_LAKE", **changes}

    def dataset(self, table: Table) -> dict[str, object]:
        return {"table": f"d'été.{table.name}"}

    def at_port(self, port: int) -> dict[str, object]:
        return self.source(port=port)

    def port(self) -> int:
        return self.address.port

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        word = "no-such-pass-word"
        return self.source(password_env=set_secret("CONFORMANCE_LAKE_WRONG", word)), word

    def _place(self, name: str) -> str:
        return f'l."d\'été".{_name(name)}'


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _extension(name: str) -> str:
    spec: Any = importlib.util.find_spec(f"duckdb_extension_{name}")
    return str(next(Path(spec.origin).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")))

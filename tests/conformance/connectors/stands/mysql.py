"""The stand of the connector `mysql`: a MariaDB server of the tests."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar, Self

from mariadb_server import running
from polyceph.testing.federation.servers.mariadb_program import Programs
from stands.behaviours import Behaviour
from stands.proxy import HOST
from stands.sql_text import NO_DELIMITER, type_of
from stands.stand import Numbers, Row, Stand, Table, set_secret

USER, WORD = "stand_reader", "a-pass-word-of-mariadb"
_TYPES = {
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "time": "time(6)",
    "timestamp": "datetime(6)",
    "instant": "timestamp(6) NULL",
    "string": "text",
    "array": "json",
    "object": "json",
}


class MySqlStand(Stand):
    """Tables in one database."""

    connector: ClassVar[str] = "mysql"
    server: ClassVar[str] = "MariaDB of Debian"
    large_rows: ClassVar[int] = 1_000_000
    is_typed: ClassVar[bool] = True
    can_hold_nul: ClassVar[bool] = True
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {Behaviour.RESHAPED: NO_DELIMITER}

    def start(self) -> Self:
        programs = Programs.find()
        assert programs is not None, "mariadbd is not installed: apt-get install mariadb-server-core mariadb-client-core"
        self.mariadb = self.tools.stack.enter_context(running(programs))
        self.database = f"stand_{secrets.token_hex(4)}"
        self.mariadb.write(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4;")
        self.mariadb.write(f"CREATE USER {USER}@'{HOST}' IDENTIFIED BY '{WORD}'; GRANT SELECT ON {self.database}.* TO {USER}@'{HOST}';")
        set_secret("CONFORMANCE_MYSQL", WORD)
        return self

    def publish(self, table: Table) -> None:
        columns = ", ".join(
            f"{_name(n)} {type_of(c, _TYPES, decimal='decimal')}" for n, c in zip(table.names(), table.columns, strict=True)
        )
        how = " CHARACTER SET latin1" if table.form.recoded else ""
        self._write(f"DROP TABLE IF EXISTS {_name(table.name)}; CREATE TABLE {_name(table.name)} ({columns}){how};")
        self.add(table, table.rows)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        name = _name(table.name)
        if isinstance(rows, Numbers):
            made = f"SELECT seq + 1, concat('row number ', seq + 1, ' of many'), seq * 7 FROM seq_0_to_{len(rows) - 1}"
            self._write(f"INSERT INTO {name} {made};")
        elif rows:
            values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
            self._write(f"SET time_zone = '+00:00'; INSERT INTO {name} VALUES {values};")

    def move(self, table: Table, name: str) -> None:
        self._write(f"RENAME TABLE {_name(table.name)} TO {_name(name)};")

    def remove(self, name: str) -> None:
        self._write(f"DROP TABLE {_name(name)};")

    def source(self, **changes: object) -> dict[str, object]:
        given: dict[str, object] = {"host": HOST, "port": self.mariadb.port, "database": self.database, "user": USER}
        return {**given, "password_env": "CONFORMANCE_MYSQL", "connect_timeout_s": 2, **changes}

    def dataset(self, table: Table) -> dict[str, object]:
        quoted = table.name.replace('"', '""')
        return {"table": f'{self.database}."{quoted}"'}

    def following(self, table: Table, column: str) -> dict[str, object]:
        return {**self.dataset(table), "cursor": column}

    def at_port(self, port: int) -> dict[str, object]:
        return self.source(port=port)

    def port(self) -> int:
        return self.mariadb.port

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        word = "no-such-pass-word"
        return self.source(password_env=set_secret("CONFORMANCE_MYSQL_WRONG", word)), word

    def _write(self, statements: str) -> None:
        self.mariadb.write(statements, database=self.database)


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float | Decimal):
        return str(value).upper() if isinstance(value, bool) else f"{value:f}" if isinstance(value, Decimal) else repr(value)
    if isinstance(value, datetime):
        value = (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(sep=" ")
    elif isinstance(value, date | time):
        value = value.isoformat()
    elif isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    escaped = str(value).replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0")
    return f"'{escaped}'"

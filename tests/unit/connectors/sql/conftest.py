"""Fakes of the DRIVERS of SQL Server, Oracle and Db2: no server was available. They answer what a test says, and keep what was sent."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.sdk import Column, Contract, DatasetId, Zone

WORD = "se;cr}et=1"


class DriverError(Exception):
    """What the fake drivers raise, as DB-API says."""


@dataclass
class FakeDriver:
    """Answers by the first of its keys that a statement contains: rows, a table for Arrow, or an error."""

    answers: list[tuple[str, Any]] = field(default_factory=list)
    described: list[tuple[Any, ...]] = field(default_factory=list)
    sent: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    entered: list[Any] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    refusal: Exception | None = None
    fetched: list[int] = field(default_factory=list)

    def connect(self, *given: object, **named: object) -> FakeConnection:
        self.entered.append((given, named))
        if self.refusal is not None:
            raise self.refusal
        return FakeConnection(self)

    def answer(self, text: str, values: Sequence[object]) -> Any:
        self.sent.append((text, tuple(values)))
        found = next((answer for key, answer in self.answers if key in text), [])
        if isinstance(found, Exception):
            raise found
        return found

    def statement(self, part: str) -> tuple[str, tuple[object, ...]]:
        """Return the last statement that holds `part`."""
        return next(s for s in reversed(self.sent) if part in s[0])


class FakeConnection:
    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver

    def cursor(self) -> FakeCursor:
        return FakeCursor(self._driver)

    def rollback(self) -> None:
        self._driver.ends.append("rollback")

    def close(self) -> None:
        self._driver.ends.append("close")

    def fetch_df_batches(self, statement: str, parameters: list[object], *, size: int, fetch_decimals: bool) -> Iterator[pa.Table]:
        assert fetch_decimals
        cursor = FakeCursor(self._driver)
        cursor.execute(statement, parameters)
        yield from cursor.arrow_reader(batch_size=size)


class FakeCursor:
    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self._rows: Any = []
        self.description: list[tuple[Any, ...]] = []

    def execute(self, text: str, *values: Any) -> None:
        # mssql-python takes values one by one, the others a sequence of them.
        flat = values[0] if len(values) == 1 and isinstance(values[0], list | tuple) else values
        self._rows = self._driver.answer(text, flat)
        self.description = self._driver.described

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def fetchmany(self, size: int) -> list[Any]:
        self._driver.fetched.append(size)
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def arrow_reader(self, batch_size: int) -> Iterator[pa.RecordBatch]:
        self._driver.fetched.append(batch_size)
        yield from self._rows.to_batches(max_chunksize=batch_size)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """One fake in the place of all three drivers."""
    fake = FakeDriver()
    module = SimpleNamespace(connect=fake.connect, Error=DriverError, Warning=type("DriverWarning", (Exception,), {}))
    for name in ("mssql_python", "oracledb", "ibm_db_dbi"):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("SQL_WORD", WORD)
    return fake


@pytest.fixture
def port() -> Iterator[int]:
    """A port that answers, and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]


def contract(*columns: Column) -> Contract:
    place = Place("domains/education/contracts/schools.odcs.yaml")
    dataset = DatasetId("education", Zone.RAW, "schools")
    return Contract(dataset, "1", "1.0.0", "active", "anne", "marc", Classification.INTERNAL, columns, place, "0" * 64)


@pytest.fixture
def promised() -> Any:
    return contract


@pytest.fixture
def driver_error() -> type[Exception]:
    return DriverError

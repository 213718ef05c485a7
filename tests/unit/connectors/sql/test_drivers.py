"""The connectors `mssql`, `oracle` and `db2` against fakes of their drivers: no server was available."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.db2 import Db2Connector
from polyceph.connectors.mssql import MsSqlConnector
from polyceph.connectors.oracle import OracleConnector
from polyceph.connectors.sql.database import DatabaseConnector
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column, Delivery, Demand, LoadMode

WORD = "se;cr}et=1"
KINDS: dict[str, type[DatabaseConnector]] = {"mssql": MsSqlConnector, "oracle": OracleConnector, "db2": Db2Connector}
CATALOGUE = {"mssql": "sys.columns", "oracle": "all_tab_columns", "db2": "syscat.columns"}
TABLES = {"mssql": "sys.objects o JOIN", "oracle": "all_objects", "db2": "syscat.tables"}
NOW = {"mssql": "SYSUTCDATETIME", "oracle": "SYSTIMESTAMP", "db2": "CURRENT TIMEZONE"}
TYPES = {
    "mssql": ["int", "nvarchar", "decimal(10,2)", "datetime2", "datetimeoffset", "money"],
    "oracle": ["NUMBER(10,0)", "VARCHAR2", "NUMBER(10,2)", "DATE", "TIMESTAMP(6) WITH TIME ZONE", "NUMBER"],
    "db2": ["INTEGER", "VARCHAR", "DECIMAL(10,2)", "TIMESTAMP", "TIMESTAMP", "DECFLOAT"],
}
NAMES = ["Id", 'Na"m]e', "Price", "Changed", "Seen", "Amount"]


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def source(kind: str, port: int, **other: object) -> DatabaseConnector:
    word = "DB2_WORD" if kind == "db2" else "SQL_WORD"
    given = {"host": "127.0.0.1", "port": port, "database": "register", "user": "reader", "password_env": word, **other}
    return KINDS[kind](KINDS[kind].source_options.model_validate(given), base=Path())


@pytest.fixture
def connector(kind: str, port: int, driver: Any, monkeypatch: pytest.MonkeyPatch) -> DatabaseConnector:
    monkeypatch.setenv("DB2_WORD", "very-secret")
    driver.answers.append((CATALOGUE[kind], [(n, t, "NO", "YES", "about") for n, t in zip(NAMES, TYPES[kind], strict=True)]))
    driver.answers.append((NOW[kind], [("2024-07-01 12:00:00.000000",)]))
    driver.answers.append((TABLES[kind], [("Dbo", "My Schools", 12, "Every school"), ("Dbo", "v", None, None)]))
    return source(kind, port)


def deliver(connector: DatabaseConnector, promised: Any, options: dict[str, object], cursor: str | None = None) -> list[Delivery]:
    columns = [Column("id", "integer", source_name="Id", primary_key=True), Column("name", "string", source_name='Na"m]e')]
    columns += [Column("price", "number", "decimal(10,2)", source_name="Price")]
    columns += [Column("changed", "timestamp", "timestamptz", source_name="Changed")]
    contract = promised(*columns)
    return list(connector.deliveries(Demand(contract.dataset, contract, options, cursor, lambda _: False, Path(), Path(), run="r")))


def rows(count: int) -> pa.Table:
    names, prices = [f"é{n}" if n else None for n in range(count)], [Decimal(n) / 4 for n in range(count)]
    walls = [f"2024-07-01 12:00:00.{n:06d}" for n in range(count)]
    columns = {"c0": pa.array(range(count)), "c1": pa.array(names), "c2": pa.array(prices, pa.decimal128(12, 2)), "c3": pa.array(walls)}
    return pa.table(columns)


def answer_rows(driver: Any, kind: str, table: pa.Table) -> None:
    """Let the fake answer the statement that reads the rows; the first look asks for none of them."""
    empty = {"mssql": "TOP (0)", "oracle": "AND 1 = 0", "db2": "AND 1 = 0"}[kind]
    driver.answers.append((empty, []))
    found: Any = table
    if kind == "db2":
        found = [tuple(row.values()) for row in table.to_pylist()]
        driver.described = [("c",)] * table.num_columns
    driver.answers.append(("AS [c0]" if kind == "mssql" else 'AS "c0"', found))


QUOTED = {"mssql": "[Dbo].[Schools]", "oracle": '"Dbo"."Schools"', "db2": '"Dbo"."Schools"'}
PLACES = {"mssql": ["?", "?", "?"], "oracle": [":1", ":2", ":3"], "db2": ["?", "?", "?"]}


def test_rows_come_in_batches_with_their_types(kind: str, connector: DatabaseConnector, driver: Any, promised: Any) -> None:
    answer_rows(driver, kind, rows(25_000))
    [delivery] = deliver(connector, promised, {"table": "Dbo.Schools"})
    assert isinstance(delivery.rows, pa.RecordBatchReader)
    sizes = []
    for batch in delivery.rows:
        sizes.append(batch.num_rows)
        if len(sizes) == 1:
            first = batch.slice(0, 2).to_pylist()
    assert sizes == [10_000, 10_000, 5_000]
    assert [str(f.type) for f in delivery.rows.schema][0::2] == [
        str(pa.decimal128(10, 0)) if kind == "oracle" else "int64",
        "decimal128(10, 2)",
    ]
    assert [(int(r["id"]), r["name"], r["price"]) for r in first] == [(0, None, Decimal("0.00")), (1, "é1", Decimal("0.25"))]
    assert first[1]["changed"] == "2024-07-01 12:00:00.000001"
    assert driver.ends[-1] == "close"
    assert set(driver.fetched) == {10_000}


def test_the_statement_quotes_names_and_sends_values_as_parameters(
    kind: str, connector: DatabaseConnector, driver: Any, promised: Any
) -> None:
    driver.answers.append(("MAX(", [("2024-07-01 10:00:00.000000",)]))
    answer_rows(driver, kind, rows(1))
    options = {"table": "Dbo.Schools", "cursor": "Changed", "overlap": "1 day", "filter": "Region = :r", "parameters": {"r": "x'; DROP--"}}
    [delivery] = deliver(connector, promised, options, cursor="2024-06-30 10:00:00.000000")
    assert delivery.mode is LoadMode.NEW
    assert delivery.cursor == "2024-07-01 10:00:00.000000"
    list(delivery.rows)  # type: ignore[call-overload]
    text, values = driver.statement("c3")
    first, second, third = PLACES[kind]
    name = '[Na"m]]e]' if kind == "mssql" else '"Na""m]e"'
    assert name in text
    assert f"FROM {QUOTED[kind]} WHERE (\nRegion = {first}\n) AND " in text
    assert "DROP" not in text
    assert values[0] == "x'; DROP--"
    until, start = (str(v).replace("T", " ")[:19] for v in values[1:])
    assert (until, start) == ("2024-07-01 10:00:00", "2024-06-29 10:00:00")
    assert second in text
    assert third in text
    assert not any(word in text for word in ("INSERT", "UPDATE"))


def test_wall_clock_times_become_instants(kind: str, connector: DatabaseConnector, driver: Any, promised: Any) -> None:
    walls = [
        "2024-07-01T12:00:00.5000000",
        "2024-03-31 02:30:00",
        "2024-10-27 02:30:00",
        "2024-07-01 12:00:00.1234567",
        None,
        "-0044-03-15 00:00:00",
    ]
    table = rows(6).set_column(3, "c3", pa.array(walls))
    answer_rows(driver, kind, table)
    [delivery] = deliver(connector, promised, {"table": "Dbo.Schools", "timezone": "Europe/Brussels"})
    assert isinstance(delivery.rows, pa.RecordBatchReader)
    assert delivery.rows.read_all()["changed"].to_pylist() == [
        "2024-07-01 10:00:00.500000+00",
        "2024-03-31 02:30:00 does not exist in Europe/Brussels",
        "2024-10-27 02:30:00 comes twice in Europe/Brussels",
        "2024-07-01 12:00:00.1234567",
        None,
        "-0044-03-15 00:00:00",
    ]


def test_a_late_row_is_warned_of_and_nothing_new_is_nothing(kind: str, connector: DatabaseConnector, driver: Any, promised: Any) -> None:
    driver.answers.append(("MAX(", [("2024-07-01 10:00:00.000000",)]))
    answer_rows(driver, kind, rows(1))
    options: dict[str, object] = {"table": "Dbo.Schools", "cursor": "Changed"}
    [delivery] = deliver(connector, promised, options)
    assert any(n.subject == "cursor" and "overlap" in n.text for n in delivery.notes)
    assert deliver(connector, promised, options, cursor="2024-07-01 10:00:00.000000") == []


def test_the_catalogue_is_told(kind: str, connector: DatabaseConnector, driver: Any) -> None:
    assert [(t.name, t.options, t.rows) for t in connector.tables()] == [
        ('Dbo."My Schools"', {"table": 'Dbo."My Schools"'}, 12),
        ("Dbo.v", {"table": "Dbo.v"}, None),
    ]
    driver.answers.append(("c5", [(1, "é", Decimal("1.50"), "2024-07-01 12:00:00", "2024-07-01 12:00:00+00:00", "1.5")]))
    sample = connector.sample({"table": "Dbo.Schools"}, rows=1, workspace=Path())
    assert [c.name for c in sample.columns] == NAMES
    assert (sample.columns[0].primary_key, sample.columns[0].required, sample.columns[0].description) == (True, True, "about")
    assert sample.columns[2].physical_type == "decimal(10,2)"
    assert sample.rows.to_pylist()[0]["Price"] == Decimal("1.50")  # type: ignore[attr-defined]


def test_unknown_tables_and_columns_are_told(kind: str, connector: DatabaseConnector, driver: Any, promised: Any) -> None:
    catalogue = driver.answers.pop(0)
    with pytest.raises(NotFound, match="My Schools"):
        deliver(connector, promised, {"table": "Dbo.My_Schools"})
    driver.answers.insert(0, (catalogue[0], catalogue[1][1:]))
    with pytest.raises(Invalid) as caught:
        deliver(connector, promised, {"table": "Dbo.Schools"})
    assert [p.value for p in caught.value.problems] == ["Id"]


REFUSED = {
    "mssql": ("Login failed for user 'reader'", "The SELECT permission was denied on the object", "Communication link failure"),
    "oracle": ("ORA-01017: invalid credential", "ORA-00942: table or view does not exist", "ORA-03113: end-of-file"),
    "db2": (
        "[IBM] SQL30082N Security processing failed SQLSTATE=08001",
        "SQL0551N no privilege SQLSTATE=42501",
        "SQL30081N communication error SQLSTATE=08001",
    ),
}


def failure(connector: DatabaseConnector, promised: Any) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        deliver(connector, promised, {"table": "Dbo.Schools"})
    shown = f"{caught.value} {caught.value.__cause__!r}"
    assert WORD not in shown
    assert "very-secret" not in shown
    return caught.value


def test_errors_of_the_driver_are_the_six(
    kind: str, connector: DatabaseConnector, driver: Any, promised: Any, driver_error: type[Exception]
) -> None:
    login, right, broken = REFUSED[kind]
    driver.refusal = driver_error(f"{login} {'very-secret' if kind == 'db2' else WORD}")
    assert isinstance(failure(connector, promised), Misconfigured)
    driver.refusal = None
    answer_rows(driver, kind, rows(1))
    for text, expected in ((right, Denied), (broken, Unavailable), ("SQL0420N ORA-01722 conversion failed 'Dupont'", Invalid)):
        driver.answers.insert(0, ("FROM", driver_error(text)))
        error = failure(connector, promised)
        assert isinstance(error, expected), text
        assert "Dupont" not in str(error)
        driver.answers.pop(0)


def test_a_session_that_breaks_off_in_the_middle_is_unavailable(
    kind: str, connector: DatabaseConnector, driver: Any, promised: Any, driver_error: type[Exception]
) -> None:
    answer_rows(driver, kind, rows(1))
    [delivery] = deliver(connector, promised, {"table": "Dbo.Schools"})
    driver.answers[-1] = (driver.answers[-1][0], driver_error(REFUSED[kind][2]))
    with pytest.raises(Unavailable):
        list(delivery.rows)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"table": "Schools"},
        {"table": "a.b", "cursor": "c", "lag": "soon"},
        {"query": "DELETE FROM x"},
        {"table": "a.b", "filter": "1; 2"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    kind: str, connector: DatabaseConnector, promised: Any, options: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        deliver(connector, promised, options)


def test_a_connection_string_holds_any_password(port: int, driver: Any, promised: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.refusal = RuntimeError("stop")
    with pytest.raises(PolycephError):
        deliver(source("mssql", port), promised, {"table": "Dbo.Schools"})
    [((text,), _)] = driver.entered
    assert "PWD={se;cr}}et=1};" in text
    assert "TrustServerCertificate=no;" in text
    monkeypatch.setenv("DB2_WORD", WORD)
    with pytest.raises(Misconfigured, match="semicolon"):
        deliver(source("db2", port), promised, {"table": "Dbo.Schools"})

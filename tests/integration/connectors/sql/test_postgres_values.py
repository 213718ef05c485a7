"""Values of PostgreSQL reach the lake as they are, or the load says which do not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.drift import Kind
from polyceph.errors import Invalid
from polyceph.sdk import Column, Tolerance
from polyceph.settings import PostgresAddress

Writer = psycopg.Connection[tuple[object, ...]]
BIG = 9007199254740993
LONG = "0.12345678901234567890123456789012345678"


@pytest.fixture
def connector(database: PostgresAddress, monkeypatch: pytest.MonkeyPatch) -> PostgresConnector:
    monkeypatch.setenv("SOURCE_PASSWORD", database.password.get_secret_value())
    given = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
    return PostgresConnector(PostgresConnector.source_options.model_validate({**given, "password_env": "SOURCE_PASSWORD"}), base=Path())


@pytest.mark.parametrize("options", [{"table": "public.t"}, {"query": "SELECT * FROM t"}])
def test_a_numeric_without_precision_keeps_every_digit(
    connector: PostgresConnector, write: Writer, loading: Any, options: dict[str, object]
) -> None:
    write.execute("CREATE TABLE t (id numeric, exact numeric, words numeric, wide numeric(50, 2), float numeric)")
    write.execute(f"INSERT INTO t VALUES ({BIG}, {LONG}, {LONG}, 1234567890123456789012345678901234.50, 0.1), (1, 0.5, 1e10, 0.01, NULL)")
    contract = loading.contract(
        Column("id", "integer"),
        Column("exact", "number", "decimal(38,38)"),
        Column("words", "string"),
        Column("wide", "number", "decimal(38,2)"),
        Column("float", "number"),
    )
    [report] = loading.load(connector, contract, options)
    assert report.rows == 2
    assert loading.rows(contract) == [
        (1, Decimal("0.5"), "10000000000", Decimal("0.01"), None),
        (BIG, Decimal(LONG), LONG, Decimal("1234567890123456789012345678901234.50"), 0.1),
    ]
    assert [(n.subject, n.value) for n in report.notes] == [("precision", "float")]


@pytest.mark.parametrize("value", ["9007199254740992.5", "1e20", "'NaN'", "'Infinity'", "'-Infinity'"])
def test_a_numeric_that_is_no_integer_is_refused(connector: PostgresConnector, write: Writer, loading: Any, value: str) -> None:
    write.execute(f"CREATE TABLE t AS SELECT {value}::numeric AS id")
    contract = loading.contract(Column("id", "integer"))
    with pytest.raises(Invalid) as caught:
        loading.load(connector, contract, {"table": "public.t"})
    assert "column id" in str(caught.value.problems[0].where())
    assert "cannot become BIGINT" in caught.value.problems[0].message


def test_a_numeric_with_more_digits_than_promised_is_refused(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute("CREATE TABLE t AS SELECT 1.239::numeric AS price")
    contract = loading.contract(Column("price", "number", "decimal(10,2)"))
    with pytest.raises(Invalid, match="does not keep the contract"):
        loading.load(connector, contract, {"table": "public.t"})


@pytest.mark.parametrize("kind", ["numeric", "numeric(10,2)"])
@pytest.mark.parametrize("options", [{"table": "public.t"}, {"query": "SELECT * FROM t"}, {"table": "public.t", "cursor": "id"}])
def test_nan_is_never_a_number(connector: PostgresConnector, write: Writer, loading: Any, kind: str, options: dict[str, object]) -> None:
    write.execute(f"CREATE TABLE t (id int, price {kind})")
    write.execute("INSERT INTO t VALUES (1, 'NaN'), (2, 1.25)")
    contract = loading.contract(Column("id", "integer"), Column("price", "number", "decimal(10,2)"))
    with pytest.raises(Invalid) as caught:
        loading.load(connector, contract, options)
    assert "1 value cannot become DECIMAL(10,2)" in str(caught.value.problems[0])
    [report] = loading.load(connector, contract, options, tolerance=Tolerance(rows=1))
    assert report.rejected == 1
    assert loading.rows(contract) == [(2, Decimal("1.25"))]


def test_nan_stays_nan_where_a_float_is_promised(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute("CREATE TABLE t (id int, a numeric, b numeric(5,1), c numeric)")
    write.execute("INSERT INTO t VALUES (1, 'NaN', 'NaN', '-Infinity')")
    contract = loading.contract(*(Column("id", "integer"), *(Column(n, "number") for n in "abc")))
    loading.load(connector, contract, {"table": "public.t"})
    assert str(loading.rows(contract)) == "[(1, nan, nan, -inf)]"


def test_a_nan_that_comes_between_planning_and_reading_is_never_a_number(
    connector: PostgresConnector, write: Writer, loading: Any, tmp_path: Path
) -> None:
    from polyceph.sdk import Demand

    write.execute("CREATE TABLE t (id int, price numeric(10,2))")
    write.execute("INSERT INTO t VALUES (1, 1.5)")
    contract = loading.contract(Column("id", "integer"), Column("price", "number", "decimal(10,2)"))
    demand = Demand(contract.dataset, contract, {"table": "public.t"}, None, lambda _: False, tmp_path, tmp_path)
    [delivery] = connector.deliveries(demand)
    write.execute("INSERT INTO t VALUES (2, 'NaN')")
    with pytest.raises(Invalid) as refused:
        loading.lake.load(delivery, contract, LakeCommit(author="test", message="Load", run="r1", code="", door="test"))
    assert "column price" in str(refused.value.problems)


def test_a_zero_stays_a_zero_and_is_asked_about(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute("CREATE TABLE t (id int, price numeric(10,2), rate numeric(5,1))")
    write.execute("INSERT INTO t VALUES (1, 0, 2.5), (2, NULL, 1.5)")
    contract = loading.contract(
        Column("id", "integer"), Column("price", "number", "decimal(10,2)"), Column("rate", "number", "decimal(5,1)")
    )
    loading.load(connector, contract, {"table": "public.t"})
    assert str(loading.rows(contract)) == "[(1, Decimal('0.00'), Decimal('2.5')), (2, None, Decimal('1.5'))]"


WALLS = ["2024-03-31 01:59:59", "2024-03-31 03:00:00", "2024-07-01 12:00:00.5", "2024-10-27 03:00:00", "2024-10-27 01:59:59.999999"]
INSTANTS = [
    datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 7, 1, 10, 0, 0, 500000, tzinfo=UTC),
    datetime(2024, 10, 27, 2, tzinfo=UTC),
    datetime(2024, 10, 26, 23, 59, 59, 999999, tzinfo=UTC),
]


def fill_walls(write: Writer, *walls: str) -> None:
    write.execute("CREATE TABLE t (id int, at timestamp)")
    for number, wall in enumerate(walls):
        write.execute("INSERT INTO t VALUES (%s, %s::timestamp)", (number, wall))


def instants(loading: Any) -> Any:
    return loading.contract(Column("id", "integer"), Column("at", "timestamp", "timestamptz"))


BRUSSELS = {"table": "public.t", "timezone": "Europe/Brussels"}


def test_wall_clock_times_become_instants_of_their_zone(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    fill_walls(write, *WALLS)
    contract = instants(loading)
    loading.load(connector, contract, dict(BRUSSELS))
    assert loading.rows(contract) == list(enumerate(INSTANTS))


@pytest.mark.parametrize("wall", ["2024-03-31 02:30:00", "2024-10-27 02:00:00", "2024-10-27 02:59:59.999999"])
def test_a_wall_clock_time_that_is_skipped_or_comes_twice_is_refused_or_set_aside(
    connector: PostgresConnector, write: Writer, loading: Any, wall: str
) -> None:
    fill_walls(write, WALLS[2], wall)
    contract = instants(loading)
    with pytest.raises(Invalid) as caught:
        loading.load(connector, contract, dict(BRUSSELS))
    assert "column at" in str(caught.value.problems[0])
    [report] = loading.load(connector, contract, dict(BRUSSELS), tolerance=Tolerance(rows=1))
    assert (report.rows, report.rejected) == (1, 1)
    aside = loading.lake.query(f"SELECT value FROM education._polyceph.reject WHERE dataset = '{contract.dataset}'").to_pylist()
    assert wall in str(aside[0]["value"])
    assert "Europe/Brussels" in str(aside[0]["value"])


@pytest.mark.parametrize(("choice", "hour"), [("earlier", 0), ("later", 1)])
def test_a_time_that_comes_twice_is_read_as_declared(
    connector: PostgresConnector, write: Writer, loading: Any, choice: str, hour: int
) -> None:
    fill_walls(write, "2024-10-27 02:30:00")
    contract = instants(loading)
    loading.load(connector, contract, {**BRUSSELS, "ambiguous": choice})
    assert loading.rows(contract) == [(0, datetime(2024, 10, 27, hour, 30, tzinfo=UTC))]


def test_names_of_any_kind_are_read(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    names = ["Nom de l'élève", 'un "mot"', "select", "ÉTÉ", "a.b", "a\\b", "x%s{}", "🎓", "UPPER", "upper"]
    fields = ", ".join('"' + n.replace('"', '""') + '" numeric' for n in names)
    write.execute(b'CREATE SCHEMA "Mon sch\xc3\xa9ma"')
    write.execute(f'CREATE TABLE "Mon schéma"."order ""by"".x" ({fields.replace("%", "%%")})'.replace("%%", "%").encode())
    table = '"Mon schéma"."order ""by"".x"'
    write.execute(f"INSERT INTO {table} VALUES (1,2,3,4,5,6,7,8,9,10)".encode())
    contract = loading.contract(*(Column(f"c{at}", "integer", source_name=name) for at, name in enumerate(names)))
    loading.load(connector, contract, {"table": table})
    assert loading.rows(contract) == [tuple(range(1, 11))]
    [found] = [t for t in connector.tables() if t.name == table]
    assert found.options == {"table": table}
    assert [c.name for c in connector.sample(found.options, rows=1, workspace=Path()).columns] == names


def test_names_that_differ_in_case_alone_are_two_columns(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute('CREATE TABLE t AS SELECT 1 AS "Name", 2 AS name')
    contract = loading.contract(Column("a", "integer", source_name="Name"), Column("b", "integer", source_name="name"))
    loading.load(connector, contract, {"table": "public.t"})
    assert loading.rows(contract) == [(1, 2)]


def test_five_hundred_columns_are_read(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute(f"CREATE TABLE t AS SELECT {', '.join(f'{n}::numeric AS c{n}' for n in range(500))}".encode())
    contract = loading.contract(*(Column(f"c{n}", "integer") for n in range(500)))
    loading.load(connector, contract, {"table": "public.t"})
    assert loading.rows(contract) == [tuple(range(500))]


def test_an_empty_table_and_nulls_in_every_type_are_read(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    kinds = [
        "int",
        "numeric",
        "numeric(5,1)",
        "text",
        "bool",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "jsonb",
        "bytea",
        "uuid",
        "int[]",
    ]
    write.execute(f"CREATE TABLE t ({', '.join(f'c{n} {kind}' for n, kind in enumerate(kinds))})".encode())
    logical = ["integer", "integer", "number", "string", "boolean", "date", "time", "timestamp", "timestamp", "object", "string", "string"]
    contract = loading.contract(*(Column(f"c{n}", kind) for n, kind in enumerate([*logical, "array"])))
    [report] = loading.load(connector, contract, {"table": "public.t"})
    assert report.rows == 0
    write.execute("INSERT INTO t DEFAULT VALUES")
    loading.load(connector, contract, {"table": "public.t"})
    assert loading.rows(contract) == [(None,) * len(kinds)]


def test_a_renamed_table_is_found_where_options_name_its_columns(connector: PostgresConnector, write: Writer, loading: Any) -> None:
    write.execute("CREATE TABLE t (id int, montant int); INSERT INTO t VALUES (1, 2)")
    contract = loading.contract(Column("id", "integer"), Column("amount", "integer"))
    options: dict[str, object] = {"table": "public.t", "columns": {"amount": "montant"}}
    [found] = loading.drift(connector, contract, options, lambda: write.execute('ALTER TABLE t RENAME TO "t 2026"'))
    assert (found.kind, found.is_) == (Kind.TABLE, 'public."t 2026"')

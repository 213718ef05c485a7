"""Whether a table keeps its contract: every way in which it may not, on a real engine."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.errors import Problem
from polyceph.lake.conformity import broken_promises

PUPILS = DatasetId("meuse", Zone.GOLD, "pupils")
WHERE = Place("contracts/pupils.odcs.yaml", 1)
COLUMNS = (
    Column("id", "integer", primary_key=True, place=Place("contracts/pupils.odcs.yaml", 12, 5)),
    Column("code", "string", required=True, unique=True),
    Column("score", "number", "decimal(5,2)"),
)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS meuse")
        connection.execute("CREATE SCHEMA meuse.gold")
        yield connection


def broken(engine: duckdb.DuckDBPyConnection, select: str, columns: tuple[Column, ...] = COLUMNS) -> list[Problem]:
    engine.execute(f"CREATE OR REPLACE TABLE meuse.gold.pupils AS {select}")
    contract = Contract(PUPILS, "1", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, WHERE, "00")
    return broken_promises(engine, PUPILS, contract)


ROW = "SELECT range AS id, 'c' || range AS code, 1.5::DECIMAL(5,2) AS score"


def test_a_table_that_keeps_its_contract_has_no_problem(engine: duckdb.DuckDBPyConnection) -> None:
    assert broken(engine, f"{ROW}, 'k' AS _load FROM range(3)") == []
    assert broken(engine, f"{ROW} FROM range(0)") == []


def test_a_narrower_type_keeps_the_promise(engine: duckdb.DuckDBPyConnection) -> None:
    assert broken(engine, "SELECT 1::SMALLINT AS id, 'a' AS code, 1::DECIMAL(3,1) AS score") == []


def test_a_missing_column_is_named_with_the_nearest(engine: duckdb.DuckDBPyConnection) -> None:
    [missing, unnamed] = broken(engine, "SELECT 1::BIGINT AS id, 'a' AS code, 1::DECIMAL(5,2) AS scores")
    assert missing.message == "column score is promised and not there"
    assert missing.hint == "did the model call it scores?"
    assert unnamed.message == "column scores is there and not promised"


def test_a_column_that_nobody_promised_is_named(engine: duckdb.DuckDBPyConnection) -> None:
    [problem] = broken(engine, f"{ROW}, 'Jean Dupont' AS name FROM range(1)")
    assert (problem.message, problem.file) == ("column name is there and not promised", "contracts/pupils.odcs.yaml")
    assert "Dupont" not in str(problem)


def test_another_type_is_named_with_both(engine: duckdb.DuckDBPyConnection) -> None:
    [problem] = broken(engine, "SELECT '1' AS id, 'a' AS code, 1::DECIMAL(5,2) AS score")
    assert problem.message == "column id is VARCHAR, promised is BIGINT"
    assert (problem.line, problem.column) == (12, 5)


def test_missing_required_values_are_counted(engine: duckdb.DuckDBPyConnection) -> None:
    [problem] = broken(
        engine, "SELECT range AS id, CASE WHEN range > 1 THEN 'c' || range END AS code, 1::DECIMAL(5,2) AS score FROM range(5)"
    )
    assert problem.message == "2 required values of code are missing"


def test_repeated_values_are_counted_and_not_shown(engine: duckdb.DuckDBPyConnection) -> None:
    problems = broken(engine, "SELECT range // 2 AS id, 'Dupont' AS code, 1::DECIMAL(5,2) AS score FROM range(4)")
    assert sorted(problem.message for problem in problems) == ["2 values of id are repeated", "3 values of code are repeated"]
    assert "Dupont" not in " ".join(map(str, problems))


@pytest.mark.parametrize(
    "ids", ["range * 1000000007", "-range", "CASE WHEN range > 0 THEN range END", "NULL::BIGINT", "range::INTEGER", "range::SMALLINT"]
)
def test_keys_of_every_spread_are_counted(engine: duckdb.DuckDBPyConnection, ids: str) -> None:
    unique = (Column("id", "integer", unique=True),)
    assert broken(engine, f"SELECT {ids} AS id FROM range(100)", unique) == []
    problems = broken(engine, f"SELECT {ids} AS id FROM (FROM range(100) UNION ALL FROM range(50, 53))", unique)
    assert [problem.message for problem in problems] == ([] if ids.startswith("NULL") else ["3 values of id are repeated"])


def test_a_key_of_two_columns_counts_together(engine: duckdb.DuckDBPyConnection) -> None:
    both = (Column("id", "integer", primary_key=True), Column("code", "string", primary_key=True))
    assert broken(engine, "SELECT range // 2 AS id, (range % 2)::VARCHAR AS code FROM range(4)", both) == []
    [problem] = broken(engine, "SELECT 1::BIGINT AS id, (range % 2)::VARCHAR AS code FROM range(4)", both)
    assert problem.message == "2 values of id, code are repeated"

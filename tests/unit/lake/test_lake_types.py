"""How a delivered type becomes the promised one."""

from __future__ import annotations

import duckdb
import pytest

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.errors import Invalid
from polyceph.lake.types import Cast, ColumnPlan, plan_columns, promised_type


def contract(*columns: Column) -> Contract:
    dataset = DatasetId("meuse", Zone.RAW, "pupils")
    return Contract(dataset, "id", "1.0.0", "active", "anne", "marc", Classification.INTERNAL, columns, Place("c.yaml"), "00")


def plan(source: str, column: Column) -> ColumnPlan:
    plans, problems = plan_columns(contract(column), {column.name: source})
    assert problems == []
    return plans[0]


@pytest.mark.parametrize(
    ("logical", "physical", "promised"),
    [
        ("string", "varchar(20)", "VARCHAR"),
        ("integer", "int4", "BIGINT"),
        ("number", None, "DOUBLE"),
        ("number", "NUMERIC(12, 2)", "DECIMAL(12,2)"),
        ("number", "decimal(9)", "DECIMAL(9,0)"),
        ("timestamp", None, "TIMESTAMP"),
        ("timestamp", "timestamp(6) with time zone", "TIMESTAMP WITH TIME ZONE"),
        ("object", None, "JSON"),
    ],
)
def test_logical_and_physical_type_promise_a_type(logical: str, physical: str | None, promised: str) -> None:
    assert promised_type(Column("c", logical, physical)) == promised


def test_an_unknown_logical_type_is_refused_with_the_good_ones() -> None:
    with pytest.raises(Invalid, match="types are string, integer"):
        promised_type(Column("c", "strnig"))


@pytest.mark.parametrize(
    ("source", "logical", "cast"),
    [
        ("BIGINT", "integer", Cast.NONE),
        ("SMALLINT", "integer", Cast.LOSSLESS),
        ("UBIGINT", "integer", Cast.CHECKED),
        ("HUGEINT", "integer", Cast.CHECKED),
        ("INTEGER", "number", Cast.LOSSLESS),
        ("BIGINT", "number", Cast.CHECKED),
        ("DATE", "timestamp", Cast.LOSSLESS),
        ("TIMESTAMP", "date", Cast.CHECKED),
        ("INTEGER", "string", Cast.LOSSLESS),
        ("VARCHAR", "integer", Cast.CHECKED),
        ("UUID", "string", Cast.LOSSLESS),
    ],
)
def test_a_cast_that_could_lose_something_is_checked(source: str, logical: str, cast: Cast) -> None:
    assert plan(source, Column("c", logical)).cast is cast


@pytest.mark.parametrize(
    ("source", "column", "good", "bad"),
    [
        ("VARCHAR", Column("c", "integer"), ["'12'", "'-3'", "NULL"], ["'3.7'", "'x'", "''", "'1e30'"]),
        ("VARCHAR", Column("c", "number", "decimal(6,2)"), ["'1.5'", "'1234.56'", "'7'"], ["'1.555'", "'12345.6'", "'1,5'"]),
        ("VARCHAR", Column("c", "date"), ["'2024-02-29'"], ["'2023-02-29'", "'31/12/2024'"]),
        ("VARCHAR", Column("c", "integer"), ["'9007199254740993'", "' 7 '", "'7.00'", "'1e3'"], ["'9007199254740992.4'", "'NaN'", "'1_0'"]),
        ("VARCHAR", Column("c", "number", "decimal(10,2)"), ["'1.2300'", "'1e2'", "'.5'"], ["'1.239'", "'1.0000000000001'", "'NaN'"]),
        ("VARCHAR", Column("c", "number", "decimal(38,20)"), ["'1.12345678901234567890'"], ["'1.123456789012345678901'", "'Infinity'"]),
        (
            "VARCHAR",
            Column("c", "number", "decimal(38,2)"),
            ["'12345678901234567890123456789012345.67'"],
            ["'1' || repeat('0', 30) || '.001'"],
        ),
        ("VARCHAR", Column("c", "date"), ["'2024-02-29 00:00:00'", "'infinity'"], ["'2024-02-29 10:00'", "'2024-02-29 x'", "'0000-00-00'"]),
        ("VARCHAR", Column("c", "time"), ["'08:30'", "'08:30:00.123456'"], ["'08:30:00.1234567'", "'2024-01-01 08:30'", "'838:59:59'"]),
        ("VARCHAR", Column("c", "timestamp"), ["'2024-01-01T10:00:00Z'", "'2024-01-01 10:00:00+00'"], ["'2024-01-01 10:00:00+02'"]),
        ("VARCHAR", Column("c", "timestamp"), ["'2024-01-01 10:00:00.1234560'"], ["'2024-01-01 10:00:00.1234567'"]),
        ("VARCHAR", Column("c", "timestamp", "timestamptz"), ["'2024-01-01 10:00:00+02:00'"], ["'2024-10-27 02:30:00 comes twice in X'"]),
        ("VARCHAR", Column("c", "object"), ["'{\"a\": 1}'"], ["'{a'"]),
        ("DOUBLE", Column("c", "integer"), ["2.0", "-1.0"], ["2.5", "1e300", "'nan'::DOUBLE"]),
        ("DOUBLE", Column("c", "number", "decimal(6,2)"), ["0.1::DOUBLE + 0.2::DOUBLE"], ["0.123", "100000.0"]),
        ("DECIMAL(10,4)", Column("c", "number", "decimal(10,2)"), ["1.2300"], ["1.2345"]),
        ("TIMESTAMP", Column("c", "date"), ["TIMESTAMP '2024-01-01'"], ["TIMESTAMP '2024-01-01 00:00:01'"]),
        ("BIGINT", Column("c", "number"), ["9007199254740992"], ["9007199254740993"]),
        ("BIGINT", Column("c", "boolean"), ["0", "1"], ["2"]),
    ],
)
def test_values_that_would_be_lost_are_found(source: str, column: Column, good: list[str], bad: list[str]) -> None:
    condition = plan(source, column).broken()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for value in [*good, *bad]:
            row = connection.execute(f"SELECT {condition} FROM (SELECT CAST({value} AS {source}) AS c)").fetchone()
            assert row == (value in bad,), value


def test_columns_match_by_name_then_by_source_name() -> None:
    plans, problems = plan_columns(
        contract(Column("code", "string", source_name="Code INS"), Column("name", "string")),
        {"Code INS": "VARCHAR", "name": "VARCHAR", "_row": "BIGINT"},
    )
    assert [(p.name, p.source) for p in plans] == [("code", "Code INS"), ("name", "name")]
    assert problems == []

"""Limits that a contract sets to values: checked at the load, the same in files and in what comes typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.tabular.rules import broken
from polyceph.connectors.types import arrow_type
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract, ValueRule
from polyceph.core.source_ports import Delivery, Demand, LoadMode, Tolerance
from polyceph.errors import Invalid
from polyceph.lake.lake import DomainLake
from polyceph.lake.rules import conditions

Build = Callable[..., Contract]


def _rule(name: str, *values: str) -> ValueRule:
    return ValueRule(name, values)


COLUMNS = (
    Column("number", "integer", required=True, primary_key=True, rules=(_rule("minimum", "1"), _rule("maximum", "100"))),
    Column("zip", "string", rules=(_rule("pattern", r"^\d{4}$"),)),
    Column("kind", "string", rules=(_rule("validValues", "day", "boarding"),)),
    Column("amount", "number", physical_type="decimal(8,2)", rules=(_rule("exclusiveMinimum", "0"),)),
)
ROWS = [
    (1, "4000", "day", "1.50"),
    (101, "4000", "day", "1.50"),
    (2, "40OO", "day", "2.00"),
    (3, "4000", "Day", "3.00"),
    (4, None, None, "0.00"),
]


def _table() -> pa.Table:
    numbers, zips, kinds, amounts = (list(column) for column in zip(*ROWS, strict=True))
    decimals = pa.array([Decimal(text) for text in amounts], pa.decimal128(8, 2))
    return pa.table({"number": numbers, "zip": zips, "kind": kinds, "amount": decimals, "_row": list(range(1, 6))})


BROKEN = {
    (2, "number", "101", "maximum 100"),
    (3, "zip", "40OO", r"pattern ^\d{4}$"),
    (4, "kind", "Day", "validValues day, boarding"),
    (5, "amount", "0.00", "exclusiveMinimum 0"),
}


@pytest.mark.parametrize("mode", [LoadMode.APPEND, LoadMode.DIFF])
def test_a_delivery_that_breaks_rules_is_refused_with_every_rule(
    lake: DomainLake, contract: Build, commit: LakeCommit, mode: LoadMode
) -> None:
    promise = contract(*COLUMNS)
    with pytest.raises(Invalid) as caught:
        lake.load(Delivery("k", _table(), mode=mode), promise, commit)
    found = [problem.message for problem in caught.value.problems]
    assert [f"1 value breaks the rule {rule}" for _, _, _, rule in sorted(BROKEN)] == found
    assert "row 3" in str(caught.value.problems[1])
    assert not lake.is_loaded(promise.dataset, "k")


def test_with_tolerance_the_rows_are_set_aside_with_value_and_rule(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(*COLUMNS)
    report = lake.load(Delivery("k", _table(), tolerance=Tolerance(rows=4)), promise, commit)
    assert (report.rows, report.rejected) == (1, 4)
    kept = lake.query(
        'SELECT "row", "column", value, rule FROM meuse._polyceph.reject WHERE dataset = ?', [str(promise.dataset)]
    ).to_pylist()
    assert {tuple(one.values()) for one in kept} == BROKEN


def test_a_file_tells_the_line_of_each_value_that_breaks_a_rule(contract: Build, tmp_path: Path) -> None:
    lines = [",".join("" if value is None else str(value) for value in row) for row in ROWS]
    (tmp_path / "rows.csv").write_text("number,zip,kind,amount\n" + "\n".join(lines) + "\n")
    promise = contract(*COLUMNS)
    connector = FilesConnector(FilesConnector.source_options(folder="."), base=tmp_path)
    demand = Demand(promise.dataset, promise, {"path": "rows.csv"}, None, lambda _: False, tmp_path / "work", tmp_path)
    with pytest.raises(Invalid) as caught:
        list(connector.deliveries(demand))
    assert [(problem.line, problem.value) for problem in caught.value.problems] == [(3, "101"), (4, "40OO"), (5, "Day"), (6, "0.00")]


CASES: list[tuple[Column, list[Any], ValueRule, list[bool]]] = [
    (Column("c", "integer"), [1, 5, None], _rule("minimum", "2"), [True, False, False]),
    (Column("c", "integer"), [4, 5], _rule("multipleOf", "2"), [False, True]),
    (Column("c", "number", "decimal(9,2)"), [Decimal("0.01"), Decimal("0.00")], _rule("minimum", "0.005"), [False, True]),
    (Column("c", "number", "decimal(9,2)"), [Decimal("0.05"), Decimal("0.06")], _rule("multipleOf", "0.05"), [False, True]),
    (Column("c", "number"), [0.5, 1.5], _rule("maximum", "1"), [False, True]),
    (Column("c", "string"), ["é", "éa", ""], _rule("maxLength", "1"), [False, True, False]),
    (Column("c", "string"), ["é", "éa", ""], _rule("minLength", "1"), [False, False, True]),
    (Column("c", "string"), ["B-4000", "b-4000", "xB-4000"], _rule("pattern", r"^[A-Z]\-\d{4}$"), [False, True, True]),
    (Column("c", "string"), ["Émile", "émile"], _rule("pattern", "É"), [False, True]),
    (Column("c", "string"), ["a", "b", None], _rule("validValues", "a"), [False, True, False]),
    (Column("c", "integer"), [1, 3], _rule("validValues", "1", "2"), [False, True]),
    (Column("c", "date"), [date(2026, 1, 1), date(2025, 12, 31)], _rule("minimum", "2026-01-01"), [False, True]),
    (
        Column("c", "timestamp"),
        [datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-01-01 00:00:01")],
        _rule("maximum", "2026-01-01T00:00:00"),
        [False, True],
    ),
    (
        Column("c", "timestamp", "timestamptz"),
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)],
        _rule("maximum", "2026-01-01T01:00:00+00:00"),
        [False, True],
    ),
    (Column("c", "time"), [time(8), time(7, 59)], _rule("minimum", "08:00:00"), [False, True]),
]


@pytest.mark.parametrize(("column", "values", "rule", "expected"), CASES)
def test_files_and_lake_judge_values_alike(
    contract: Build, column: Column, values: list[Any], rule: ValueRule, expected: list[bool]
) -> None:
    array = pa.array(values, arrow_type(column))
    assert broken(array, column, rule).to_pylist() == expected
    promise = contract(Column("c", column.logical_type, column.physical_type, rules=(rule,)))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("delivered", pa.table({"c": array}))
        for is_typed in (True, False):
            [(_, _, condition)] = conditions(promise, is_typed=is_typed)
            assert [row[0] for row in connection.execute(f"SELECT {condition} FROM delivered").fetchall()] == expected

"""Values that do not fit: with tolerance their rows are set aside as text, with the place and the rule; without it nothing is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.files import FilesConnector
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.source_ports import NO_REJECTS, Delivery, Demand, LoadMode, Tolerance, tolerance_of
from polyceph.errors import Invalid
from polyceph.lake.lake import DomainLake

Build = Callable[..., Contract]
COLUMNS = (
    Column("number", "integer", required=True, primary_key=True),
    Column("day", "date", required=True),
    Column("amount", "number", physical_type="decimal(8,2)"),
)
ROWS = {
    "number": ["1", "2", "x", "2", None, "6", "7"],
    "day": ["2025-01-01", "2025-02-30", "2025-01-03", "2025-01-04", "2025-01-05", None, "2025-01-07"],
    "amount": ["1.50", "2", "3", "4", "5", "6", "7.123"],
}


def kept(lake: DomainLake, promise: Contract) -> list[dict[str, Any]]:
    query = (
        'SELECT load, origin, "row", place, "column", value, rule FROM meuse._polyceph.reject WHERE dataset = ? ORDER BY "row", "column"'
    )
    return lake.query(query, [str(promise.dataset)]).to_pylist()


def numbers(lake: DomainLake, promise: Contract) -> list[int]:
    return [one["number"] for one in lake.query(f"SELECT number FROM meuse.raw.{promise.dataset.name} ORDER BY 1").to_pylist()]


def delivery(**more: Any) -> Delivery:
    return Delivery("k", pa.table({**ROWS, "_row": list(range(1, 8))}), origin="amounts.csv", **more)


def test_rows_with_a_wrong_value_are_set_aside_with_value_and_rule(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(*COLUMNS)
    report = lake.load(delivery(tolerance=Tolerance(rows=6)), promise, commit)
    assert (report.rows, report.rejected) == (1, 6)
    assert numbers(lake, promise) == [1]
    found = {(one["row"], one["column"]): (one["value"], one["rule"]) for one in kept(lake, promise)}
    assert found == {
        (2, "day"): ("2025-02-30", "cannot become DATE without loss"),
        (3, "number"): ("x", "cannot become BIGINT without loss"),
        (4, "number"): ("2", "the key came before"),
        (5, "number"): (None, "the column is required"),
        (6, "day"): (None, "the column is required"),
        (7, "amount"): ("7.123", "cannot become DECIMAL(8,2) without loss"),
    }
    assert {(one["load"], one["origin"]) for one in kept(lake, promise)} == {("k", "amounts.csv")}


def test_with_one_more_than_is_tolerated_nothing_is_loaded(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(*COLUMNS)
    with pytest.raises(Invalid, match="does not keep the contract"):
        lake.load(delivery(tolerance=Tolerance(rows=5)), promise, commit)
    assert kept(lake, promise) == []
    assert not lake.is_loaded(promise.dataset, "k")


def test_missing_and_repeated_values_alone_are_refused_when_they_are_too_many(
    lake: DomainLake, contract: Build, commit: LakeCommit
) -> None:
    promise = contract(*COLUMNS[:1])
    rows = pa.table({"number": [1, 1, None, 2]})
    with pytest.raises(Invalid):
        lake.load(Delivery("k", rows, tolerance=Tolerance(rows=1)), promise, commit)
    assert lake.load(Delivery("k", rows, tolerance=Tolerance(rows=2)), promise, commit).rejected == 2
    assert numbers(lake, promise) == [1, 2]


def test_without_tolerance_it_is_as_ever(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(*COLUMNS)
    with pytest.raises(Invalid):
        lake.load(delivery(), promise, commit)


def test_a_row_that_is_set_aside_does_not_count_as_gone(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(*COLUMNS)
    first = pa.table({"number": ["1", "2"], "day": ["2025-01-01", "2025-01-02"], "amount": ["1", "2"]})
    then = pa.table({"number": ["1", "2"], "day": ["2025-01-01", "soon"], "amount": ["1", "2"]})
    lake.load(Delivery("k1", first, mode=LoadMode.DIFF, tolerance=Tolerance(rows=1)), promise, commit)
    lake.load(Delivery("k2", then, mode=LoadMode.DIFF, tolerance=Tolerance(rows=1)), promise, commit)
    assert lake.query(f"SELECT number, _change FROM meuse.raw.{promise.dataset.name} WHERE _load = 'k2'").to_pylist() == []


def test_of_several_changes_of_a_key_the_last_counts_where_rows_may_be_set_aside(
    lake: DomainLake, contract: Build, commit: LakeCommit
) -> None:
    promise = contract(*COLUMNS)
    changes = {"number": ["1", "1", "2"], "day": ["2025-01-01", "2025-01-02", "soon"], "amount": ["1", "2", "3"], "_row": [1, 2, 3]}
    report = lake.load(Delivery("k", pa.table(changes), mode=LoadMode.MERGE, tolerance=Tolerance(rows=1)), promise, commit)
    assert (report.rows, report.rejected) == (1, 1)
    assert [str(row["day"]) for row in lake.query(f"SELECT day FROM meuse.raw.{promise.dataset.name}").to_pylist()] == ["2025-01-02"]


@pytest.mark.parametrize(
    ("text", "rejected", "total", "allowed"), [(2, 2, 9, True), (2, 3, 9, False), ("10%", 1, 10, True), ("10%", 1, 9, False)]
)
def test_a_tolerance_is_a_number_or_a_share(text: object, rejected: int, total: int, allowed: bool) -> None:
    assert tolerance_of(text).allows(rejected, total) is allowed
    assert not NO_REJECTS.allows(1, 1_000_000)


def test_a_file_with_wrong_cells_is_loaded_without_their_rows(
    lake: DomainLake, contract: Build, commit: LakeCommit, tmp_path: Path
) -> None:
    promise = contract(*COLUMNS)
    lines = ["number;day;amount", "1;2025-01-01;1,50", "deux;2025-01-02;2,00", "3;2025-01-03;trop", "4;2025-01-04;4,00", "5;2025-01-05"]
    (tmp_path / "amounts.csv").write_text("\n".join(lines) + "\n")
    connector = FilesConnector(FilesConnector.source_options.model_validate({"folder": str(tmp_path)}), base=tmp_path)

    def load(tolerance: Tolerance) -> None:
        (tmp_path / f"work{tolerance.rows}").mkdir()
        asked = Demand(
            promise.dataset,
            promise,
            {"path": "*.csv"},
            None,
            lambda _: False,
            tmp_path / f"work{tolerance.rows}",
            tmp_path,
            tolerance=tolerance,
        )
        for one in connector.deliveries(asked):
            report = lake.load(Delivery(one.key, one.rows, origin=one.origin, rejects=one.rejects, tolerance=tolerance), promise, commit)
            assert (report.rows, report.rejected) == (2, 3)

    with pytest.raises(Invalid, match="3 problems"):
        load(Tolerance(rows=2))
    load(Tolerance(rows=3))
    assert numbers(lake, promise) == [1, 4]
    assert [(one["row"], one["place"], one["column"], one["value"]) for one in kept(lake, promise)] == [
        (3, "line 3", "number", "deux"),
        (4, "line 4", "amount", "trop"),
        (6, "line 6", None, None),
    ]

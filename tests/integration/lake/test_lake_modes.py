"""Loads that compare rows by key: only news is kept, what is gone is said, and the current rows are always those of the source."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.drift import Form, FormColumn
from polyceph.core.source_ports import Admission, Arrival, Delivery, LoadMode
from polyceph.errors import Invalid
from polyceph.lake.lake import DomainLake

Build = Callable[..., Contract]
COLUMNS = (
    Column("school", "string", required=True, primary_key=True),
    Column("number", "integer", required=True, primary_key=True),
    Column("name", "string"),
    Column("grade", "number", physical_type="decimal(5,2)"),
)
TYPES = pa.schema([("school", pa.string()), ("number", pa.int64()), ("name", pa.string()), ("grade", pa.decimal128(5, 2))])
Row = dict[str, Any]


def table(rows: list[Row], *, changes: bool = False) -> pa.Table:
    schema = TYPES.append(pa.field("_change", pa.string())) if changes else TYPES
    return pa.Table.from_pylist(rows, schema=schema.append(pa.field("_row", pa.int64())))


def numbered(rows: list[Row]) -> list[Row]:
    return [{**row, "_row": number} for number, row in enumerate(rows, 1)]


def row(number: int, name: str | None = "a", school: str = "s") -> Row:
    return {"school": school, "number": number, "name": name, "grade": None}


def appended(lake: DomainLake, promise: Contract, load: str) -> set[tuple[int, str | None, str]]:
    found = lake.query(f"SELECT number, name, _change FROM meuse.raw.{promise.dataset.name} WHERE _load = ?", [load]).to_pylist()
    return {(one["number"], one["name"], one["_change"]) for one in found}


def current(lake: DomainLake, promise: Contract) -> list[Row]:
    query = f"""SELECT school, number, name, grade FROM (SELECT *, rowid FROM meuse.raw.{promise.dataset.name}
        QUALIFY row_number() OVER (PARTITION BY school, number ORDER BY rowid DESC) = 1) WHERE _change <> 'removed' ORDER BY ALL"""
    return lake.query(query).to_pylist()


@pytest.fixture
def promise(contract: Build) -> Contract:
    return contract(*COLUMNS)


def test_a_whole_keeps_only_what_differs_and_says_what_is_gone(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    wholes = ([row(1), row(2), row(3)], [row(1), row(2, "b"), row(4)], [row(1), row(2, "b"), row(4)], [row(3), row(4)])
    for number, rows in enumerate(wholes):
        report = lake.load(Delivery(f"k{number}", table(numbered(rows)), mode=LoadMode.DIFF), promise, commit)
        assert report.is_new
    assert appended(lake, promise, "k0") == {(1, "a", "added"), (2, "a", "added"), (3, "a", "added")}
    assert appended(lake, promise, "k1") == {(2, "b", "changed"), (3, "a", "removed"), (4, "a", "added")}
    assert appended(lake, promise, "k2") == set()
    assert appended(lake, promise, "k3") == {(1, "a", "removed"), (2, "b", "removed"), (3, "a", "added")}
    assert [one["number"] for one in current(lake, promise)] == [3, 4]


def test_an_overlap_brings_no_row_twice(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    lake.load(Delivery("k0", table(numbered([row(1), row(2)])), mode=LoadMode.NEW), promise, commit)
    report = lake.load(Delivery("k1", table(numbered([row(2), row(3), row(1, None)])), mode=LoadMode.NEW), promise, commit)
    assert report.rows == 2
    assert appended(lake, promise, "k1") == {(3, "a", "added"), (1, None, "changed")}


def test_a_list_of_changes_ends_keys_and_the_last_word_counts(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    lake.load(Delivery("k0", table(numbered([row(1), row(2), row(3)])), mode=LoadMode.MERGE), promise, commit)
    removed = {"school": "s", "name": None, "grade": None, "_change": "removed"}
    changes = numbered(
        [row(1, "b"), row(1, "c"), {**removed, "number": 2}, {**removed, "number": 9}, {**removed, "number": 3}, row(3, "d")]
    )
    lake.load(Delivery("k1", table(changes, changes=True), mode=LoadMode.MERGE), promise, commit)
    assert appended(lake, promise, "k1") == {(1, "c", "changed"), (2, "a", "removed"), (3, "d", "changed")}
    assert [(one["number"], one["name"]) for one in current(lake, promise)] == [(1, "c"), (3, "d")]


def test_the_same_key_twice_in_a_whole_is_refused(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    with pytest.raises(Invalid) as refused:
        lake.load(Delivery("k0", table(numbered([row(1), row(1, "b")])), mode=LoadMode.DIFF), promise, commit)
    assert "repeated" in str(refused.value)
    assert not lake.is_loaded(promise.dataset, "k0")


def test_a_missing_key_is_refused_and_nothing_counts_as_gone(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    lake.load(Delivery("k0", table(numbered([row(1)])), mode=LoadMode.DIFF), promise, commit)
    with pytest.raises(Invalid, match="does not keep the contract"):
        lake.load(Delivery("k1", table(numbered([{**row(2), "number": None}])), mode=LoadMode.DIFF), promise, commit)
    assert [one["number"] for one in current(lake, promise)] == [1]


def test_without_a_primary_key_such_a_load_is_refused_with_what_to_do(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("number", "integer"), Column("name", "string"))
    with pytest.raises(Invalid, match="no primary key") as refused:
        lake.load(Delivery("k0", pa.table({"number": [1], "name": ["a"]}), mode=LoadMode.DIFF), promise, commit)
    assert "primaryKey: true" in str(refused.value.hint)


def test_the_same_delivery_again_changes_nothing(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    lake.load(Delivery("k0", table(numbered([row(1)])), mode=LoadMode.DIFF), promise, commit)
    again = lake.load(Delivery("k0", table(numbered([row(7)])), mode=LoadMode.DIFF), promise, commit)
    assert not again.is_new
    assert [one["number"] for one in current(lake, promise)] == [1]


_ROWS = st.lists(
    st.tuples(st.sampled_from("st"), st.integers(1, 4), st.none() | st.sampled_from(["a", "b"]), st.none() | st.decimals(0, 9, places=2)),
    max_size=6,
    unique_by=lambda one: one[:2],
)
_NUMBERS = count()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wholes=st.lists(_ROWS, min_size=1, max_size=3))
def test_after_any_wholes_the_current_rows_are_those_of_the_last(
    wholes: list[list[tuple[Any, ...]]], lake: DomainLake, contract: Build, commit: LakeCommit
) -> None:
    promise = contract(*COLUMNS)
    for rows in wholes:
        named = [dict(zip(TYPES.names, one, strict=True)) for one in rows]
        lake.load(Delivery(f"k{next(_NUMBERS)}", table(numbered(named)), mode=LoadMode.DIFF), promise, commit)
        assert current(lake, promise) == sorted(named, key=lambda one: (one["school"], one["number"]))


def test_what_a_list_of_changes_says_of_a_row_is_no_column_of_its_source(lake: DomainLake, promise: Contract, commit: LakeCommit) -> None:
    told: list[Arrival] = []

    def admits(arrival: Arrival) -> Admission:
        told.append(arrival)
        return Admission.LOAD

    names = ("school", "number", "name", "grade")
    form = Form(tuple(FormColumn(name, "string") for name in (*names, "_change")), is_exact=True)
    changes = table(numbered([{**row(1), "_change": "removed"}, {**row(2), "_change": None}]), changes=True)
    lake.load(Delivery("key", changes, mode=LoadMode.MERGE, form=form), promise, commit, admits=admits)
    assert {tuple(column.name for column in one.form.columns) for one in told} == {names}

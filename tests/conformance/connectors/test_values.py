"""Behaviours of values: types, nothing, no rows, texts, many columns, names, values that do not fit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from stands.behaviours import Behaviour
from stands.registry import behaviour
from stands.sql_text import kind_of
from stands.stand import Stand, Table

from polyceph.errors import Invalid
from polyceph.sdk import Column, Tolerance

KEY = Column("id", "integer", required=True, primary_key=True)
BY_TYPE = {
    "integer": Column("whole", "integer"),
    "decimal": Column("exact", "number", "decimal(38,10)"),
    "number": Column("ratio", "number"),
    "boolean": Column("flag", "boolean"),
    "date": Column("day", "date"),
    "time": Column("hour", "time"),
    "timestamp": Column("moment", "timestamp"),
    "instant": Column("instant", "timestamp", "timestamptz"),
    "string": Column("code", "string"),
    "array": Column("list", "array"),
    "object": Column("thing", "object"),
}
CET, CEST = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))
WALL = datetime.fromisoformat("2026-10-25T02:30:00.123456")
LARGEST = Decimal("1234567890123456789012345678.0123456789")
VALUES: list[dict[str, Any]] = [
    {
        "integer": 2**63 - 1,
        "decimal": LARGEST,
        "number": 0.1,
        "boolean": True,
        "date": date(2026, 3, 29),
        "time": time(23, 59, 59, 999999),
        "timestamp": datetime.fromisoformat("2026-03-29T02:30"),
        "instant": datetime(2026, 3, 29, 1, 59, 59, tzinfo=CET),
        "string": "007",
        "array": [1, "é", None, {"a": "b"}],
        "object": {"a": {"b": 1.5}, "c": []},
    },
    {
        "integer": -(2**63) + 1,
        "decimal": -LARGEST,
        "number": -1.7976931348623157e300,
        "boolean": False,
        "date": date(1900, 2, 28),
        "time": time(0, 0),
        "timestamp": WALL,
        "instant": datetime(2026, 3, 29, 3, 0, tzinfo=CEST),
        "string": "1e5",
        "array": [],
        "object": {},
    },
    {
        "integer": 0,
        "decimal": Decimal("0.0000000001"),
        "number": 5e-300,
        "boolean": True,
        "date": date(2024, 2, 29),
        "time": time(2, 30),
        "timestamp": datetime.fromisoformat("1999-12-31T23:59:59"),
        "instant": datetime(2026, 10, 25, 2, 30, tzinfo=CEST),
        "string": "-0012.50",
        "array": ["0001"],
        "object": {"x": "0001"},
    },
    {
        "integer": 9007199254740993,
        "decimal": Decimal(0),
        "number": 123456789.125,
        "boolean": False,
        "date": date(2026, 10, 25),
        "time": time(12, 0, 1),
        "timestamp": datetime.fromisoformat("2026-10-25T03:00"),
        "instant": datetime(2026, 10, 25, 2, 30, tzinfo=CET),
        "string": "2026-03-29",
        "array": [[1, 2], [3]],
        "object": {"n": None},
    },
]


def read(value: Any, column: Column) -> Any:
    """Return a value of the lake as the test wrote it."""
    if value is None:
        return None
    if column.logical_type in ("array", "object"):
        return json.loads(value)
    return value


def loaded(loading: Any, table: Table) -> list[tuple[Any, ...]]:
    contract = loading.contract(*table.columns)
    return [tuple(read(v, c) for v, c in zip(row, table.columns, strict=True)) for row in loading.current(contract)]


def as_utc(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(v.astimezone(UTC) if isinstance(v, datetime) and v.tzinfo else v for v in row)


def load(stand: Stand, loading: Any, table: Table, **more: Any) -> Any:
    return loading.load(stand.connect(), loading.contract(*table.columns), stand.dataset(table), **more)


def typed_table(stand: Stand, name: str) -> tuple[Column, ...]:
    return (KEY, *(BY_TYPE[kind] for kind in stand.types))


@behaviour(Behaviour.TYPES)
def test_values_of_every_type_arrive_as_they_are(stand: Stand, loading: Any) -> None:
    columns = typed_table(stand, loading.name)
    rows = [(number, *(row[kind] for kind in stand.types)) for number, row in enumerate(VALUES, 1)]
    table = Table(loading.name, columns, rows)
    stand.publish(table)
    load(stand, loading, table)
    found = loaded(loading, table)
    assert [as_utc(row) for row in found] == [as_utc(row) for row in rows]
    kinds = [(kind_of(column), value) for row in found for value, column in zip(row, columns, strict=True)]
    assert all((kind == "decimal") == isinstance(value, Decimal) for kind, value in kinds)


@behaviour(Behaviour.NULLS)
def test_nothing_stays_nothing_in_every_type(stand: Stand, loading: Any) -> None:
    columns = typed_table(stand, loading.name)
    full = (1, *(VALUES[0][kind] for kind in stand.types))
    table = Table(loading.name, columns, [full, (2, *[None] * (len(columns) - 1))])
    stand.publish(table)
    load(stand, loading, table)
    assert loaded(loading, table)[1] == table.rows[1]
    assert None not in loaded(loading, table)[0]


@behaviour(Behaviour.EMPTY)
def test_a_table_without_rows_is_no_rows_or_a_word(stand: Stand, loading: Any) -> None:
    table = Table(loading.name, (KEY, Column("name", "string")))
    stand.publish(table)
    try:
        reports = load(stand, loading, table)
    except Invalid as error:
        told = str(error)
        assert any(word in told for word in ("no row", "empty", "no data")), told
        return
    assert sum(report.rows for report in reports) == 0
    stand.publish(table.with_rows([(1, "one")]))
    load(stand, loading, table)
    assert loaded(loading, table) == [(1, "one")]


TEXTS = [
    "👩‍👩‍👧‍👦 🇧🇪 🏳️‍🌈",
    "e\u0301te\u0301 \u1e9b\u0323 A\u030a",
    "été Å ﬁ",
    "مرحبا \u202eabc\u202c שלום",
    "tab\tand 'single' \"double\" \\ back % _ ; , |",
    "two\nlines",
    "\u00a0inner\u00a0\u200bspaces\ufeff.",
    "𝒳 𠀀 \U0010fffd",
    "<b>&amp;</b> ${x} {{y}} <![CDATA[",
]


@behaviour(Behaviour.UNICODE)
def test_texts_stay_what_they_are(stand: Stand, loading: Any) -> None:
    table = Table(loading.name, (KEY, Column("text", "string")), list(enumerate(TEXTS, 1)))
    stand.publish(table)
    load(stand, loading, table)
    assert loaded(loading, table) == table.rows
    if stand.can_hold_nul:
        with_nul = table.with_rows([*table.rows, (99, "a\0b")])
        stand.publish(with_nul)
        try:
            load(stand, loading, table)
        except Invalid as error:
            told = str(error)
            assert "zero bytes" in told or "NUL" in told, told
        else:
            assert loaded(loading, table)[-1] == (99, "a\0b")


@behaviour(Behaviour.WIDE)
def test_five_hundred_columns_are_loaded(stand: Stand, loading: Any) -> None:
    columns = (KEY, *(Column(f"c{number:03d}", "integer") for number in range(499)))
    table = Table(loading.name, columns, [(row, *(row * 1000 + number for number in range(499))) for row in (1, 2)])
    stand.publish(table)
    load(stand, loading, table)
    assert loaded(loading, table) == table.rows


@behaviour(Behaviour.ODD_NAMES)
def test_names_with_spaces_quotes_and_accents_are_read(stand: Stand, loading: Any) -> None:
    columns = (KEY, *(Column(f"c{at}", "string", source_name=name) for at, name in enumerate(stand.odd_columns)))
    table = Table(stand.odd_table, columns, [(1, *(f"of {name}" for name in stand.odd_columns))])
    stand.publish(table)
    load(stand, loading, table)
    assert loaded(loading, table) == table.rows


@behaviour(Behaviour.RESERVED)
def test_reserved_words_are_names_like_any_other(stand: Stand, loading: Any) -> None:
    words = ("select", "from", "order", "group", "user", "table", "null", "true", "values", "end")
    table = Table(stand.reserved_table, (KEY, *(Column(word, "string") for word in words)), [(1, *words)])
    stand.publish(table)
    load(stand, loading, table)
    assert loaded(loading, table) == table.rows


@behaviour(Behaviour.MISFIT)
def test_a_value_that_does_not_fit_is_set_aside_or_refused_and_never_cut(stand: Stand, loading: Any) -> None:
    held = (KEY, Column("amount", "number", "decimal(12,4)"))
    rows = [(1, Decimal("1.2500")), (2, Decimal("7.1234")), (3, Decimal("12345678.5000"))]
    table = Table(loading.name, held, rows)
    stand.publish(table)
    promised = (KEY, Column("amount", "number", "decimal(10,2)"))
    contract, options = loading.contract(*promised), stand.dataset(table)
    with pytest.raises(Invalid) as caught:
        loading.load(stand.connect(), contract, options)
    assert "amount" in str(caught.value)
    [report] = loading.load(stand.connect(), contract, options, tolerance=Tolerance(rows=1))
    assert (report.rows, report.rejected) == (2, 1)
    assert loading.current(contract) == [(1, Decimal("1.25")), (3, Decimal("12345678.50"))]
    query = 'SELECT origin, place, "column", value, rule FROM education._polyceph.reject WHERE dataset = ?'
    [aside] = loading.lake.query(query, [str(contract.dataset)]).to_pylist()
    assert (aside["column"], Decimal(aside["value"])) == ("amount", Decimal("7.1234"))
    assert aside["origin"]
    assert aside["place"] or not stand.has_places
    assert "DECIMAL(10,2)" in aside["rule"] or "decimal" in aside["rule"]

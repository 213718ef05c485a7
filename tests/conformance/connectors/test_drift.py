"""Behaviours when a source changes: nothing of it is visible, or what is visible is right; never something in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from stands.behaviours import Behaviour
from stands.registry import behaviour
from stands.stand import Form, Row, Stand, Table

from polyceph.errors import Conflict, Invalid, NotFound, PolycephError
from polyceph.sdk import Column

COLUMNS = (
    Column("id", "integer", required=True, primary_key=True),
    Column("label", "string"),
    Column("amount", "number", "decimal(10,3)"),
    Column("born", "date"),
    Column("code", "string"),
)
BEFORE: list[Row] = [
    (1, "Élodie", Decimal("10.5"), date(2026, 3, 29), "007"),
    (2, "Noël", Decimal("20.25"), date(2026, 10, 25), "1e5"),
]
# Days that are another day when month and day are taken for each other, amounts that are a thousand times as much without their comma.
AFTER: list[Row] = [
    (1, "Élodie", Decimal("11.5"), date(2026, 4, 3), "007"),
    (2, "Noël", Decimal("12.25"), date(2026, 6, 5), "1e5"),
    (3, "Zoé", Decimal("1.125"), date(2026, 8, 7), "0012"),
]


@dataclass(frozen=True)
class Seen:
    """What of a dataset can be seen: every row with how it came, and where reading stopped."""

    raw: list[tuple[Any, ...]]
    current: list[Row]
    cursor: str | None


@dataclass
class Drifting:
    """A dataset that was loaded well once, and whose source then changes."""

    stand: Stand
    loading: Any
    table: Table

    def begin(self) -> Seen:
        self.stand.publish(self.table)
        assert self.load() is None
        assert self.seen().current == BEFORE
        return self.seen()

    def load(self) -> PolycephError | None:
        try:
            self.loading.load(self.stand.connect(), self.contract(), self.stand.dataset(self.table))
        except PolycephError as error:
            return error
        return None

    def contract(self) -> Any:
        return self.loading.contract(*COLUMNS)

    def seen(self) -> Seen:
        contract = self.contract()
        raw = self.loading.rows(contract, "id, label, amount, born, code, _load, _change")
        return Seen(raw, self.loading.current(contract), self.loading.lake.cursor(contract.dataset))


def begun(stand: Stand, loading: Any) -> tuple[Drifting, Seen]:
    drifting = Drifting(stand, loading, Table(loading.name, COLUMNS, BEFORE))
    return drifting, drifting.begin()


def refused(drifting: Drifting, before: Seen, *names: str) -> None:
    """Load what must be refused; nothing of it may be seen, and the error has to name what changed."""
    error = drifting.load()
    assert isinstance(error, Invalid | NotFound | Conflict), repr(error)
    assert drifting.seen() == before
    assert any(name in str(error) for name in names), str(error)


def right_or_refused(drifting: Drifting, before: Seen, *right: Sequence[Row], names: tuple[str, ...] = ()) -> None:
    """Load; either one of the right states is seen, or all is as before and the error names what changed."""
    error = drifting.load()
    if error is None:
        assert drifting.seen().current in [list(rows) for rows in right]
        return
    assert isinstance(error, Invalid | NotFound | Conflict), repr(error)
    assert drifting.seen() == before
    assert not names or any(name in str(error) for name in names), str(error)


def without(at: int, rows: Sequence[Row]) -> list[Row]:
    return [row[:at] + row[at + 1 :] for row in rows]


def changed(at: int, rows: Sequence[Row], values: Sequence[Any]) -> list[Row]:
    return [(*row[:at], value, *row[at + 1 :]) for row, value in zip(rows, values, strict=True)]


def typed(at: int, column: Column) -> tuple[Column, ...]:
    return (*COLUMNS[:at], column, *COLUMNS[at + 1 :])


@behaviour(Behaviour.ADDED)
def test_an_added_column_is_refused_or_left_out(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    columns = (*COLUMNS[:2], Column("extra", "string"), *COLUMNS[2:])
    stand.publish(Table(loading.name, columns, [(*row[:2], "surplus", *row[2:]) for row in AFTER]))
    right_or_refused(drifting, before, AFTER, names=("extra",))


@behaviour(Behaviour.REMOVED)
def test_a_removed_column_is_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, (*COLUMNS[:2], *COLUMNS[3:]), without(2, AFTER)))
    refused(drifting, before, "amount")


@behaviour(Behaviour.RENAMED)
def test_a_renamed_column_is_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, typed(2, Column("total", "number", "decimal(10,3)")), AFTER))
    refused(drifting, before, "amount")


@behaviour(Behaviour.NUMBER_TO_TEXT)
def test_a_number_that_becomes_a_text_is_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, typed(2, Column("amount", "string")), changed(2, AFTER, ["about 11", "12.250", "unknown"])))
    refused(drifting, before, "amount")


@behaviour(Behaviour.TEXT_TO_NUMBER)
def test_a_text_that_becomes_a_number_is_that_number_or_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, typed(4, Column("code", "integer")), changed(4, AFTER, [7, 100000, 12])))
    right_or_refused(drifting, before, changed(4, AFTER, ["7", "100000", "12"]), names=("code",))


@behaviour(Behaviour.DATE_FORMAT)
def test_dates_in_another_form_are_the_same_days_or_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    table = Table(loading.name, COLUMNS, AFTER, Form(belgian_dates=True))
    if stand.is_typed:
        texts = changed(3, AFTER, [f"{row[3]:%d/%m/%Y}" for row in AFTER])
        table = Table(loading.name, typed(3, Column("born", "string")), texts)
    stand.publish(table)
    right_or_refused(drifting, before, AFTER, names=("born",))


@behaviour(Behaviour.DECIMAL_SEPARATOR)
def test_numbers_with_another_separator_are_the_same_numbers_or_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    table = Table(loading.name, COLUMNS, AFTER, Form(decimal_comma=True))
    if stand.is_typed:
        texts = changed(2, AFTER, [str(row[2]).replace(".", ",") for row in AFTER])
        table = Table(loading.name, typed(2, Column("amount", "string")), texts)
    stand.publish(table)
    right_or_refused(drifting, before, AFTER, names=("amount",))


@behaviour(Behaviour.REORDERED)
def test_columns_in_another_order_are_loaded_right(stand: Stand, loading: Any) -> None:
    drifting, _ = begun(stand, loading)
    stand.publish(Table(loading.name, COLUMNS[::-1], [row[::-1] for row in AFTER]))
    assert drifting.load() is None
    assert drifting.seen().current == AFTER


@behaviour(Behaviour.RECODED)
def test_texts_in_another_encoding_are_the_same_texts_or_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, COLUMNS, AFTER, Form(recoded=True)))
    try:
        right_or_refused(drifting, before, AFTER)
    finally:
        stand.publish(Table(loading.name, COLUMNS, AFTER))


@behaviour(Behaviour.RESHAPED)
def test_an_answer_in_another_form_is_read_right_or_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, COLUMNS, AFTER, Form(reshaped=True)))
    right_or_refused(drifting, before, AFTER)


@behaviour(Behaviour.EMPTIED)
def test_an_emptied_table_has_no_rows_or_is_refused(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, COLUMNS, []))
    # A snapshot that is appended leaves what came before; one that is compared ends it.
    right_or_refused(drifting, before, [], BEFORE)


@behaviour(Behaviour.DOUBLED)
def test_rows_that_come_twice_are_refused_or_come_once(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, COLUMNS, [row for row in AFTER for _ in range(2)]))
    error = drifting.load()
    if error is None:
        assert drifting.seen().current == AFTER
        loads = [(row[0], row[5]) for row in drifting.seen().raw]
        assert len(loads) == len(set(loads))
        return
    assert isinstance(error, Invalid | Conflict), repr(error)
    assert drifting.seen() == before
    assert "id" in str(error) or "came twice" in str(error), str(error)


@behaviour(Behaviour.RESPELT)
def test_a_name_spelt_otherwise_is_refused_or_the_same_column(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.publish(Table(loading.name, typed(1, replace(COLUMNS[1], name="Làbel")), AFTER))
    right_or_refused(drifting, before, AFTER, names=("label",))


@behaviour(Behaviour.MOVED)
def test_a_table_under_another_name_is_not_found(stand: Stand, loading: Any) -> None:
    drifting, before = begun(stand, loading)
    stand.move(drifting.table, f"new_{loading.name}")
    refused(drifting, before, loading.name)

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.connectors.tabular.numbers import NumberFormat, numbers, percent_is_usual, possible_formats
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.sdk import Column

NUMBER, INTEGER, MONEY = Column("n", "number"), Column("n", "integer"), Column("n", "number", "DECIMAL(10,2)")


def formats(values: list[str], column: Column = NUMBER, **options: object) -> list[NumberFormat]:
    return possible_formats(lambda: iter([pa.array(values)]), column, FilesDataset.model_validate({"path": "x.csv", **options}))


def read(values: list[str], column: Column = NUMBER, **options: object) -> list[object]:
    [style] = formats(values, column, **options)
    return numbers(pa.array(values, pa.string()), style, column).to_pylist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["12,5", "-3"], [12.5, -3.0]),
        (["1 234,50 €", "€ 2,00", "EUR 7"], [1234.5, 2.0, 7.0]),
        (["1\u00a0234\u202f567,8"], [1234567.8]),
        (["1.234.567,89", "12"], [1234567.89, 12.0]),
        (["1,234,567.89"], [1234567.89]),
        (["1'234.5", "1’234.5"], [1234.5, 1234.5]),
        (["12,5 %", "3%"], [12.5, 3.0]),
        (["−5", "5-", "+5", "- 5"], [-5.0, -5.0, 5.0, -5.0]),
        (["0.125", "14.304"], [0.125, 14.304]),
        (["1e3", "2.5E-1"], [1000.0, 0.25]),
        ([",5"], [0.5]),
        (["1.234.567"], [1234567.0]),
    ],
)
def test_numbers_are_read_as_people_write_them(values: list[str], expected: list[float]) -> None:
    assert read(values) == expected


@pytest.mark.parametrize("value", ["14,304", "14.304", "999.999"])
def test_a_lone_group_of_three_digits_has_two_readings(value: str) -> None:
    assert len(formats([value, "88"])) == 2


@pytest.mark.parametrize("value", ["14,304", "14.304", "14 304", "14'304", "14304"])
def test_in_an_integer_column_a_group_of_three_digits_is_thousands(value: str) -> None:
    assert read([value, "88"], INTEGER) == [14304, 88]


def test_declared_separators_decide() -> None:
    assert read(["14,304"], decimal=",") == [14.304]
    assert read(["14,304"], thousands=",") == [14304.0]
    assert read(["14.304,5"], decimal=",", thousands=".") == [14304.5]


@pytest.mark.parametrize("value", ["12.5", "abc", "1 23", "12,", "1,2345,678", "", "--1", "0x10", "∞", "NaN", "1_000", "٣"])
def test_what_is_no_whole_number_is_not_read(value: str) -> None:
    assert numbers(pa.array([value]), NumberFormat(" "), INTEGER).to_pylist() == [None]


def test_whole_numbers_keep_64_bits_and_no_more() -> None:
    top = 2**63
    values = [str(top - 1), str(-top), str(top), "9007199254740993", "9" * 400]
    assert numbers(pa.array(values), NumberFormat(), INTEGER).to_pylist() == [top - 1, -top, None, 9007199254740993, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("12.5", "12.50"), ("12.500", "12.50"), ("0012", "12.00"), ("-.5", "-0.50"), ("12345678.99", "12345678.99"), ("0.1", "0.10")],
)
def test_decimals_are_exact(value: str, expected: str) -> None:
    assert numbers(pa.array([value]), NumberFormat("", "."), MONEY).to_pylist() == [Decimal(expected)]


@pytest.mark.parametrize("value", ["12.505", "123456789.00", "1e3"])
def test_decimals_that_do_not_fit_are_not_read(value: str) -> None:
    assert numbers(pa.array([value]), NumberFormat("", "."), MONEY).to_pylist() == [None]


def test_a_percent_sign_is_usual_when_half_the_values_have_it() -> None:
    assert percent_is_usual([pa.array(["5 %", "5"]), pa.array(["6%", "7 "])])
    assert not percent_is_usual([pa.array(["5 %", "5"]), pa.array(["6"])])
    assert not percent_is_usual([])


def test_where_percent_signs_are_mixed_the_rarer_way_is_not_read() -> None:
    most = ["5 %", "5%", "5"]
    assert numbers(pa.array(most), formats(most, NUMBER)[0], NUMBER).to_pylist() == [5.0, 5.0, None]
    few = ["5 %", "5", "6"]
    assert numbers(pa.array(few), formats(few, NUMBER)[0], NUMBER).to_pylist() == [None, 5.0, 6.0]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20), st.sampled_from(["", " ", ".", ",", "'", "\u202f"]))
def test_every_whole_number_survives_its_separator(values: list[int], separator: str) -> None:
    texts = [f"{value:,}".replace(",", separator) for value in values]
    found = formats(texts, INTEGER)
    assert len(found) == 1
    assert numbers(pa.array(texts), found[0], INTEGER).to_pylist() == values


@given(st.decimals("-99999999.99", "99999999.99", places=2))
def test_every_amount_survives_the_belgian_way(value: Decimal) -> None:
    text = f"{value:,.2f}".replace(",", "\u202f").replace(".", ",") + " €"
    assert numbers(pa.array([text]), NumberFormat(" ", ","), MONEY).to_pylist() == [value]

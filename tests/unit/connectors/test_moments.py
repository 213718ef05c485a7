from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.connectors.tabular.conversion import converted
from polyceph.connectors.tabular.formats import ColumnFormat
from polyceph.connectors.tabular.moments import DateFormat, parse_date, parse_time, possible_orders
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.sdk import Column

CHRISTMAS = date(2024, 12, 25)


@pytest.mark.parametrize(
    "text",
    [
        "2024-12-25",
        "25/12/2024",
        "25-12-24",
        "25.12.2024",
        "25/12/24",
        "25 décembre 2024",
        "mercredi 25 décembre 2024",
        "25 december 2024",
        "25. Dezember 2024",
        "25 déc. 2024",
        "25-dec-2024",
        "December 25, 2024",
        "20241225",
        "45651",
    ],
)
def test_one_date_written_in_many_ways(text: str) -> None:
    [style] = possible_orders([text])
    assert parse_date(text, style) == CHRISTMAS


def test_the_first_of_a_month_has_its_own_form() -> None:
    assert parse_date("1er mars 2023", DateFormat("dmy")) == date(2023, 3, 1)


def test_an_order_that_no_value_settles_stays_open() -> None:
    assert [d.order for d in possible_orders(["01/02/2024", "03/04/2024"])] == ["dmy", "mdy"]
    assert [d.order for d in possible_orders(["01/02/2024", "13/04/2024"])] == ["dmy"]
    assert [d.order for d in possible_orders(["01/02/2024", "04/13/2024"])] == ["mdy"]
    assert len(possible_orders(["05/05/2024"])) == 1
    assert len(possible_orders(["10112011", "11102010"])) > 1


@pytest.mark.parametrize(
    "text", ["30/02/2024", "2024-13-01", "32/01/2024", "hier", "1/2", "2024", "12 nivôse 2024", "123/01/2024", "1/1/1"]
)
def test_what_is_no_date_is_not_read(text: str) -> None:
    assert all(parse_date(text, DateFormat(order)) is None for order in ("ymd", "dmy", "mdy"))


def test_declared_formats_know_month_names_of_four_languages() -> None:
    style = DateFormat("declared", "%d %B %Y")
    assert {parse_date(f"25 {name} 2024", style) for name in ("décembre", "december", "Dezember", "DECEMBER")} == {CHRISTMAS}
    assert parse_date("24-12-25", DateFormat("declared", "%y-%m-%d")) == CHRISTMAS
    assert parse_date("25/12/2024", DateFormat("declared", "%m/%d/%Y")) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("10:30", 37800), ("10h30", 37800), ("9h", 32400), ("10:30:05", 37805), ("12:30 am", 1800), ("1:00 PM", 46800)]
)
def test_times_of_day_are_read(text: str, seconds: int) -> None:
    assert parse_time(text) == (seconds * 1_000_000, None)


@pytest.mark.parametrize("text", ["24:00", "10:60", "13:00 pm", "10", "abc", "10:30:61"])
def test_what_is_no_time_is_not_read(text: str) -> None:
    assert parse_time(text) is None


def stamps(texts: list[str], physical: str | None = None, **options: object) -> list[object]:
    dataset = FilesDataset.model_validate({"path": "x.csv", **options})
    column = Column("t", "timestamp", physical)
    return converted(pa.array(texts), column, ColumnFormat(day=DateFormat("dmy")), dataset).to_pylist()


def test_timestamps_keep_wall_clock_time_or_become_utc() -> None:
    noon = datetime(2024, 7, 1, 12)  # noqa: DTZ001 - wall-clock time
    assert stamps(["01/07/2024 12:00", "2024-07-01T12:00:00", "1 juillet 2024 à 12h00"]) == [noon] * 3
    assert stamps(["2024-07-01T12:00:00+02:00"]) == [noon - timedelta(hours=2)]
    [aware] = stamps(["2024-07-01 12:00"], "TIMESTAMPTZ", timezone="Europe/Brussels")
    assert str(aware) == "2024-07-01 10:00:00+00:00"


def test_an_instant_without_a_time_zone_is_not_read() -> None:
    assert stamps(["2024-07-01 12:00"], "TIMESTAMPTZ") == [None]
    assert stamps(["2024-07-01 12:00", "2024-07-01 12:00Z"])[0] is None


def test_a_date_with_a_time_is_a_date_only_at_midnight() -> None:
    texts = pa.array(["25/12/2024 00:00:00", "25/12/2024 10:00"])
    found = converted(texts, Column("d", "date"), ColumnFormat(day=DateFormat("dmy")), FilesDataset(path="x")).to_pylist()
    assert found == [CHRISTMAS, None]


@given(st.dates(date(1969, 1, 1), date(2068, 12, 31)))
def test_every_date_survives_its_ways_of_writing(day: date) -> None:
    dmy = DateFormat("dmy")
    assert parse_date(day.isoformat(), DateFormat("ymd")) == day
    assert parse_date(day.strftime("%d/%m/%Y"), dmy) == day == parse_date(day.strftime("%d-%m-%y"), dmy)
    assert parse_date(day.strftime("%m/%d/%Y"), DateFormat("mdy")) == day


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - wall-clock time
def test_every_timestamp_survives(moment: datetime) -> None:
    assert stamps([moment.isoformat(), moment.isoformat(sep=" ")]) == [moment, moment]

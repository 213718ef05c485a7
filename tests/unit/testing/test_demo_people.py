"""The invented people of the demo."""

from __future__ import annotations

from datetime import date
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from polyceph.testing.demo_people import People, national_number


def is_valid(number: str, birth_date: date) -> bool:
    digits = number.replace(".", "").replace("-", "")
    nine, check = digits[:9], int(digits[9:])
    whole = int(nine) if birth_date.year < 2000 else 2_000_000_000 + int(nine)
    return nine[:6] == birth_date.strftime("%y%m%d") and (whole + check) % 97 == 0 and 1 <= check <= 97


def test_the_checksum_of_a_national_number_follows_the_century() -> None:
    # Worked by hand: 850730033 % 97 = 69 and 97 - 69 = 28; 2170730033 % 97 = 13 and 97 - 13 = 84.
    assert national_number(date(1985, 7, 30), 33) == "85.07.30-033.28"
    assert national_number(date(2017, 7, 30), 33) == "17.07.30-033.84"


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(1, 998))
def test_every_national_number_has_a_valid_checksum(birth_date: date, serial: int) -> None:
    assert is_valid(national_number(birth_date, serial), birth_date)


def test_people_born_on_one_day_have_different_numbers_that_tell_their_sex() -> None:
    people = People(Random(1))
    day = date(2015, 3, 9)
    born = [people.one(day, day) for _ in range(60)]
    assert len({person.national_number for person in born}) == 60
    assert all((int(person.national_number[9:12]) % 2 == 0) == (person.sex == "F") for person in born)


def test_serials_are_so_high_that_nobody_real_has_them() -> None:
    people = People(Random(1))
    numbers = [people.one(date(2008, 1, 1), date(2021, 12, 31)).national_number for _ in range(5000)]
    assert min(int(number[9:12]) for number in numbers) > 950

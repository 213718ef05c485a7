from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyceph.core.policies.schedule import schedule_is_cron


@pytest.mark.parametrize(
    "schedule",
    [
        "0 5 * * *",
        "*/15 6-20 * * mon-fri",
        "0 0 1,15 * *",
        "30 2 29 2 *",
        "0 0 * jan sun",
        "5/10 * * * *",
        "0 0 31 2 1",
        "@daily",
        "0 0 * * 7",
    ],
)
def test_cron_expressions_are_allowed(schedule):
    assert schedule_is_cron(schedule).allowed


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("", "has 0 fields"),
        ("5:00", "has 1 fields"),
        ("0 5 * * * *", "has 6 fields"),
        ("60 * * * *", "minute '60' is not a number from 0 to 59"),
        ("0 24 * * *", "hour '24'"),
        ("0 0 0 * *", "day of the month '0'"),
        ("0 0 * 13 *", "month '13'"),
        ("0 0 * * 8", "day of the week '8'"),
        ("0 0 * * lundi", "day of the week 'lundi'"),
        ("0 20-6 * * *", "runs backwards"),
        ("*/0 * * * *", "step '0'"),
        ("*/ * * * *", "step ''"),
        ("1,,2 * * * *", "minute ''"),
        ("0 0 30 2 *", "never run"),
        ("0 0 31 4,6 *", "never run"),
        ("@hourli", "has 1 fields"),
        ("٣ * * * *", "minute"),
    ],
)
def test_other_texts_are_refused_with_the_reason(schedule, why):
    decision = schedule_is_cron(schedule)
    assert not decision.allowed
    assert why in decision.reason


field = st.from_regex(r"(\*|[0-9]{1,2})(-[0-9]{1,2})?(/[0-9]{1,2})?(,[0-9]{1,2})?", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(field, min_size=4, max_size=6))
def test_what_is_allowed_dagster_understands(fields):
    from dagster._utils.schedules import is_valid_cron_schedule

    schedule = " ".join(fields)
    if schedule_is_cron(schedule).allowed:
        assert is_valid_cron_schedule(schedule)

"""The curve of counts over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.portal.plot import HEIGHT, WIDTH, plotted

START = datetime(2026, 11, 1, tzinfo=UTC)


def points(*counts: float) -> list[tuple[datetime, float]]:
    return [(START + timedelta(days=day), count) for day, count in enumerate(counts)]


@pytest.mark.parametrize("counts", [(), (5,)])
def test_fewer_than_two_counts_are_no_curve(counts: tuple[float, ...]) -> None:
    assert plotted(points(*counts)) is None


def test_the_axis_begins_at_zero_and_ends_at_a_round_value_above() -> None:
    plot = plotted(points(1200, 2512))
    assert plot is not None
    assert [mark.value for mark in plot.grid] == [0, 1000, 2000, 3000]


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=50))
def test_every_dot_is_within_the_picture_and_higher_for_more(counts: list[int]) -> None:
    plot = plotted(points(*counts))
    assert plot is not None
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= HEIGHT for dot in plot.dots)
    assert 2 <= len(plot.grid) <= 7
    assert plot.grid[-1].value >= max(counts)
    for (count, dot), (other, next_dot) in zip(
        zip(counts, plot.dots, strict=True), list(zip(counts, plot.dots, strict=True))[1:], strict=False
    ):
        assert (count <= other) == (dot.y >= next_dot.y) or abs(dot.y - next_dot.y) < 0.2


def test_changes_at_one_moment_are_drawn() -> None:
    plot = plotted([(START, 1), (START, 2)])
    assert plot is not None
    assert plot.dots[0].x == plot.dots[1].x

"""A curve of counts over time as an SVG's numbers; the template draws it, and a table beside it says the same to whoever cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 14, 30
_TWO_DAYS_S = 2 * 24 * 3600
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Mark:
    """A line of the grid, or a label of an axis: where it stands, and the number or the moment that it says."""

    at: float
    value: float


@dataclass(frozen=True)
class Dot:
    """One count on the curve."""

    x: float
    y: float


@dataclass(frozen=True)
class Plot:
    """A curve: its path and area for `d`, its dots, the grid, the first and the last moment; within two days the time counts too."""

    curve: str
    area: str
    dots: Sequence[Dot]
    grid: Sequence[Mark]
    first: datetime
    last: datetime
    is_short: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def plotted(points: Sequence[tuple[datetime, float]]) -> Plot | None:
    """Return the curve of counts, oldest first, from zero; None when there are fewer than two, for a dot is no curve."""
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    seconds = (last - first).total_seconds() or 1.0
    ticks = _ticks(max(value for _, value in points))
    top = ticks[-1] or 1.0
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    dots = [
        Dot(round(_LEFT + wide * (at - first).total_seconds() / seconds, 1), round(_TOP + high * (1 - max(value, 0) / top), 1))
        for at, value in points
    ]
    curve = "M" + " L".join(f"{one.x} {one.y}" for one in dots)
    area = f"{curve} L{dots[-1].x} {_TOP + high} L{dots[0].x} {_TOP + high} Z"
    grid = [Mark(round(_TOP + high * (1 - value / top), 1), value) for value in ticks]
    return Plot(curve, area, dots, grid, first, last, is_short=seconds < _TWO_DAYS_S)


def _ticks(most: float) -> list[float]:
    """Return round values from zero to the first one that is not below `most`, four to six of them."""
    if most <= 0:
        return [0.0, 1.0]
    power = 10 ** (len(str(int(most))) - 1)
    step = next(one * power / 5 for one in _STEPS if one * power >= most)
    if most <= 5:
        step = 1.0
    count = int(-(-most // step))
    return [step * number for number in range(count + 1)]

"""Columns of many rows: choosing, changing single values, moments within a month. Nothing about what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyceph.testing.federation.scenario import Month

Texts = NDArray[np.str_]
Whole = NDArray[np.int64]
Moments = NDArray[np.datetime64]
STAMP = pa.timestamp("s", tz="UTC")


def patched(column: pa.Array, changes: Mapping[int, object]) -> pa.Array:
    """Return a column with other values at some positions."""
    mask = np.zeros(len(column), dtype=bool)
    mask[list(changes)] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array([changes[at] for at in sorted(changes)], column.type))


def one_of(numbers: np.random.Generator, shares: Mapping[str, int], count: int) -> Texts:
    """Return `count` keys, each as often as its share tells."""
    weights = np.array(list(shares.values()), dtype=float)
    return numbers.choice(np.array(list(shares)), count, p=weights / weights.sum())


def moments(numbers: np.random.Generator, start: datetime, days: int, count: int) -> Moments:
    """Return `count` moments, to the second, within so many days from `start` (UTC)."""
    seconds = numbers.integers(0, days * 86_400, count)
    return np.datetime64(start.replace(tzinfo=None), "s") + seconds.astype("timedelta64[s]")


def in_month(numbers: np.random.Generator, month: Month, count: int) -> Moments:
    """Return `count` moments of a month, but for its last day."""
    start = datetime(month.year, month.number, 1)  # noqa: DTZ001  numpy's times have no zone; they mean UTC
    return moments(numbers, start, month.last.day - 1, count)


def days_of(moment: Moments) -> pa.Array:
    """Return the days of moments; the empty one stays empty."""
    return pa.array(moment.astype("datetime64[D]"), pa.date32())


def stamps(moment: Moments) -> pa.Array:
    """Return moments as times of a database, in UTC."""
    return pa.array(moment.astype("datetime64[s]"), STAMP)


def day64(day: date) -> np.datetime64:
    """Return a day as numpy counts it, in seconds."""
    return np.datetime64(day, "s")


def texts(column: Texts, *, empty: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return texts as a column; those marked `empty` are NULL."""
    return pa.array(column.tolist(), pa.string(), mask=empty)


def table(columns: Sequence[str], values: Mapping[str, pa.Array]) -> pa.Table:
    """Return a table in the order of `columns`."""
    return pa.table({name: values[name] for name in columns})

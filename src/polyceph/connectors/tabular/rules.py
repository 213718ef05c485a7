"""A contract's limits on values, over Arrow: which values of a column break one. The lake checks the same in SQL, for every source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polyceph.connectors.types import arrow_type
from polyceph.sdk import Column, ValueRule

_BROKEN: Mapping[str, Callable[[pa.Array, Any], pa.Array]] = {
    "minimum": pc.less,
    "maximum": pc.greater,
    "exclusiveMinimum": pc.less_equal,
    "exclusiveMaximum": pc.greater_equal,
}


def broken(values: pa.Array, column: Column, rule: ValueRule) -> pa.Array:
    """Return for each value whether it breaks the rule; a missing value breaks none. `values` are of the column's Arrow type."""
    return pc.fill_null(_broken(values, column, rule), False)


def _broken(values: pa.Array, column: Column, rule: ValueRule) -> pa.Array:
    first = rule.values[0]
    if rule.name in _BROKEN:
        return _BROKEN[rule.name](values, _typed(rule, column)[0])
    if rule.name == "pattern":
        return pc.invert(pc.match_substring_regex(values, first))
    if rule.name == "minLength":
        return pc.less(pc.utf8_length(values), int(first))
    if rule.name == "maxLength":
        return pc.greater(pc.utf8_length(values), int(first))
    if rule.name == "multipleOf":
        # Arrow has no remainder of decimals; contracts with this rule are few.
        from decimal import Decimal

        step = Decimal(first)
        return pa.array([None if value is None else Decimal(str(value)) % step != 0 for value in values.to_pylist()], pa.bool_())
    return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=_typed(rule, column))))


def _typed(rule: ValueRule, column: Column) -> pa.Array:
    """Return a rule's values in the column's Arrow type."""
    kind, texts = arrow_type(column), pa.array(rule.values, pa.string())
    if pa.types.is_decimal(kind):
        from decimal import Decimal

        # A limit may have more digits than the column: 0.005 for decimal(9,2).
        return pa.array([Decimal(text) for text in rule.values])
    if pa.types.is_time(kind):
        from datetime import time

        return pa.array([time.fromisoformat(text) for text in rule.values], kind)
    if pa.types.is_timestamp(kind):
        naive = pc.cast(texts, pa.timestamp("us", tz="UTC")) if kind.tz else pc.cast(texts, pa.timestamp("us"))
        return pc.cast(naive, kind)
    return pc.cast(texts, kind)

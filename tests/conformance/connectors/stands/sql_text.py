"""What the stands of databases share: the kind of a column, and reasons that hold for every database."""

from __future__ import annotations

from collections.abc import Mapping

from polyceph.connectors.types import decimal_digits, is_aware
from polyceph.sdk import Column

NO_DELIMITER = "a database has neither a delimiter nor a form of the answer"


def kind_of(column: Column) -> str:
    """Return the logical type, with `decimal` and `instant` told from `number` and `timestamp`."""
    if decimal_digits(column):
        return "decimal"
    return "instant" if is_aware(column) else str(column.logical_type)


def type_of(column: Column, types: Mapping[str, str], *, decimal: str = "numeric") -> str:
    """Return a server's type of a column."""
    digits = decimal_digits(column)
    return f"{decimal}({digits[0]},{digits[1]})" if digits else types[kind_of(column)]

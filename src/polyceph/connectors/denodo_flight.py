"""Denodo's VQL over Arrow Flight SQL: how values are written, how types leave the server. Its session stands in `denodo_flight_session`.

Documentation followed: Denodo's manual 9.1, "Access Through Arrow Flight-SQL" (port 9994, type mapping, no parameterised queries).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from unicodedata import category

import pyarrow as pa

from polyceph.connectors.denodo_dialect import VALUE, DenodoDialect
from polyceph.connectors.denodo_flight_session import FlightSession, FlightWay, entered
from polyceph.connectors.sql.dialect import Statement
from polyceph.connectors.sql.driven import Form
from polyceph.connectors.sql.options import ServerAddress
from polyceph.sdk import Invalid

_NUMBER = Form("CAST({0} AS VARCHAR)", pa.string(), "number")


@dataclass(frozen=True)
class FlightDialect(DenodoDialect):
    """VQL whose answers are Arrow record batches.

    Numbers with a fraction leave as text: by the manual, what a view calls `double` travels as a single float when its source says
    FLOAT, and a decimal in 256 bits with a scale that the view need not declare. Text keeps the digits whatever Denodo chooses.
    """

    way: FlightWay = field(default_factory=FlightWay)
    forms: ClassVar[Mapping[str, Form]] = {
        **DenodoDialect.forms,
        **dict.fromkeys(("float", "double", "decimal"), _NUMBER),
        "localdate": Form("{0}", pa.date32(), "date"),
    }

    def bound(self, place: str, source_type: str) -> str:
        """Return a bound in the cursor's own type; a parameter has no literal's prefix."""
        kind = self.kind(source_type)
        if not self.way.is_bound or kind in (None, "integer"):
            return super().bound(place, source_type)
        return f"CAST({place} AS {str(kind).upper()})"

    @contextmanager
    def enter(self, address: ServerAddress) -> Iterator[FlightSession]:
        """Open a session."""
        with entered(address, self.way, write=bound_statement if self.way.is_bound else literal_statement) as session:
            yield session


def bound_statement(statement: Statement) -> Statement:
    """Return a statement whose values stay values: a prepared statement gets them."""
    return Statement(statement.text.replace(VALUE, "?"), statement.values)


def literal_statement(statement: Statement) -> Statement:
    """Return a statement with its values written as literals; raise `Invalid` for one that cannot be written safely."""
    first, *others = statement.text.split(VALUE)
    return Statement(first + "".join(literal(value) + text for value, text in zip(statement.values, others, strict=True)))


def literal(value: object) -> str:
    """Return a value as a VQL literal.

    The manual names one escape in a text, the doubled quote. A backslash or a control character is refused instead of trusted.
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"  # two minus signs in a row would begin a comment
    if isinstance(value, float) and math.isfinite(value):
        written = f"{value:.16e}"  # without an exponent it would be a decimal, which may become another float
        return written if value >= 0 else f"({written})"
    if not isinstance(value, str):
        raise Invalid(f"a value of type {type(value).__name__} cannot be written in VQL", hint="give a text, a number or true and false")
    if "\\" in value or any(category(character) in ("Cc", "Cs") for character in value):
        hint = "leave it out of the filter, write the condition with other VQL, or choose values: bound where the server takes parameters"
        raise Invalid("a text with a backslash or a control character is not written into VQL", hint=hint)
    return "'" + value.replace("'", "''") + "'"

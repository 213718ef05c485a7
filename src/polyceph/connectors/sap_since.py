"""Reading only what is newer: the newest value of a property that says when an entity last changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from polyceph.connectors.sap_metadata import Property
from polyceph.connectors.sap_values import literal
from polyceph.sdk import Invalid

_MOMENTS = ("Edm.DateTime", "Edm.DateTimeOffset", "Edm.Date")
_NUMBERS = ("Edm.Int64", "Edm.Int32", "Edm.Int16", "Edm.Byte", "Edm.Decimal")


@dataclass
class Newest:
    """The newest value that was seen of a property, beginning with that of the last load."""

    one: Property
    value: str | None
    overlap_seconds: int
    begins: str | None = field(init=False)

    def __post_init__(self) -> None:
        if self.one.edm_type not in (*_MOMENTS, *_NUMBERS):
            kinds = ", ".join((*_MOMENTS, *_NUMBERS))
            raise Invalid(f"since: {self.one.name} is of type {self.one.edm_type}", hint=f"name a property of {kinds}")
        self.begins = self.value

    def conditions(self, *, is_v4: bool) -> list[str]:
        """Return the condition of `$filter`: none at the very beginning."""
        if self.begins is None:
            return []
        begin = self.begins
        if self.one.edm_type in _MOMENTS:
            begin = self._written(_moment(begin) - timedelta(seconds=self.overlap_seconds))
        return [f"{self.one.name} ge {literal(begin, self.one, is_v4=is_v4)}"]

    def see(self, values: Iterable[Any]) -> None:
        """Keep the newest of the values; raise `Invalid` for one that is no value of the property's type."""
        for value in values:
            if value is not None and (self.value is None or self._rank(str(value)) > self._rank(self.value)):
                self.value = str(value)

    def _rank(self, text: str) -> Any:
        try:
            return _moment(text) if self.one.edm_type in _MOMENTS else Decimal(text)
        except (ValueError, ArithmeticError) as error:
            raise Invalid(f"property {self.one.name} has a value that is no {self.one.edm_type}") from error

    def _written(self, moment: datetime) -> str:
        if self.one.edm_type == "Edm.Date":
            return moment.date().isoformat()
        text = moment.replace(tzinfo=None).isoformat()
        return f"{text}Z" if self.one.edm_type == "Edm.DateTimeOffset" else text


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)

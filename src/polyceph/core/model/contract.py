"""The data contract: the versioned ODCS promise about one dataset, as far as polyceph acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.place import Place


@dataclass(frozen=True)
class ValueRule:
    """A limit that a contract sets to the values of a column, by ODCS's name for it: `minimum`, `pattern`, `validValues`.

    `values` are texts, as the contract writes them; all but `validValues` have one.
    """

    name: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.values[:5]) + (f" and {len(self.values) - 5} more" if len(self.values) > 5 else "")
        return f"{self.name} {shown}"


@dataclass(frozen=True)
class Column:
    """One promised column. `logical_type` is ODCS's: string, integer, number, boolean, date, timestamp, time, array, object."""

    name: str
    logical_type: str
    physical_type: str | None = None
    description: str = ""
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    classification: Classification | None = None
    personal_data: PersonalData = PersonalData.NONE
    source_name: str | None = None
    """The header in the source when it differs from `name` (ODCS `physicalName`)."""
    place: Place | None = None
    rules: tuple[ValueRule, ...] = ()
    """What good values keep besides their type; a missing value keeps every rule."""


@dataclass(frozen=True)
class Contract:
    """One ODCS 3.1 file. `digest` is the SHA-256 of the file's bytes, hexadecimal."""

    dataset: DatasetId
    id: str
    version: str
    status: str
    owner: str
    steward: str
    classification: Classification
    columns: tuple[Column, ...]
    place: Place
    digest: str
    title: str = ""
    description: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

"""What the first rows of a source tell about its columns: the draft of a contract, for a person to review."""

from __future__ import annotations

from dataclasses import dataclass

from polyceph.core.model.classification import PersonalData


@dataclass(frozen=True)
class ColumnProfile:
    """One column as its source describes it and as its values look. Counts are of the sample, never of the whole."""

    source_name: str
    source_type: str
    logical_type: str
    """ODCS's logical type."""
    physical_type: str | None = None
    required: bool = False
    """The source itself promises it; that no value of a sample is missing promises nothing."""
    primary_key: bool = False
    is_key_guessed: bool = False
    pattern: str | None = None
    """A regular expression that every value of the sample matches, where it says more than the type."""
    personal_data: PersonalData = PersonalData.NONE
    why_personal: str = ""
    missing: int = 0
    distinct: int = 0
    description: str = ""


@dataclass(frozen=True)
class TableProfile:
    """The columns of a table, a file or a resource, from a sample of so many rows."""

    columns: tuple[ColumnProfile, ...]
    rows: int
    description: str = ""
